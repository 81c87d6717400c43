"""What a catalogue folder tells of a country: places, bodies, topics, terms, routes."""
