"""What happens after a request is answered: actors with side effects, fed by jobs of events."""
