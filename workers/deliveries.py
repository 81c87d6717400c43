"""Replies on their way to their authors: each reaches its platform once, or a person is told why.

A delivery is noted as begun before the platform is called. Whoever finds one begun does not know
whether it arrived: where the platform recognises a repeated call, it is called again; where our own
replies can be read, they are looked through first; where neither is possible, a person must look.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID, uuid5

import msgspec
import psycopg

from domain import commands as c
from domain import events as e
from domain.errors import CommandIdReused, DomainError, VersionConflict
from domain.identifiers import new_id
from domain.rights import SYSTEM
from domain.vocabulary import DeliveryFailure
from regions.centre import Centre
from regions.node import Node
from regions.store.event_store import decode_event, unavailable
from regions.store.jobs import job
from workers.asking import ask
from workers.intake import scoped
from workers.platforms.clients import Client, Postponed, RefusalReason, Refused, Uncertain

DELIVER = "deliver"  # the actor
AGAIN_SECONDS = 1.0  # after an uncertain end, before it is looked for


class Message(NamedTuple):
    """One of the messages a reply is for."""

    id: UUID
    incident_id: UUID  # in whose stream it stands
    channel: str
    source: str | None
    citizen: e.Sealed | None
    sealed_by: type[c.Command]


class Delivery(NamedTuple):
    """A row of the table, as it was before this attempt."""

    id: UUID
    region: str
    incident_id: UUID
    draft: int
    message: UUID
    channel: str
    source: str
    begun: bool  # by somebody who never said how it ended


@dataclass
class Deliveries:
    node: Node
    client_of: Callable[[str, str], Client | None]  # by channel and source; None: not connected

    def plan(self, region: str, incident_id: UUID, version: int, *, at: datetime) -> None:
        """A delivery for each author of the approved draft who wrote on a connected source."""
        centre = self.node.centre(region)
        draft = centre.incident(incident_id).cycle.draft
        if draft is None or not draft.approved:
            return
        connected = [
            message
            for message in messages_of(centre, incident_id)
            if message.source and self.client_of(message.channel, message.source)
        ]
        # All or none: once the first has arrived, the draft is no longer one.
        with self._connection() as connection, connection.transaction():
            for message in connected:
                self._note(connection, centre, incident_id, draft.version, message, at)

    def _note(
        self,
        connection: psycopg.Connection,
        centre: Centre,
        incident_id: UUID,
        draft: int,
        message: Message,
        at: datetime,
    ) -> None:
        delivery_id = new_id(at)
        work = job(DELIVER, str(delivery_id), available_at=at)
        connection.execute(
            """
              WITH noted AS (
                   INSERT INTO delivery (id, region, incident_id, draft, message, channel, source)
                   VALUES (%s, %s, %s, %s, %s, %s, %s)
                       ON CONFLICT ON CONSTRAINT delivery_once DO NOTHING
                RETURNING id
                   )
            INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
            SELECT %s, %s, 'queued', %s::jsonb, %s
              FROM noted
            """,
            [
                *(delivery_id, centre.region.code, incident_id, draft, message.id),
                *(message.channel, message.source),
                *(work.message_id, work.queue, work.body.decode(), work.available_at),
            ],
        )

    def deliver(self, delivery_id: UUID, *, at: Callable[[], datetime]) -> None:
        """Bring one to its end, or put it off. Raises StoreUnavailable.

        While this runs nobody else is at it: a lock of our session says so, and ends with us.
        """
        with self.node.pool.connection() as connection:
            key = int.from_bytes(delivery_id.bytes[8:], signed=True)
            # Waited for, not passed by: who holds it may just have put off what this job is for.
            connection.execute("SELECT pg_advisory_lock(%s)", [key])
            try:
                self._deliver(delivery_id, at)
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", [key])

    def _deliver(self, delivery_id: UUID, at: Callable[[], datetime]) -> None:
        delivery = self._begin(delivery_id)
        if delivery is None:
            return
        client = self.client_of(delivery.channel, delivery.source)
        centre = self.node.centre(delivery.region)
        if delivery.begun and self._told(delivery):  # only the last words were missing
            self._publish_draft(centre, delivery, None, at())
            self._settle(delivery, "SENT", None, None)
            return
        try:
            if client is None:
                raise Refused(RefusalReason.CHANNEL_UNAVAILABLE, "the source is not connected")
            content = self._content(centre, delivery)
            if content is None:
                self._settle(delivery, "FAILED", None, "TAKEN_OUT")
                return
            place, text = content
            published = _publish(client, delivery, place, text)
            external_id = scoped(delivery.channel, delivery.source, published)
        except Refused as refusal:
            self._fail(centre, delivery, DeliveryFailure(refusal.reason.value), at())
        except Postponed as pause:
            # What may have been sent before this attempt is still to be looked for.
            self._put_off(delivery, at(), pause.after_seconds, begun=delivery.begun)
        except Uncertain:
            self._put_off(delivery, at(), AGAIN_SECONDS, begun=True)
        except _NobodyCanTell:
            self._fail(centre, delivery, DeliveryFailure.UNCERTAIN, at())
        else:
            self._succeed(centre, delivery, external_id, at())

    def _told(self, delivery: Delivery) -> bool:
        """Whether the log already says that it arrived."""
        told = [uuid5(delivery.id, what) for what in ("arrived", "noted")]
        rows = self._execute("SELECT 1 FROM command_result WHERE command_id = ANY (%s)", [told])
        return bool(rows)

    def _begin(self, delivery_id: UUID) -> Delivery | None:
        """Count the attempt and note that it is under way; None if it has come to its end."""
        rows = self._execute(
            """
            UPDATE delivery
               SET state = 'SENDING',
                   attempts = attempts + 1,
                   changed_at = clock_timestamp()
              FROM (SELECT id,
                           state
                      FROM delivery
                     WHERE id = %s
                       FOR UPDATE) AS before
             WHERE delivery.id = before.id
               AND before.state IN ('WAITING', 'SENDING')
            RETURNING delivery.id,
                      region,
                      incident_id,
                      draft,
                      message,
                      channel,
                      source,
                      before.state = 'SENDING'
            """,
            [delivery_id],
        )
        return Delivery(*rows[0]) if rows else None

    def _content(self, centre: Centre, delivery: Delivery) -> tuple[str, str] | None:
        """Where the author is answered, and the text; None if the message is another incident's.

        Raises Refused once either is erased.
        """
        messages = messages_of(centre, delivery.incident_id)
        message = next((m for m in messages if m.id == delivery.message), None)
        if message is None:
            return None
        citizen = _opened(centre, message.incident_id, message.citizen, message.sealed_by)
        (stored,) = centre.recorder.select_events(
            delivery.incident_id, gt=delivery.draft - 1, lte=delivery.draft
        )
        drafted = decode_event(stored.topic, stored.state)
        sealed_by = c.SubmitReply if isinstance(drafted, e.ReplySubmitted) else c.DraftReply
        text = _opened(centre, delivery.incident_id, getattr(drafted, "text", None), sealed_by)
        if citizen is None or text is None:
            raise Refused(RefusalReason.CHANNEL_UNAVAILABLE, "the personal data was erased")
        place = msgspec.json.decode(citizen, type=c.Citizen).reply_to
        if place is None:
            raise Refused(RefusalReason.CHANNEL_UNAVAILABLE, "nobody knows where")
        return place, msgspec.json.decode(text, type=str)

    def _succeed(self, centre: Centre, delivery: Delivery, external_id: str, at: datetime) -> None:
        """The event first: repeated, it finds itself; the row last, for it ends the delivery."""
        noted = c.NoteDelivery(
            draft=delivery.draft,
            message=delivery.message,
            channel=delivery.channel,
            external_id=external_id,
        )
        if delivery.channel != centre.incident(delivery.incident_id).channel:
            # Who goes on below it is found by the name it has on its own channel.
            self._tell(centre, delivery, noted, at, "noted")
            self._publish_draft(centre, delivery, None, at)
        elif not self._publish_draft(centre, delivery, external_id, at):
            self._tell(centre, delivery, noted, at, "noted")
        self._settle(delivery, "SENT", external_id, None)

    def _publish_draft(
        self, centre: Centre, delivery: Delivery, external_id: str | None, at: datetime
    ) -> bool:
        """Whoever arrives first makes the draft a published reply; whether it was this one."""
        while True:
            incident = centre.incident(delivery.incident_id)
            draft = incident.cycle.draft
            if draft is None or not draft.approved or draft.version != delivery.draft:
                return False
            publish = c.PublishReply(
                kind=draft.kind, channel=incident.channel, external_id=external_id
            )
            try:
                centre.handle(
                    delivery.incident_id,
                    publish,
                    command_id=uuid5(delivery.id, "arrived"),
                    at=at,
                    by=SYSTEM,
                    expected_version=incident.version,
                )
            except VersionConflict:
                continue  # another may have arrived meanwhile
            except DomainError:
                return False  # the incident has gone on without it
            return True

    def _fail(
        self, centre: Centre, delivery: Delivery, reason: DeliveryFailure, at: datetime
    ) -> None:
        command = c.NoteFailedDelivery(
            draft=delivery.draft, message=delivery.message, channel=delivery.channel, reason=reason
        )
        self._tell(centre, delivery, command, at, "failed")
        self._settle(delivery, "FAILED", None, reason)

    def _tell(
        self, centre: Centre, delivery: Delivery, command: c.Command, at: datetime, what: str
    ) -> None:
        """Once: told before, in this or in other words, it stays as it was told."""
        with suppress(CommandIdReused):
            ask(
                centre,
                delivery.incident_id,
                command,
                command_id=uuid5(delivery.id, what),
                at=at,
            )

    def _put_off(
        self, delivery: Delivery, at: datetime, after_seconds: float, *, begun: bool
    ) -> None:
        work = job(DELIVER, str(delivery.id), available_at=at + timedelta(seconds=after_seconds))
        self._execute(
            """
              WITH put_off AS (
                   UPDATE delivery
                      SET state = %s,
                          changed_at = clock_timestamp()
                    WHERE id = %s
                RETURNING id
                   )
            INSERT INTO dramatiq.queue (message_id, queue_name, state, message, available_at)
            SELECT %s, %s, 'queued', %s::jsonb, %s
              FROM put_off
            """,
            [
                "SENDING" if begun else "WAITING",
                delivery.id,
                *(work.message_id, work.queue, work.body.decode(), work.available_at),
            ],
        )

    def _settle(
        self, delivery: Delivery, state: str, external_id: str | None, reason: str | None
    ) -> None:
        self._execute(
            """
            UPDATE delivery
               SET state = %s,
                   external_id = coalesce(%s, external_id),
                   reason = %s,
                   changed_at = clock_timestamp()
             WHERE id = %s
            """,
            [state, external_id, reason, delivery.id],
        )

    def _execute(self, statement: LiteralString, parameters: list[Any]) -> list[tuple[Any, ...]]:
        with self._connection() as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            with self.node.pool.connection() as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise unavailable(error) from error


class _NobodyCanTell(Exception):
    """It was begun, and neither the platform nor we can say whether it arrived."""


def _publish(client: Client, delivery: Delivery, place: str, text: str) -> str:
    """The reply's id there. What was begun before is looked for first, where that is possible."""
    if delivery.begun and not client.repeats_safely:
        if not client.finds:
            raise _NobodyCanTell
        found = client.find(place, text, delivery.id)
        if found is not None:
            return found
    return client.publish(place, text, delivery.id)


