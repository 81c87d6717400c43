"""Sources, what was read from a message, what it may repeat, and why it went where it went."""

from datetime import datetime

import strawberry

from domain import events
from domain.vocabulary import Kind, PriorityReason, Regime, RejectReason
from projections.listening import Heard
from regions.reading.suggestions import LikenessReason
from regions.reference.routing import Tried


@strawberry.type(description="A group, chat or feed that is listened to and answered in.")
class Source:
    code: str = strawberry.field(description="Our own; begins with the code of the region.")
    channel: str = strawberry.field(description="Code of its channel.")
    name: str = strawberry.field(description="As people call it.")
    regime: Regime = strawberry.field(description="Under which rules its messages are answered.")
    municipality: str | None = strawberry.field(description="Code; whose group it is.")
    topic: str | None = strawberry.field(description="Code; what everything there is about.")
    opened_at: datetime = strawberry.field(description="Listened to from then on.")
    closed_at: datetime | None = strawberry.field(description="Until then; null: still.")
    health: "SourceHealth" = strawberry.field(description="Whether it is heard.")

    @classmethod
    def of(cls, heard: Heard) -> "Source":
        row = heard.source
        return cls(
            code=row.code,
            channel=row.channel,
            name=row.name,
            regime=Regime(row.regime),
            municipality=row.municipality,
            topic=row.topic,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            health=SourceHealth(
                last_message_at=heard.heard_at,
                messages=heard.messages,
                quarantined=heard.quarantined,
                silent=heard.silent,
            ),
        )


@strawberry.type(description="Whether a source is heard.")
class SourceHealth:
    last_message_at: datetime | None = strawberry.field(
        description="When its platform last delivered anything."
    )
    messages: int = strawberry.field(description="Deliveries, but for those that were archived.")
    quarantined: int = strawberry.field(description="Of them, not understood and kept.")
    silent: bool = strawberry.field(description="Nothing heard for longer than is usual there.")


@strawberry.type(description="A guess with how sure it is, 0 to 1.")
class Guess:
    code: str = strawberry.field(description="Of a topic or a municipality.")
    confidence: float = strawberry.field(description="0 to 1.")


@strawberry.type(description="What rules and models read from a message: suggestions.")
class Reading:
    model: str = strawberry.field(description="Which version of them.")
    topics: list[Guess] = strawberry.field(description="The best first.")
    places: list[Guess] = strawberry.field(description="Several: ambiguous, the best first.")
    address: str | None = strawberry.field(description="Street and house.")
    elsewhere: str | None = strawberry.field(description="Code of another region it names.")
    kind: Kind | None = strawberry.field(description="What the citizen wants.")
    urgency: PriorityReason | None = strawberry.field(description="Why it may be urgent.")
    unfit: RejectReason | None = strawberry.field(description="Why it may be no incident.")

    @classmethod
    def of(cls, read: events.Reading) -> "Reading":
        return cls(
            model=read.model,
            topics=[Guess(code=each.topic, confidence=each.confidence) for each in read.topics],
            places=[
                Guess(code=each.municipality, confidence=each.confidence) for each in read.places
            ],
            address=read.address,
            elsewhere=read.elsewhere,
            kind=read.kind,
            urgency=read.urgency,
            unfit=read.unfit,
        )


@strawberry.type(description="An incident that a message may repeat.")
class Likeness:
    incident: strawberry.ID = strawberry.field(description="The earlier one.")
    score: float = strawberry.field(description="0 to 1.")
    reasons: list[LikenessReason] = strawberry.field(description="The weightiest first.")


@strawberry.type(description="A routing rule that was looked at.")
class RoutingStep:
    rule: str = strawberry.field(description="Code of the rule.")
    refusal: str | None = strawberry.field(description="Why it does not fit; null: it does.")
    organisation: str | None = strawberry.field(description="Code of the body it chooses.")
    source: str = strawberry.field(description="Where the rule comes from.")

    @classmethod
    def of(cls, tried: Tried) -> "RoutingStep":
        return cls(
            rule=tried.rule.code,
            refusal=tried.refusal,
            organisation=tried.route.organisation if tried.route else None,
            source=tried.rule.source,
        )
