"""A message as numbers: which stems and which runs of four letters it has, the rare ones more.

Stems tell words apart; runs of letters find a word again that has a typo, a prefix or an ending
nobody thought of.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regions.reading.spelling import spelled, stem

RUN = 4  # letters
STEM_WEIGHT = 2  # of a run: 1

Numbers = npt.NDArray[np.float32]


class Vector(NamedTuple):
    """Of the features that were seen before."""

    features: npt.NDArray[np.intp]
    values: Numbers

    @property
    def length(self) -> np.float32:
        return np.float32(np.sqrt(self.values @ self.values))


def features(text: str) -> Counter[str]:
    """How often each occurs: «=дорог» is a stem, «доро» and «<дор» are runs."""
    found: Counter[str] = Counter()
    for word in spelled(text):
        edged = f"<{word}>"
        found["=" + stem(word)] += 1
        found.update(edged[at : at + RUN] for at in range(len(edged) - RUN + 1))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The features of some texts, numbered, and what each weighs: more the rarer it is."""

    numbers: dict[str, int]
    weights: list[float]

    def vector(self, counted: Mapping[str, int]) -> Vector:
        """Of the `features` of a text."""
        known = [
            (number, (1 + math.log(count)) * self.weights[number])
            for name, count in counted.items()
            if (number := self.numbers.get(name)) is not None
        ]
        return Vector(
            np.array([number for number, _ in known], np.intp),
            np.array([value for _, value in known], np.float32),
        )


def vocabulary(counted: Sequence[Mapping[str, int]]) -> Vocabulary:
    """Of the `features` of some texts.

    Rarity is the smoothed inverse document frequency: 1 + ln((texts + 1) / (texts with it + 1)).
    """
    seen: Counter[str] = Counter()
    for features_of_text in counted:
        seen.update(features_of_text.keys())
    return Vocabulary(
        numbers={name: number for number, name in enumerate(seen)},
        weights=[
            (STEM_WEIGHT if name[0] == "=" else 1)
            * (1 + math.log((len(counted) + 1) / (texts_with_it + 1)))
            for name, texts_with_it in seen.items()
        ],
    )
