"""How right a classifier is on phrases it was not built from."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from regions.reading.classifier import Classifier, Guess
from regions.reading.phrases import Phrase

BINS = 10  # of confidence, for its calibration


class Accuracy(NamedTuple):
    """Shares of 1."""

    phrases: int
    top_1: float
    top_3: float  # the topic is among the first three guesses
    macro_f1: float  # the mean of the topics, so that a rare one counts like a common one
    calibration_error: float  # by how much confidence is wrong, in the mean


class _Reading(NamedTuple):
    topic: str
    guesses: Sequence[Guess]

    @property
    def right(self) -> bool:
        return self.guessed == self.topic

    @property
    def guessed(self) -> str | None:
        return self.guesses[0].topic if self.guesses else None

    @property
    def confidence(self) -> float:
        return self.guesses[0].confidence if self.guesses else 0.0


def accuracy(classifier: Classifier, phrases: Iterable[Phrase]) -> Accuracy:
    """Raises StatisticsError if there are no phrases."""
    readings = [_Reading(each.topic, classifier.topics(each.text)) for each in phrases]
    return Accuracy(
        phrases=len(readings),
        top_1=fmean(reading.right for reading in readings),
        top_3=fmean(
            reading.topic in {guess.topic for guess in reading.guesses[:3]} for reading in readings
        ),
        macro_f1=_macro_f1(readings),
        calibration_error=_calibration_error(readings),
    )


def _macro_f1(readings: Sequence[_Reading]) -> float:
    """Over the topics that the phrases have."""
    had = Counter(reading.topic for reading in readings)
    guessed = Counter(reading.guessed for reading in readings)
    found = Counter(reading.topic for reading in readings if reading.right)
    return fmean(2 * found[topic] / (had[topic] + guessed[topic]) for topic in had)


def _calibration_error(readings: Sequence[_Reading]) -> float:
    """The expected calibration error: confidence against the share that is right, bin by bin."""
    bins: dict[int, list[_Reading]] = defaultdict(list)
    for reading in readings:
        bins[min(int(reading.confidence * BINS), BINS - 1)].append(reading)
    return sum(
        len(bin)
        / len(readings)
        * abs(fmean(each.confidence for each in bin) - fmean(each.right for each in bin))
        for bin in bins.values()
    )
