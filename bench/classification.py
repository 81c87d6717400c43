"""How well and how fast are messages read: topic, kind, urgency, on phrases not built from?"""

import re
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from statistics import fmean, median, quantiles

import psutil

from bench.result import Result, at_least, at_most, info
from bench.scratch import RUSSIA, Scratch
from regions.reading.accuracy import accuracy
from regions.reading.classifier import Classifier, load_classifier
from regions.reading.phrases import Part, Phrase, load_phrases
from regions.reading.signals import kind_of, unfit, urgency_of
from regions.reference.catalogue import Catalogue

LOADS = 5
ROUNDS = 11  # of reading a phrase
MISSPELT = re.compile(r"\b(?:\w{6}|\w{9}|\w{12})\b")  # a third of the long words
_SOUNDS = {"ж": "zh", "ч": "ch", "ш": "sh", "щ": "sch", "ю": "yu", "я": "ya"}
_LETTERS = str.maketrans("абвгдеёзийклмнопрстуфхцъыьэ", "abvgdeeziyklmnoprstufhc'y'e")
LATIN: dict[int, int | str] = {**_LETTERS, **{ord(one): sound for one, sound in _SOUNDS.items()}}
WINTER = date(2026, 1, 15)  # the urgency of the phrases is labelled for a day with heating on


def run(scratch: Scratch) -> list[Result]:
    phrases = load_phrases(RUSSIA, scratch.catalogue)
    check = [phrase for phrase in phrases if phrase.part is Part.CHECK]
    classifier, loading = _loading(scratch.catalogue)
    return [
        info("classification.phrases.build", len(phrases) - len(check), "phrases"),
        *loading,
        *_topics(classifier, check),
        *_signs(check),
        *_times(classifier, check),
    ]


def _loading(catalogue: Catalogue) -> tuple[Classifier, list[Result]]:
    before = psutil.Process().memory_info().rss
    seconds: list[float] = []
    for _ in range(LOADS):
        began = time.perf_counter()
        classifier = load_classifier(RUSSIA, catalogue)
        seconds.append(time.perf_counter() - began)
    assert classifier is not None, "Russia has phrases"
    grown = psutil.Process().memory_info().rss - before
    return classifier, [
        at_most("classification.load.seconds", median(seconds), "s", 2),
        at_most("classification.load.memory", grown / 2**20, "MiB", 100),
    ]


def _topics(classifier: Classifier, check: Sequence[Phrase]) -> list[Result]:
    found = accuracy(classifier, check)
    of = f"of {found.phrases} phrases"
    changed = {
        "in_latin": lambda text: text.lower().translate(LATIN),
        "with_courtesies": "Добрый день! {} Наш адрес: ул. Победы, 5. Примите меры.".format,
        "with_typos": lambda text: MISSPELT.sub(_swapped, text),
    }
    return [
        at_least("classification.topic.top_1", found.top_1, of, 0.8),
        at_least("classification.topic.top_3", found.top_3, of, 0.92),
        info("classification.topic.macro_f1", found.macro_f1, "of 1"),
        at_most("classification.topic.calibration_error", found.calibration_error, "of 1", 0.05),
        *(
            info(f"classification.topic.top_1.{name}", _top_1(classifier, check, change), of)
            for name, change in changed.items()
        ),
    ]


def _top_1(classifier: Classifier, check: Sequence[Phrase], change: Callable[[str], str]) -> float:
    return accuracy(classifier, [replace(each, text=change(each.text)) for each in check]).top_1


def _swapped(word: re.Match[str]) -> str:
    """Two letters in the middle have changed places."""
    letters, middle = word[0], len(word[0]) // 2
    return letters[: middle - 1] + letters[middle] + letters[middle - 1] + letters[middle + 1 :]


def _signs(check: Sequence[Phrase]) -> list[Result]:
    results = [info("classification.kind.right", _share_of_kinds(check), f"of {len(check)}")]
    for kind in dict.fromkeys(phrase.kind for phrase in check):
        of = [phrase for phrase in check if phrase.kind is kind]
        name = f"classification.kind.{kind.lower()}.found"
        results.append(info(name, _share_of_kinds(of), f"of {len(of)}"))
    return results + _urgency(check)


def _share_of_kinds(phrases: Sequence[Phrase]) -> float:
    return fmean(kind_of(phrase.text) is phrase.kind for phrase in phrases)


def _urgency(check: Sequence[Phrase]) -> list[Result]:
    """Right: the reason; found: of the urgent ones; precise: of those taken for urgent."""
    found = [(phrase.urgency, urgency_of(phrase.text, on=WINTER)) for phrase in check]
    seen_of_urgent = [seen is not None for labelled, seen in found if labelled]
    urgent_of_seen = [labelled is not None for labelled, seen in found if seen]
    return [
        info(f"classification.urgency.{name}", fmean(hits), f"of {len(hits)}")
        for name, hits in (
            ("right", [labelled is seen for labelled, seen in found]),
            ("found", seen_of_urgent),
            ("precise", urgent_of_seen),
        )
    ]


def _times(classifier: Classifier, check: Sequence[Phrase]) -> list[Result]:
    readings: dict[str, Callable[[str], object]] = {
        "topic": classifier.topics,
        "kind": kind_of,
        "urgency": lambda text: urgency_of(text, on=WINTER),
        "unfit": unfit,
    }
    results: list[Result] = []
    for name, read in readings.items():
        taken = [_microseconds(read, phrase.text) for phrase in check]
        median_name, p99_name = (f"classification.{name}.time.{of}" for of in ("median", "p99"))
        results.append(at_most(median_name, median(taken), "us a message", 1000))
        results.append(info(p99_name, quantiles(taken, n=100)[-1], "us a message"))
    return results


def _microseconds(read: Callable[[str], object], text: str) -> float:
    """The median of some rounds: of a message, and not of what else the machine did."""
    return 1e6 * median(timeit.repeat(lambda: read(text), number=1, repeat=ROUNDS))
