"""Which topic a Russian message is about: naive Bayes, built anew whenever it is loaded.

Multinomial naive Bayes over weighted features (regions/reading/vectors.py). In cross-validation on
the phrases it found more than ridge regression and complement naive Bayes did, it is built in a
second, and a new phrase or word in the catalogue is all that teaches it (docs/decisions/0026).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from regions.reading.phrases import FILE, load_topic_words, to_build_from
from regions.reading.vectors import Numbers, Vector, Vocabulary, features, vocabulary
from regions.reference.catalogue import Catalogue

GUESSES_MAX = 5

# Both chosen by cross-validation on the phrases; the figures change little around them.
SMOOTHING = 0.1
WORDS_WEIGHT = 6  # of a line of topic words; of a phrase: 1

FOLDS = 5
SHARPNESSES = np.geomspace(0.01, 0.2, 32)  # each a tenth more than the one before


class Guess(NamedTuple):
    topic: str
    confidence: float  # calibrated: of the guesses at 0.7 seven in ten are right


class Example(NamedTuple):
    text: str
    topic: str | None  # None: every topic alike
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    known: tuple[str, ...]  # topics, in the order of the catalogue
    vocabulary: Vocabulary
    evidence: Numbers  # for each feature and topic: log-likelihood, as sharp as is justified

    def topics(self, text: str) -> list[Guess]:
        """Best first, at most five; none if there is nothing in the text that was seen before."""
        vector = self.vocabulary.vector(features(text))
        if not vector.features.size:
            return []
        chances = _chances(_score(vector, self.evidence))
        best = np.argsort(-chances, kind="stable")[:GUESSES_MAX]
        return [Guess(self.known[topic], float(chances[topic])) for topic in best]


def load_classifier(folder: Path, catalogue: Catalogue) -> Classifier | None:
    """From phrases.csv and, where there is one, topic_words.csv of a catalogue folder.

    None where there are no phrases. Raises CatalogueInvalid, naming file and line.
    """
    if not (folder / FILE).is_file():
        return None
    phrases = [Example(each.text, each.topic, 1) for each in to_build_from(folder, catalogue)]
    names = [(topic.code, topic.name) for topic in catalogue.topics.values() if topic.group]
    words = [(each.topic, each.words) for each in load_topic_words(folder, catalogue)]
    return _built(
        tuple(code for code, _ in names),
        phrases,
        [Example(text, topic, WORDS_WEIGHT) for topic, text in (*names, *words)],
    )


def _built(
    known: tuple[str, ...], phrases: Sequence[Example], words: Sequence[Example]
) -> Classifier:
    examples = [*phrases, *words]
    counted = [features(example.text) for example in examples]
    terms = vocabulary(counted)
    vectors = [terms.vector(each) for each in counted]
    columns: dict[str | None, int] = {topic: column for column, topic in enumerate(known)}
    counts = np.zeros((len(terms.numbers), len(known)), np.float32)
    for vector, example in zip(vectors, examples, strict=True):
        if example.topic is None:
            counts[vector.features] += _share(vector)[:, None] * example.weight
        else:
            counts[vector.features, columns[example.topic]] += _share(vector) * example.weight
    topics = np.array([columns[phrase.topic] for phrase in phrases])
    sharpness = _sharpness(counts, vectors[: len(phrases)], topics)
    return Classifier(known, terms, _evidence(counts) * sharpness)


def _share(vector: Vector) -> Numbers:
    """What each feature of an example adds: a long one tells no more than a short one."""
    found: Numbers = vector.values / vector.length
    return found


def _evidence(counts: Numbers) -> Numbers:
    smoothed = counts + np.float32(SMOOTHING)
    found: Numbers = np.log(smoothed) - np.log(smoothed.sum(axis=0))
    return found


def _score(vector: Vector, evidence: Numbers) -> Numbers:
    found: Numbers = vector.values @ evidence[vector.features]
    return found


def _chances(scores: Numbers) -> Numbers:
    """Of each topic; the last axis adds up to 1."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Numbers = powers / powers.sum(axis=-1, keepdims=True)
    return found


def _sharpness(
    counts: Numbers, phrases: Sequence[Vector], topics: npt.NDArray[np.intp]
) -> np.float32:
    """The factor that makes confidences true: features are not independent, as Bayes takes them.

    It is what makes the topics of phrases likeliest that the scores were not built from.
    """
    scores = _cross_validated(counts, phrases, topics)

    def surprise(sharpness: float) -> float:
        chances = _chances(scores * np.float32(sharpness))
        return -float(np.log(chances[np.arange(len(topics)), topics] + 1e-9).mean())

    return np.float32(min(SHARPNESSES, key=surprise))


def _cross_validated(
    counts: Numbers, phrases: Sequence[Vector], topics: npt.NDArray[np.intp]
) -> Numbers:
    """The scores of each phrase by evidence without its fold."""
    scores = np.zeros((len(phrases), counts.shape[1]), np.float32)
    for fold in range(FOLDS):
        held = range(fold, len(phrases), FOLDS)
        rest = counts.copy()
        for each in held:
            rest[phrases[each].features, topics[each]] -= _share(phrases[each])
        evidence = _evidence(np.maximum(rest, 0, out=rest))  # rounding goes below nothing
        for each in held:
            scores[each] = _score(phrases[each], evidence)
    return scores
