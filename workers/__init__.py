"""What happens after a request is answered: actors with side effects, fed by the outbox."""
