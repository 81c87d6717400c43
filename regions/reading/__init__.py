"""What a citizen's message says: what it is about, how urgent it is, where, and whether it is new."""
