"""Labelled messages and the words of the topics: what reading is built from and measured on."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from domain.vocabulary import Kind, PriorityReason
from regions.reference.catalogue import Catalogue, CatalogueInvalid, Row
from regions.reference.tables import parsed

FILE = "phrases.csv"
WORDS_FILE = "topic_words.csv"


class Part(StrEnum):
    BUILD = "build"
    CHECK = "check"  # only to measure: nothing may be built from it


@dataclass(frozen=True, slots=True)
class Phrase:
    """A message as people write it, with what a careful reader finds in it."""

    text: str
    topic: str
    part: Part
    kind: Kind
    urgency: PriorityReason | None


@dataclass(frozen=True, slots=True)
class TopicWords:
    """Words that go together in a topic, in any form and order."""

    topic: str | None  # None: they stand in messages about anything
    words: str


def load_phrases(folder: Path, catalogue: Catalogue) -> list[Phrase]:
    """None in a folder without the file. Raises CatalogueInvalid, naming file and line.

    A text that stands there twice is refused: in both parts it would flatter the figures.
    """
    seen: set[str] = set()

    def phrase(row: Row) -> Phrase:
        text = _filled(row, "text")
        if text.casefold() in seen:
            raise ValueError(f"{text!r} stands there twice")
        seen.add(text.casefold())
        return _phrase(text, row, catalogue)

    return parsed(folder / FILE, phrase)


def load_topic_words(folder: Path, catalogue: Catalogue) -> list[TopicWords]:
    """None in a folder without the file. Raises CatalogueInvalid, naming file and line."""
    return parsed(
        folder / WORDS_FILE,
        lambda row: TopicWords(
            _topic(row, catalogue) if row["topic"] else None, _filled(row, "words")
        ),
    )


def to_build_from(folder: Path, catalogue: Catalogue) -> list[Phrase]:
    """Raises CatalogueInvalid if the file has none."""
    found = [each for each in load_phrases(folder, catalogue) if each.part is Part.BUILD]
    if not found:
        raise CatalogueInvalid(f"{folder / FILE}: no phrase of the part {Part.BUILD}")
    return found


def _phrase(text: str, row: Row, catalogue: Catalogue) -> Phrase:
    return Phrase(
        text=text,
        topic=_topic(row, catalogue),
        part=Part(row["part"]),
        kind=Kind(row["kind"]),
        urgency=PriorityReason(row["urgency"]) if row["urgency"] else None,
    )


def _topic(row: Row, catalogue: Catalogue) -> str:
    code = row["topic"]
    if code not in catalogue.topics or catalogue.topics[code].group is None:
        raise ValueError(f"topic {code!r} does not exist")
    return code


def _filled(row: Row, column: str) -> str:
    if not row[column]:
        raise ValueError(f"no {column}")
    return row[column]
