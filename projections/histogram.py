"""Durations as counts in logarithmic buckets: small, mergeable, with a bounded relative error.

The buckets are those of DDSketch (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket b holds the
durations in (GAMMA^(b-1), GAMMA^b] seconds and answers with the value whose relative distance to
both ends is RELATIVE_ERROR. Merging is adding counts, so a quantile over any set of days costs only
their buckets. A stored histogram is a sequence of 6-byte pairs: bucket (int2), count (int4), in
network byte order, as PostgreSQL's int2send and int4send write them.
"""

import math
from dataclasses import dataclass

import numpy as np

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
PAIR = np.dtype([("bucket", ">i2"), ("count", ">i4")])


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by bucket, buckets ascending without repetition."""

    buckets: np.ndarray
    counts: np.ndarray

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def quantile(self, share: float, *, unanswered: int = 0) -> float | None:
        """The duration in seconds that a `share` of all cases does not exceed (nearest rank).

        `unanswered` cases last longer than any counted one. None when the quantile falls among
        them, or when there are no cases.
        """
        cases = self.total + unanswered
        rank = max(1, math.ceil(share * cases))
        if cases == 0 or rank > self.total:
            return None
        index = int(np.searchsorted(np.cumsum(self.counts), rank))
        return float(2 * GAMMA ** int(self.buckets[index]) / (GAMMA + 1))


def merged(stored: bytes) -> Histogram:
    """The sum of any number of stored histograms, given one after the other."""
    pairs = np.frombuffer(stored, PAIR)
    if not len(pairs):
        return Histogram(np.empty(0, int), np.empty(0, int))
    counts = np.bincount(pairs["bucket"], weights=pairs["count"]).astype(int)
    buckets = np.flatnonzero(counts)
    return Histogram(buckets, counts[buckets])
