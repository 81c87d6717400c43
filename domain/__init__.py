"""What can happen: events and rules. No I/O, no clock, no database."""
