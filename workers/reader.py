"""What a message says, put together: topic, kind, urgency, place, and whether it is one at all."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from domain.events import PlaceGuess, Reading, TopicGuess
from domain.rights import region_proper
from regions.reading.classifier import Classifier, load_classifier
from regions.reading.place_aliases import load_place_aliases
from regions.reading.places import PlaceReaders
from regions.reading.signals import kind_of, unfit, urgency_of
from regions.reference.catalogue import Catalogue

MODEL = "2026-11"  # raise it when what is read changes: it stands in the events
TOPICS_TOLD = 3


@dataclass(frozen=True)
class Reader:
    """Reads messages of any region of a catalogue."""

    places: PlaceReaders
    classifier: Classifier | None  # None: the catalogue has no phrases to learn from
    language: str

    def read(
        self,
        text: str,
        region: str,
        *,
        on: date,
        posted_in: str | None = None,
        point: tuple[float, float] | None = None,
    ) -> Reading:
        """`posted_in`: municipality of the group it stands in; `point`: latitude, longitude."""
        topics = self.classifier.topics(text)[:TOPICS_TOLD] if self.classifier else []
        place = self.places.of(region_proper(region)).read(text, posted_in=posted_in, point=point)
        russian = self.language == "ru"
        return Reading(
            model=MODEL,
            topics=tuple(TopicGuess(topic, confidence) for topic, confidence in topics),
            places=tuple(PlaceGuess(each.municipality, each.confidence) for each in place.guesses),
            address=place.address,
            elsewhere=place.elsewhere,
            kind=kind_of(text) if russian else None,
            urgency=urgency_of(text, on=on) if russian else None,
            unfit=unfit(text) if russian else None,
        )


def load_reader(folder: Path, catalogue: Catalogue) -> Reader:
    """Takes some seconds: the classifier learns from its phrases. Raises CatalogueInvalid."""
    aliases = load_place_aliases(folder, catalogue)
    classifier = load_classifier(folder, catalogue)
    return Reader(PlaceReaders(catalogue, aliases), classifier, catalogue.language)
