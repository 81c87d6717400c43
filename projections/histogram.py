"""Durations as counts in logarithmic buckets: small, mergeable, with a bounded relative error.

The buckets are those of DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket b holds the
durations in (GAMMA^(b-1), GAMMA^b] seconds and answers with the value whose relative distance to
both ends is RELATIVE_ERROR. Merging is adding counts, so a quantile over any set of days costs only
their buckets. A stored histogram is a sequence of 4-byte pairs: bucket (int2), count (int2), in
network byte order, as PostgreSQL's int2send writes them. A bucket may come again: counts above
COUNT_MAX take several pairs, and histograms to be merged are given one after the other.
"""

import math
from collections.abc import Sequence

import numpy as np

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
PAIR_BYTES = 4
COUNT_MAX = 2**15 - 1


def counts(stored: Sequence[bytes]) -> np.ndarray:
    """Cases by histogram and bucket, a row for each histogram."""
    # One pass over the pairs of all histograms: a row each would cost thousands of units double.
    pairs = np.frombuffer(b"".join(stored), ">u4").astype(np.uint32)
    buckets = (pairs >> 16).astype(int)
    width = int(buckets.max(initial=0)) + 1
    buckets += np.repeat(np.arange(len(stored)) * width, [len(one) // PAIR_BYTES for one in stored])
    cases = (pairs & 0xFFFF).astype(float)
    flat = np.bincount(buckets, weights=cases, minlength=len(stored) * width)
    return flat.astype(int).reshape(len(stored), width)


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
