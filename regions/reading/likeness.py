"""How alike two texts are, and what may be kept of a text to tell later: a keyed sketch of it.

A text is personal data and is sealed. Its sketch and fingerprint say nothing without the key; with
it somebody could try out texts, so it is as secret as the texts and belongs to one region.
"""

import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from regions.reading.tokens import tokens
from regions.reading.words import lemma

SHINGLE = 4  # letters: one wrong letter spoils four shingles of a word, not the word's likeness
SKETCH_MINIMA = 128  # the estimate is off by 0.044 at most, two times out of three
SKETCH_BYTES = SKETCH_MINIMA * 2
FINGERPRINT_BYTES = 16
WORDS_COMPARED = 1_000  # of a text, the first ones; a fingerprint takes all
KEY_BYTES = range(16, blake2b.MAX_KEY_SIZE + 1)

# One hash function of a shingle's hash for each minimum. They can never change: sketches are kept.
_FACTORS = np.frombuffer(
    b"".join(blake2b(b"%d" % n, digest_size=16).digest() for n in range(SKETCH_MINIMA)), "<u8"
).reshape(SKETCH_MINIMA, 2)
_MULTIPLIERS, _ADDENDS = _FACTORS[:, 0] | np.uint64(1), _FACTORS[:, 1]


def alike(one: str, other: str) -> float:
    """0 to 1: the Jaccard likeness of their shingles. Order and punctuation do not count.

    A text without words is like nothing, not even itself.
    """
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right) if left and right else 0.0


def shingles(text: str) -> frozenset[str]:
    """The pieces of the dictionary forms of its words, a space at both ends of each."""
    padded = (f" {lemma(word)} " for word in _words(text)[:WORDS_COMPARED])
    return frozenset(
        word[at : at + SHINGLE] for word in padded for at in range(max(1, len(word) - SHINGLE + 1))
    )


def fingerprint(text: str, key: bytes) -> bytes:
    """Equal for the same words in the same order, whatever case, punctuation, spaces and ё.

    Empty without words. Raises ValueError for a key of the wrong length.
    """
    words = " ".join(_words(text))
    return _keyed(words, key, FINGERPRINT_BYTES) if words else b""


def sketch(text: str, key: bytes) -> bytes:
    """SKETCH_BYTES from which `likeness` estimates how `alike` two texts are.

    A MinHash: of each hash function the least value among the shingles, 16 bits of it. Empty
    without words. Raises ValueError for a key of the wrong length.
    """
    hashed = b"".join(_keyed(shingle, key, 8) for shingle in shingles(text))
    if not hashed:
        return b""
    values = np.outer(_MULTIPLIERS, np.frombuffer(hashed, "<u8")) + _ADDENDS[:, None]
    # The upper bits of a minimum are always low, the lowest hardly mixed: the middle tells most.
    minima: NDArray[np.uint16] = (values.min(axis=1) >> np.uint64(32)).astype("<u2")
    return minima.tobytes()


def likeness(one: bytes, other: bytes) -> float:
    """Of two sketches made with one key: an estimate of `alike`, 0 if one is empty."""
    return likenesses(one, [other])[0]


def likenesses(one: bytes, others: Sequence[bytes]) -> list[float]:
    """The same for many at once: 1,000 in less than a millisecond."""
    if not one:
        return [0.0] * len(others)
    # An empty sketch is compared as one that agrees nowhere.
    nowhere = (~_minima(one)).tobytes()
    kept = b"".join(other or nowhere for other in others)
    table = np.frombuffer(kept, "<u2").reshape(len(others), SKETCH_MINIMA)
    return [float(share) for share in (table == _minima(one)).mean(axis=1)]


def _minima(sketched: bytes) -> NDArray[np.uint16]:
    return np.frombuffer(sketched, "<u2")


def _words(text: str) -> list[str]:
    # Some keyboards write «й» in two characters.
    return [token.word for token in tokens(unicodedata.normalize("NFC", text))]


def _keyed(text: str, key: bytes, size: int) -> bytes:
    if len(key) not in KEY_BYTES:
        raise ValueError(f"a key of {len(key)} bytes; texts could be guessed, or it cannot be used")
    return blake2b(text.encode(), digest_size=size, key=key).digest()
