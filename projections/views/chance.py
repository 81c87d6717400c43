"""How likely chance alone is to do as much: two exact tails, for counts too small for the normal.

    binomial_tail   P(X >= n) of `cases` that each come with `probability` (Bernoulli 1713)
    excess_tail     P(X >= n) if the n of `of` and the `usual` of `usual_of` come from one urn: the
                    hypergeometric of Fisher's exact test (Fisher, The Design of Experiments, 1935)

The second asks nothing of the past but its counts: a past of few cases proves little, and says so.
"""

import math
from collections.abc import Iterable
from itertools import takewhile

NEGLIGIBLE = 1e-12  # of the sum so far: what comes after adds nothing


def binomial_tail(n: int, cases: int, probability: float) -> float:
    if n <= 0:
        return 1.0
    if n > cases or probability <= 0:
        return 0.0
    if probability >= 1:
        return 1.0
    p, q = math.log(probability), math.log1p(-probability)
    return _summed(
        math.exp(_log_choose(cases, k) + k * p + (cases - k) * q) for k in range(n, cases + 1)
    )


def excess_tail(n: int, of: int, usual: int, usual_of: int) -> float:
    found, in_all = n + usual, of + usual_of
    every = _log_choose(in_all, of)
    return _summed(
        math.exp(_log_choose(found, k) + _log_choose(in_all - found, of - k) - every)
        for k in range(max(n, of - (in_all - found)), min(of, found) + 1)
    )


def _summed(terms: Iterable[float]) -> float:
    """Of terms that rise to their mode and fall for ever after it."""
    total = last = 0.0

    def goes_on(term: float) -> bool:
        return term >= last or term > NEGLIGIBLE * total

    for term in takewhile(goes_on, terms):
        total, last = total + term, term
    return min(1.0, total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
