"""What a Russian message shows by its words: what is wanted, how urgent it is, if it is one at all.

All three only suggest; a human decides. They know Russian words, so they are asked where the
catalogue's language is Russian.
"""

from regions.reading.kinds import kind_of
from regions.reading.unfit import unfit
from regions.reading.urgency import urgency_of

__all__ = ["kind_of", "unfit", "urgency_of"]
