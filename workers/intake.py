"""A delivery of a platform, taken in: each fact in it becomes what it is about an incident.

It may run twice and late: every command has an id of the delivery it came with, and a message one
of its channel. A fact about a message that has not come yet waits for it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from domain import commands as c
from domain.errors import DomainError, DuplicateMessage
from domain.events import Reading
from domain.office import SourceOpened
from domain.rights import SYSTEM
from domain.vocabulary import OPEN, Kind, Priority, PriorityReason, Regime, Status
from regions.centre import Centre
from regions.inbox import Delivered, Inbox
from regions.node import Node
from regions.offices import office
from regions.reading.distance import metres_between
from regions.reading.suggestions import LikenessReason, Remembered, suggestions
from regions.reference.routing import Routing
from workers.asking import ask
from workers.memory import Memory
from workers.platforms import odnoklassniki, signed, telegram, vk
from workers.platforms.facts import Deleted, Edited, Fact, Ignored, NotUnderstood, Posted
from workers.reader import Reader
from workers.sorting import sorted_out

REPEATED = "REPEATED"
TRIES_MAX = 8  # for a fact whose original has not come; with these pauses about ten minutes
PAUSE = timedelta(seconds=2)
MASS_MESSAGES = 5  # of one topic in one place within MASS_WINDOW: one incident (own choice)
MASS_WINDOW = timedelta(hours=1)
MASS_METRES = 1000

READ: dict[str, Callable[..., Any]] = {
    "VK": vk.facts,
    "TELEGRAM": telegram.facts,
    "OK": odnoklassniki.facts,
}


# What a further message belongs to; a merged one answers elsewhere, but for the same matter.
GOING_ON = OPEN | {Status.CAPTURED, Status.MERGED, Status.REOPEN_REQUESTED}


class OriginalMissing(Exception):
    """The fact is about a message that has not come yet."""


class Found(NamedTuple):
    """A message of ours or of a citizen that is known by its id on its channel."""

    region: str
    incident_id: UUID
    ours: bool


@dataclass
class Intake:
    """Takes deliveries in, for all sources of a node."""

    node: Node
    reader: Reader
    routing: Routing
    inbox: Inbox
    memory: Memory

    def take_in(self, delivery_id: UUID, *, at: datetime) -> None:
        """Raises StoreUnavailable; whatever else is wrong, the delivery is kept with the reason."""
        delivered = self.inbox.waiting(delivery_id)
        if delivered is None:
            return
        try:
            came_to = self._facts_of(delivered, at)
        except NotUnderstood as error:
            self.inbox.quarantine(delivery_id, error.code, error.detail, at=at)
        except OriginalMissing:
            self._wait(delivered, at)
        except DomainError as refusal:
            self.inbox.quarantine(delivery_id, refusal.code, str(refusal), at=at)
        else:
            self.inbox.settle(delivery_id, came_to, at=at)

    def _facts_of(self, delivered: Delivered, at: datetime) -> str:
        """What they came to, in a word each; one that is wrong keeps back no other.

        Raises NotUnderstood, OriginalMissing or DomainError for one that was.
        """
        source = self._source(delivered)
        came_to = list[str]()
        wrong = list[NotUnderstood | OriginalMissing | DomainError]()
        for number, fact in enumerate(read_facts(source, delivered)):
            try:
                if isinstance(fact, NotUnderstood):
                    raise fact
                came_to.append(Told(self, source, delivered, number, at).take(fact))
            except (NotUnderstood, OriginalMissing, DomainError) as error:
                wrong.append(error)
        if wrong:
            # What waits may still come; only then the others are somebody's to look at.
            waiting = [each for each in wrong if isinstance(each, OriginalMissing)]
            raise waiting[0] if waiting and delivered.tries < TRIES_MAX else wrong[0]
        return ", ".join(dict.fromkeys(came_to)) or "NOTHING"

    def _source(self, delivered: Delivered) -> SourceOpened:
        """As it is open now. Raises NotUnderstood: it was closed before this was read."""
        source = office(self.node.centre(delivered.region)).sources.get(delivered.source)
        if source is None:
            raise NotUnderstood("SOURCE_CLOSED", "the source is not open any more")
        return source

    def _wait(self, delivered: Delivered, at: datetime) -> None:
        if delivered.tries >= TRIES_MAX:
            self.inbox.quarantine(
                delivered.id, "ORIGINAL_UNKNOWN", "about a message that never came", at=at
            )
        else:
            self.inbox.try_later(delivered.id, at=at, after=PAUSE * 2**delivered.tries)


@dataclass
class Told:
    """One fact of a delivery."""

    intake: Intake
    source: SourceOpened
    delivered: Delivered
    number: int
    at: datetime

    @property
    def centre(self) -> Centre:
        return self.intake.node.centre(self.source.region)

    def take(self, fact: Fact) -> str:
        match fact:
            case Posted():
                return self._posted(fact)
            case Edited():
                return self._edited(fact)
            case Deleted():
                return self._deleted(fact)
            case Ignored(reason=reason):
                return f"IGNORED {reason}"

    def _posted(self, post: Posted) -> str:
        known = self._find(post.external_id)
        if known is not None:
            return self._repeated(known, post)
        thread = self._find(post.answers) if post.answers else None
        if thread is not None and self._continues(thread, post):
            return self._add(thread, post)
        return self._capture(post)

    def _repeated(self, known: Found, post: Posted) -> str:
        """It came before; what was broken off then is done now."""
        if not known.ours and self.intake.memory.author_of(known.incident_id) is None:
            self._compare(known.incident_id, post, self._read(post))
        return REPEATED

    def _continues(self, thread: Found, post: Posted) -> bool:
        """Whether who writes below goes on with that incident: answers us, or wrote it.

        What is done is not gone on with: the message is a new one, and somebody looks at it.
        """
        centre = self.intake.node.centre(thread.region)
        if centre.incident(thread.incident_id).status not in GOING_ON:
            return False
        author = self.intake.memory.author_of(thread.incident_id)
        same = author == self.intake.memory.vault.fingerprint(b"author:" + post.author_key.encode())
        return thread.ours or same

    def _add(self, thread: Found, post: Posted) -> str:
        centre = self.intake.node.centre(thread.region)
        incident = centre.incident(thread.incident_id)
        while incident.merged is not None:
            incident = centre.incident(incident.merged.into)
        add = c.AddMessage(
            channel=self.source.channel,
            external_id=self._scoped(post.external_id),
            source=self.source.code,
            published_at=post.published_at,
            citizen=_citizen(post),
        )
        # The answer first: once the message is known, nobody comes back here.
        if incident.status is Status.AWAITING_CITIZEN:
            answer = c.ReceiveClarification(answer=post.text)
            self._handle(centre, incident.id, answer, "answer")
        try:
            self._handle(centre, incident.id, add, "add")
        except DuplicateMessage:
            return REPEATED
        return "ADDED"

    def _capture(self, post: Posted) -> str:
        reading = self._read(post)
        capture = c.Capture(
            municipality=post.municipality,
            channel=self.source.channel,
            external_id=self._scoped(post.external_id),
            source=self.source.code,
            kind=post.kind or reading.kind or Kind.COMPLAINT,
            regime=post.regime or self.source.regime,
            published_at=min(post.published_at, self.at),
            latitude=post.latitude,
            longitude=post.longitude,
            citizen=_citizen(post),
        )
        topic = post.topic or self.source.topic
        then = sorted_out(
            reading, capture, topic, self.intake.routing, self.source.region, at=self.at
        )
        try:
            result = self.centre.capture(
                capture, command_id=self._id("capture"), at=self.at, by=SYSTEM, then=tuple(then)
            )
        except DuplicateMessage:
            return REPEATED
        self._compare(result.incident_id, post, reading)
        return "CAPTURED"

    def _read(self, post: Posted) -> Reading:
        zone = self.intake.node.catalogue.zone_of(self.source.region, self.source.municipality)
        return self.intake.reader.read(
            post.text,
            self.source.region,
            on=self.at.astimezone(zone).date(),
            posted_in=post.municipality or self.source.municipality,
            point=_point(post),
        )

    def _compare(self, incident_id: UUID, post: Posted, reading: Reading) -> None:
        """Remember it; merge it with what is the same, or with a burst it belongs to."""
        incident, memory = self.centre.incident(incident_id), self.intake.memory
        new = memory.of(
            incident_id,
            post.text,
            post.author_key,
            written_at=self.at,
            topic=incident.topic,  # what nobody is sure of decides nothing
            municipality=incident.municipality,
            address=reading.address,
            point=_point(post),
        )
        # First remembered, then compared: of two at once at least one sees the other.
        memory.keep(self.source.region, new)
        recent = memory.recent(self.source.region, self.at)
        if incident.regime is not Regime.IM:
            return  # each appeal has an answer of its own
        for other in _of_the_same_text(new, recent):
            first, later = sorted((new, other), key=_age)
            if self._merge(later.incident, first.incident) and later is new:
                return
        self._merge_burst(burst_of(new, recent))

    def _merge(self, incident_id: UUID, into: UUID) -> bool:
        other = self.centre.incident(into)
        into = other.merged.into if other.merged else into
        try:
            self._handle(self.centre, incident_id, c.Merge(into=into), f"merge {incident_id}")
        except DomainError:
            return False  # the other is done, or went elsewhere meanwhile
        return True

    def _merge_burst(self, burst: Sequence[UUID]) -> None:
        """One topic in one place, again and again: one incident, and an urgent one."""
        still_open = [each for each in burst if self.centre.incident(each).status in OPEN]
        if len(burst) < MASS_MESSAGES or len(still_open) < 2:
            return
        first, *others = still_open
        for other in others:
            self._merge(other, first)
        urgent = c.Prioritize(priority=Priority.HIGH, reason=PriorityReason.MASS)
        with suppress(DomainError):  # it is urgent already
            ask(self.centre, first, urgent, command_id=uuid5(first, "mass"), at=self.at)

    def _edited(self, edit: Edited) -> str:
        came_to, found = "EDITED", self._find(edit.external_id)
        if found is None and edit.message is not None:
            came_to = self._posted(edit.message)
            # When it was changed stands in the log too: an earlier change may come later.
            found = self._find(edit.external_id)
        if found is None:
            raise OriginalMissing
        if found.ours:
            return "IGNORED OURS"
        centre = self.intake.node.centre(found.region)
        changed = c.EditMessage(
            channel=self.source.channel,
            external_id=self._scoped(edit.external_id),
            edited_at=min(edit.edited_at, self.at),
            text=edit.text,
        )
        self._handle(centre, found.incident_id, changed, "edit")
        return came_to

    def _deleted(self, deletion: Deleted) -> str:
        found = self._find(deletion.external_id)
        if found is None:
            if self.delivered.tries >= TRIES_MAX:
                return "IGNORED UNKNOWN"  # of what we never heard of nothing is lost
            raise OriginalMissing
        of = c.NoteDeletedReply if found.ours else c.DeleteMessage
        command = of(
            channel=self.source.channel,
            external_id=self._scoped(deletion.external_id),
            deleted_at=min(deletion.deleted_at, self.at),
        )
        centre = self.intake.node.centre(found.region)
        self._handle(centre, found.incident_id, command, "delete")
        return "DELETED"

    def _handle(self, centre: Centre, incident_id: UUID, command: c.Command, step: str) -> None:
        ask(centre, incident_id, command, command_id=self._id(step), at=self.at)

    def _find(self, external_id: str) -> Found | None:
        row = self.centre.row(
            """
            SELECT region,
                   incident_id,
                   ours
              FROM message_key
             WHERE channel = %s
               AND external_id = %s
            """,
            self.source.channel,
            self._scoped(external_id),
        )
        return Found(*row) if row else None

    def _scoped(self, external_id: str) -> str:
        return scoped(self.source.channel, self.source.code, external_id)

    def _id(self, step: str) -> UUID:
        """The same however often the delivery is taken in."""
        return uuid5(NAMESPACE_OID, f"{self.delivered.id} {self.number} {step}")


def read_facts(source: SourceOpened, delivered: Delivered) -> list[Fact | NotUnderstood]:
    """What a platform tells. Raises NotUnderstood for a body that is none of its own."""
    body, received_at = delivered.body, delivered.received_at
    if source.channel == "TELEGRAM" and source.address.lstrip("-").isdecimal():
        # In a group the centre's own people write in the name of its channel.
        return [*telegram.facts(body, received_at=received_at, ours={int(source.address)})]
    return [*READ.get(source.channel, signed.facts)(body, received_at=received_at)]


def scoped(channel: str, source: str, external_id: str) -> str:
    """Ids of a platform are one source's, but those of VK's walls, which name their owner."""
    if channel == "VK" and external_id.startswith("wall"):
        return external_id
    return f"{source}:{external_id}"


def _of_the_same_text(new: Remembered, recent: Sequence[Remembered]) -> list[Remembered]:
    """The likeliest first. The same words about another place are another matter."""
    others = {each.incident: each for each in recent if not _is_elsewhere(each, new)}
    latest = max((each.written_at for each in recent), default=new.written_at)
    return [
        others[suggestion.incident]
        for suggestion in suggestions(new, others.values(), now=latest)
        if LikenessReason.SAME_TEXT in suggestion.reasons
    ]


def _age(message: Remembered) -> tuple[datetime, UUID]:
    return message.written_at, message.incident


def burst_of(new: Remembered, recent: Sequence[Remembered]) -> list[UUID]:
    """Those of one topic near `new` within an hour, itself among them; the first comes first."""
    same = {
        each.incident: each
        for each in (*recent, new)
        if each.topic is not None
        and each.topic == new.topic
        and abs(new.written_at - each.written_at) <= MASS_WINDOW
        and _is_close(each, new)
    }
    return [each.incident for each in sorted(same.values(), key=_age)]


def _is_elsewhere(one: Remembered, other: Remembered) -> bool:
    """Whether both places are known, and not the same. Addresses are not read that surely."""
    if one.point is not None and other.point is not None:
        return metres_between(one.point, other.point) > MASS_METRES
    return None not in (one.municipality, other.municipality) and (
        one.municipality != other.municipality
    )


def _is_close(one: Remembered, other: Remembered) -> bool:
    if one.point is not None and other.point is not None:
        return metres_between(one.point, other.point) <= MASS_METRES
    same_place = one.municipality is not None and one.municipality == other.municipality
    return same_place and one.address is not None and one.address == other.address


def _point(post: Posted) -> tuple[float, float] | None:
    if post.latitude is None or post.longitude is None:
        return None
    return post.latitude, post.longitude


def _citizen(post: Posted) -> c.Citizen:
    return c.Citizen(
        name=post.author, contact=post.contact, text=post.text, reply_to=str(post.place)
    )