def messages_of(centre: Centre, incident_id: UUID) -> list[Message]:
    """Every message that the incident answers, those of incidents merged into it included."""
    found: list[Message] = []
    others: dict[UUID, None] = {}
    for stored in centre.recorder.select_events(incident_id):
        event = decode_event(stored.topic, stored.state)
        match event:
            case e.MessageCaptured():
                found.append(_message(incident_id, incident_id, event, event.source, c.Capture))
            case e.IncidentRegistered() if stored.originator_version == 1:
                found.append(_message(incident_id, incident_id, event, None, c.Register))
            case e.MessageAdded():
                added = _message(event.message, incident_id, event, event.source, c.AddMessage)
                found.append(added)
            case e.MessagesTaken():
                others[event.of] = None
            case e.MessagesGivenBack():
                others.pop(event.of, None)
    return [*found, *(message for other in others for message in messages_of(centre, other))]


def _message(
    message_id: UUID, incident_id: UUID, event: Any, source: str | None, by: type[c.Command]
) -> Message:
    return Message(message_id, incident_id, event.channel, source, event.citizen, by)


def _opened(
    centre: Centre, incident_id: UUID, sealed: e.Sealed | None, by: type[c.Command]
) -> bytes | None:
    return centre.open(incident_id, sealed, by) if sealed else None
