"""A network that nobody works in: incidents made up after published figures, for demonstration."""
