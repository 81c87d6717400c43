"""Durations as counts in logarithmic buckets: small, mergeable, with a bounded relative error.

The buckets are those of DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket b holds the
durations in (GAMMA^(b-1), GAMMA^b] seconds and answers with the value whose relative distance to
both ends is RELATIVE_ERROR. Merging is adding counts, so a quantile over any set of days costs only
their buckets. A stored histogram is a sequence of 4-byte pairs: bucket (int2), count (int2), in
network byte order, as PostgreSQL's int2send writes them. A bucket may come again: counts above
COUNT_MAX take several pairs, and histograms to be merged are given one after the other.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
PAIR_BYTES = 4
COUNT_MAX = 2**15 - 1
PAIRS_AT_ONCE = 2**15


def counts(stored: Sequence[bytes]) -> np.ndarray:
    """Cases by histogram and bucket, a row for each histogram."""
    pairs = _pairs(stored)
    lengths = _lengths(stored)
    width = int(pairs[:, 0].max(initial=0)) + 1
    found = np.empty((len(stored), width), int)
    for rows, part in _parts(lengths):
        buckets = pairs[part, 0].astype(np.intp)
        buckets += np.repeat(np.arange(rows.stop - rows.start) * width, lengths[rows])
        flat = np.bincount(buckets, pairs[part, 1], minlength=(rows.stop - rows.start) * width)
        found[rows] = flat.reshape(-1, width)
    return found


def _pairs(stored: Sequence[bytes]) -> np.ndarray:
    """Of all, one after the other: bucket, count."""
    return np.frombuffer(b"".join(stored), ">u2").reshape(-1, 2)


def _lengths(stored: Sequence[bytes]) -> np.ndarray:
    """How many pairs each has."""
    return np.fromiter(map(len, stored), int, len(stored)) // PAIR_BYTES


def _parts(lengths: np.ndarray) -> Iterator[tuple[slice, slice]]:
    """Some histograms at a time, and the pairs they have.

    One at a time, thousands of small ones would cost double; all at once, large ones: what does not
    fit into the processor's cache is fetched anew by each step.
    """
    ends = lengths.cumsum()
    first = begin = 0
    while first < len(lengths):
        last = max(first + 1, int(np.searchsorted(ends, begin + PAIRS_AT_ONCE, "right")))
        end = int(ends[last - 1])
        yield slice(first, last), slice(begin, end)
        first, begin = last, end


def merged(stored: Sequence[bytes]) -> list[bytes]:
    """Each histogram with a bucket once, in their order, and again only above COUNT_MAX."""
    pairs = _pairs(stored).astype(int)
    rows = np.repeat(np.arange(len(stored)), _lengths(stored))
    buckets, found_at = np.unique(rows << 16 | pairs[:, 0], return_inverse=True)
    cases = np.bincount(found_at, weights=pairs[:, 1]).astype(int)
    taken = -(-cases // COUNT_MAX)  # pairs, of which the last holds the rest
    buckets, of_pair = np.repeat(buckets, taken), np.full(taken.sum(), COUNT_MAX)
    of_pair[taken.cumsum() - 1] = cases - (taken - 1) * COUNT_MAX
    written = ((buckets & 0xFFFF) << 16 | of_pair).astype(">u4").tobytes()
    ends = np.searchsorted(buckets >> 16, np.arange(len(stored) + 1)) * PAIR_BYTES
    return [written[begin:end] for begin, end in pairwise(ends.tolist())]


def quantiles(
    counted: np.ndarray, cases: Sequence[int], shares: Sequence[float]
) -> list[tuple[float | None, ...]]:
    """For each row of counts the durations in seconds that `shares` of its cases do not exceed.

    Nearest rank. Cases that are in no bucket are not over yet: they last longer than any counted
    one. None where the rank falls among them, or there are no cases.
    """
    in_all = np.asarray(cases, int).reshape(-1, 1)
    return at_ranks(counted, np.maximum(1, np.ceil(np.asarray(shares) * in_all)).astype(int))


def median_bounds(cases: int) -> tuple[int, int]:
    """The ranks between which the median of the population lies with 95 %, whatever the durations.

    Conover, Practical Nonparametric Statistics, 3rd ed., 3.2: the binomial by the normal. No draws,
    so whoever recomputes it finds the same.
    """
    spread = 1.96 * math.sqrt(cases) / 2
    return max(1, math.floor(cases / 2 - spread)), min(cases, math.ceil(cases / 2 + 1 + spread))


def at_ranks(counted: np.ndarray, ranks: np.ndarray) -> list[tuple[float | None, ...]]:
    """For each row of counts the durations in seconds at these ranks of it; None past the last."""
    reached = counted.cumsum(axis=1)
    # The first bucket that reaches a rank; one past the last where none does.
    buckets = (reached[:, np.newaxis, :] < ranks[:, :, np.newaxis]).sum(axis=2)
    seconds = 2 * GAMMA**buckets / (GAMMA + 1)
    known = buckets < reached.shape[1]
    return [
        tuple(value if told else None for value, told in zip(row, of_row, strict=True))
        for row, of_row in zip(seconds.tolist(), known.tolist(), strict=True)
    ]
