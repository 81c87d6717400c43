"""What a citizen's message says: its topic, urgency and place, and whether it is new."""
