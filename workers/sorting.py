"""What becomes of a message at once, and what is left to a person: the rules of automatic triage.

A model only decides what it is sure of. Whatever it is not sure of waits in the inbox, with all
that was read from it as a suggestion.
"""

from collections.abc import Iterator
from datetime import datetime

from domain import commands as c
from domain.events import Reading
from domain.vocabulary import Kind, Priority, Regime
from regions.reference.routing import Matter, Routing

# A topic below it is a suggestion. Own choice: on the phrases put aside, nine of ten above it are
# right (`bench classification`).
SURE_OF_TOPIC = 0.7
SURE_OF_PLACE = 0.5  # what the group alone says, where the text names no place, is 0.55


def sorted_out(
    reading: Reading,
    capture: c.Capture,
    topic: str | None,
    routing: Routing,
    region: str,
    *,
    at: datetime,
) -> Iterator[c.Command]:
    """The commands that follow a capture at once. `topic` is what its source says it is about."""
    yield c.NoteReading(reading=reading)
    if not _becomes_an_incident(reading, capture, topic):
        return
    place = place_of(reading)
    yield c.RegisterCaptured(municipality=place)
    if reading.urgency is not None:
        yield c.Prioritize(priority=Priority.HIGH, reason=reading.urgency)
    sure = topic_of(reading)
    if topic is None and sure is None:
        return
    if topic is not None:
        yield c.Classify(topic=topic)
    else:
        yield c.Classify(topic=sure or "", model=reading.model, confidence=_confidence(reading))
    route = routing.route(region, Matter(topic or sure or "", place, capture.channel, at))
    if route is not None:
        yield c.Assign(organisation=route.organisation, holder=route.curator, rule=route.rule)


def _becomes_an_incident(reading: Reading, capture: c.Capture, topic: str | None) -> bool:
    """What comes by law is answered whatever it says; a post only if it is sure to ask for it."""
    if capture.regime is not Regime.IM:
        return True
    if reading.unfit is not None or reading.elsewhere is not None or reading.kind is Kind.THANKS:
        return False
    return topic is not None or topic_of(reading) is not None


def topic_of(reading: Reading) -> str | None:
    """The topic, if the model is sure."""
    best = reading.topics[0] if reading.topics else None
    return best.topic if best and best.confidence >= SURE_OF_TOPIC else None


def _confidence(reading: Reading) -> float:
    return reading.topics[0].confidence


def place_of(reading: Reading) -> str | None:
    """The municipality, if only one is meant and that is sure."""
    if len(reading.places) != 1 or reading.places[0].confidence < SURE_OF_PLACE:
        return None
    return reading.places[0].municipality
