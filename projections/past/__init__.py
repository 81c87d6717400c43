"""What was, and what would have been: told from the log."""
