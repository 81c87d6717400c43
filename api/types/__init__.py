"""The types of the schema: catalogue entries, figures and incidents as a client sees them."""
