"""The types of the schema: catalogue entries, figures and incidents as a client sees them."""

from api.types import words

# Here, so before anything else of the schema: a field keeps the enum it finds when it is read.
words.register()
