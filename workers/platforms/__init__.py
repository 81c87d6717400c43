"""The platforms where citizens write: what they tell us, and how they are answered there."""
