"""The centre of one region: takes commands, checks them, records what happens.

A command is answered once. Its id is stored with its result by the statement that stores its
events; whoever asks again, because the answer was lost or a button pressed twice, gets that result.
"""

import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple, TypeVar
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory, Mapper
from eventsourcing.utils import Environment, EnvType
from psycopg_pool import ConnectionPool

from domain import commands as c
from domain.commands import CLOCK_SKEW_MAX, Command, Register, check_date
from domain.deadlines import NO_TERMS, Terms
from domain.decisions import capture, decide, register
from domain.errors import (
    CommandIdReused,
    DomainError,
    DuplicateMessage,
    IncidentNotFound,
    NotPermitted,
    RegionElsewhere,
    SameIncident,
    VersionConflict,
)
from domain.events import PersonalDataErased, Sealed
from domain.identifiers import new_id
from domain.incident import Incident
from domain.lifecycle import transition_of
from domain.office import CrisisDeclared, CrisisLifted, OfficeCommand, office_id
from domain.publications import PublishRanking
from domain.rights import NETWORK, Actor, Scope, check_right
from domain.vocabulary import ReplyAuthor
from regions.reference.catalogue import Catalogue
from regions.reference.reply_texts import text_fingerprint
from regions.reference.templates import Template
from regions.store.event_store import (
    Alongside,
    AlreadyRecorded,
    CommandRecord,
    EventMapper,
    MessageRepeated,
    RegionFactory,
    StoreUnavailable,
    decode_event,
    unavailable,
)
from regions.store.jobs import jobs_of
from regions.store.vault import SubjectKey, Vault, seal, unseal

RETRY_SECONDS = 10.0  # a restart of PostgreSQL usually takes less, crash recovery included


class Position(NamedTuple):
    """A place in a region's sequence of events; what `readAfter` takes."""

    region: str
    pos: int

    def __str__(self) -> str:
        return f"{self.region}:{self.pos}"


class Result(NamedTuple):
    """What a command led to."""

    incident_id: UUID
    version: int
    position: Position


class Opening(NamedTuple):
    """Something sealed, and which command sealed it in which incident."""

    incident_id: UUID
    sealed: Sealed
    of: type[Command]


Answer = TypeVar("Answer")


class Centre(Application[UUID]):
    """One region's application of the eventsourcing library, on the pool all centres share."""

    name = "centre"

    def __init__(
        self,
        region: str,
        pool: ConnectionPool,
        catalogue: Catalogue,
        vault: Vault,
        terms: Terms = NO_TERMS,
        templates: Collection[Template] = (),
        others: Collection[str] = (),
    ) -> None:
        """`others`: the regions of other nodes, to which incidents are handed over."""
        self.region = catalogue.network if region == NETWORK else catalogue.region(region)
        self.pool = pool
        self.catalogue = catalogue
        self.vault = vault
        self.terms = terms
        self.templates = templates
        self.others = others
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        # Settings come from regions.settings; the library would read all of os.environ.
        return Environment(name, env)

    def construct_factory(self, env: Environment) -> InfrastructureFactory:
        return RegionFactory(self.pool, self.region.code)

    def construct_mapper(self) -> Mapper[UUID]:
        return self.factory.mapper(mapper_class=EventMapper)

    def register(self, command: Register, *, command_id: UUID, at: datetime, by: Actor) -> Result:
        """Make a citizen's message an incident. Raises InvalidInput, or DuplicateMessage."""
        return self.capture(command, command_id=command_id, at=at, by=by)

    def capture(
        self,
        command: c.Capture | Register,
        *,
        command_id: UUID,
        at: datetime,
        by: Actor,
        then: Sequence[Command] = (),
        taken_from: UUID | None = None,
    ) -> Result:
        """Take a citizen's message in, and give further commands in the same breath.

        All of it is recorded, or nothing. `taken_from` is the incident of another region that hands
        the message over. Raises InvalidInput, RuleBroken, or DuplicateMessage.
        """
        fingerprint = self.fingerprint(command)
        incident_id = new_id(at)

        def attempt() -> Result:
            for each in (command, *then):
                self.check(each, at)
            self._check_right(by, command, None)
            alongside, terms = Alongside(), self.terms_now()
            incident = self.begin(
                incident_id, command, at=at, by=by, alongside=alongside, terms=terms
            )
            for each in then:
                self._check_right(by, each, incident)
                self.proceed(incident, each, at=at, by=by, alongside=alongside, terms=terms)
            if taken_from is not None:
                alongside.taken_messages = [(*key, taken_from) for key in alongside.messages]
                alongside.messages = []
            return self._save(incident, command_id, fingerprint, alongside)

        return self.once(command, command_id, fingerprint, by, attempt)

    def handle(
        self,
        incident_id: UUID,
        command: Command,
        *,
        command_id: UUID,
        at: datetime,
        by: Actor,
        expected_version: int | None = None,
    ) -> Result:
        """Ask something of an incident.

        Raises InvalidInput, IncidentNotFound, NotPermitted, RuleBroken, and VersionConflict when
        somebody else changed the incident meanwhile or it is not at `expected_version`.
        """
        fingerprint = self.fingerprint(command, incident_id)

        def attempt() -> Result:
            self.check(command, at)
            alongside = Alongside()
            incident = self._reached(by, command, incident_id)
            other = self._other(by, command, incident)
            if expected_version is not None and incident.version != expected_version:
                raise VersionConflict
            moment = _abreast(_abreast(at, incident.last_at), other.last_at if other else None)
            self.proceed(
                incident,
                command,
                at=moment,
                by=by,
                alongside=alongside,
                other=other,
                terms=self.terms_now(),
            )
            return self._save(incident, command_id, fingerprint, alongside, other)

        return self.once(command, command_id, fingerprint, by, attempt, incident_id)

    def incident(self, incident_id: UUID) -> Incident:
        """The incident as its events tell it. Raises IncidentNotFound."""
        try:
            if incident_id == office_id(self.region.code):
                raise AggregateNotFoundError  # that stream is the centre's own
            incident: Incident = self.repository.get(incident_id)
        except AggregateNotFoundError:
            raise IncidentNotFound(incident=incident_id, region=self.region.code) from None
        return incident

    def terms_now(self) -> Terms:
        """The terms of the region; while a crisis goes on, those for it."""
        row = self.row(
            """
            SELECT topic,
                   payload::text
              FROM events
             WHERE region = %s
               AND originator_id = %s
               AND topic = ANY (%s)
             ORDER BY originator_version DESC
             LIMIT 1
            """,
            self.region.code,
            office_id(self.region.code),
            [CrisisDeclared.TOPIC, CrisisLifted.TOPIC],
        )
        last = decode_event(*row) if row else None
        if isinstance(last, CrisisDeclared):
            return self.terms.in_crisis(last.topic_groups, last.municipality)
        return self.terms

    def check(self, command: Command, at: datetime) -> None:
        """Raises InvalidInput for a field out of bounds or a code the catalogue does not know.

        Also RegionElsewhere for one to which nothing can be transferred from here.
        """
        check_date("at", at)
        command.check(at)
        region = self.region.code
        match command:
            case (
                Register(municipality=str(place))
                | c.Capture(municipality=str(place))
                | c.RegisterCaptured(municipality=str(place))
                | c.Relocate(municipality=place)
            ):
                self.catalogue.municipality(place, region=region)
            case c.TransferOut(to_region=other):
                self.catalogue.region(other)
                self._check_taken(other)
            case c.Classify(topic=topic) | c.Reclassify(topic=topic):
                self.catalogue.topic(topic)
            case c.Assign(organisation=body) | c.Reassign(organisation=body):
                self.catalogue.organisation(body, region=region)
            case c.Return(suggested_organisation=str(body)):
                self.catalogue.organisation(body, region=region, field="suggestedOrganisation")
        match command:
            case (
                Register()
                | c.Capture()
                | c.AddMessage()
                | c.ContactCitizen()
                | c.PublishReply(channel=str())
            ):
                self.catalogue.channel(command.channel or "")

    def _check_taken(self, region: str) -> None:
        """Raises RegionElsewhere for one that is neither here nor in a node that is known."""
        if (
            region not in self.others
            and self.row("SELECT FROM region_head WHERE region = %s", region) is None
        ):
            raise RegionElsewhere(region=region)

    def begin(
        self,
        incident_id: UUID,
        command: Register | c.Capture,
        *,
        at: datetime,
        by: Actor,
        alongside: Alongside,
        terms: Terms | None = None,
    ) -> Incident:
        """The incident, or message, that a checked command begins; not saved yet."""
        sealed = self._seal(incident_id, None, command, alongside)
        if command.external_id is not None:
            alongside.messages.append((command.channel, command.external_id, incident_id))
        region = self.region.code
        if isinstance(command, c.Capture):
            return capture(incident_id, region, command, at=at, by=by, sealed=sealed)
        terms = terms or self.terms
        return register(incident_id, region, command, at=at, by=by, sealed=sealed, terms=terms)

    def proceed(
        self,
        incident: Incident,
        command: Command,
        *,
        at: datetime,
        by: Actor,
        alongside: Alongside,
        taken_over: bool = False,
        other: Incident | None = None,
        terms: Terms | None = None,
    ) -> None:
        """Put a checked command to the incident; not saved yet. Raises RuleBroken.

        `taken_over`, `other`: see domain/decisions.py.
        """
        if isinstance(command, c.AddMessage) and command.external_id is not None:
            alongside.messages.append((command.channel, command.external_id, incident.id))
        if isinstance(command, c.PublishReply | c.NoteDelivery) and command.external_id is not None:
            channel = command.channel or incident.channel
            alongside.replies.append((channel, command.external_id, incident.id))
        sealed = self._seal(incident.id, incident.subject, command, alongside)
        decide(
            incident,
            command,
            at=at,
            by=by,
            sealed=sealed,
            terms=terms or self.terms,
            taken_over=taken_over,
            other=other,
            text_fingerprint=self._text_fingerprint(command),
        )
        last = incident.pending[-1].event
        if isinstance(last, PersonalDataErased):
            alongside.destroyed_keys.append(last.subject)

    def _reached(self, by: Actor, command: Command, incident_id: UUID) -> Incident:
        """The incident, if the command is theirs to give there.

        Raises NotPermitted, and IncidentNotFound only to whom any incident of the region is open:
        others are not told whether there is one.
        """
        try:
            incident = self.incident(incident_id)
        except IncidentNotFound:
            if by.scope.contains(Scope(self.region.code)):
                raise
            raise NotPermitted from None
        self._check_right(by, command, incident)
        return incident

    def _check_right(self, by: Actor, command: Command, incident: Incident | None) -> None:
        """Raises NotPermitted; `incident` is None for one that is to begin."""
        check_right(
            by,
            transition_of(command).roles,
            region=self.region.code,
            municipality=(
                incident.municipality if incident else getattr(command, "municipality", None)
            ),
            organisation=incident.organisation if incident else None,
            topic=incident.topic if incident else getattr(command, "topic", None),
        )

    def _other(self, by: Actor, command: Command, incident: Incident) -> Incident | None:
        """The second incident of a command that has one.

        Raises SameIncident, and what `_reached` raises.
        """
        match command:
            case c.Link(to=named):
                field = "to"
            case c.Merge(into=named):
                field = "into"
            case c.Unmerge() if incident.merged is not None:
                named, field = incident.merged.into, "incidentId"
            case _:
                return None
        if named == incident.id:
            raise SameIncident(field=field)
        other = self._reached(by, command, named)
        return None if isinstance(command, c.Link) else other

    def note_opening(self, by: Actor, of: type[Command], incident_id: UUID) -> None:
        """Write down who opens what a command sealed, before they do. Raises StoreUnavailable."""
        self.note(by, of.NAME, incident_id, "OPENED")

    def note(self, by: Actor, action: str, incident_id: UUID | None, outcome: str) -> None:
        """Write a line of the access log. Raises StoreUnavailable."""
        try:
            with self.pool.connection() as connection:
                connection.execute(
                    """
                    INSERT INTO access_log (region, actor, role, action, incident_id, outcome)
                    VALUES (%s, %s, %s, %s, %s, %s)
                    """,
                    [self.region.code, by.name, by.role, action, incident_id, outcome],
                )
        except psycopg.OperationalError as error:
            raise unavailable(error) from error

    def _save(
        self,
        incident: Incident,
        command_id: UUID,
        fingerprint: bytes,
        alongside: Alongside,
        other: Incident | None = None,
    ) -> Result:
        own = len(incident.pending)
        at = incident.pending[-1].event.occurred_at
        alongside.outbox += jobs_of(self.region.code, incident, at=at)
        alongside.commands.append(
            CommandRecord(command_id, fingerprint, incident.id, incident.version, own)
        )
        both = (incident, other) if other is not None else (incident,)
        recordings = self.save(*both, alongside=alongside)
        position = Position(self.region.code, recordings[own - 1].notification.id)
        return Result(incident.id, incident.version, position)

    def once(
        self,
        command: Command | OfficeCommand | PublishRanking,
        command_id: UUID,
        fingerprint: bytes,
        by: Actor,
        attempt: Callable[[], Result],
        of: UUID | None = None,
    ) -> Result:
        """Run `attempt`; if it fails because the command was recorded before, give that result.

        A lost answer leaves open whether the events were stored. Asking again settles it: the
        insert of the same command id waits for a commit still under way, then conflicts with it.
        Who is refused for want of the right is written down, with the incident `of` the command.
        """
        try:
            return self.patiently(attempt)
        except NotPermitted:
            # Their own command may have put the incident out of their reach: returned, relocated.
            # Somebody else's result is not for them.
            own = self.patiently(lambda: self._own_result(command_id, fingerprint, by))
            if own is None:
                self.note(by, command.NAME, of, "REFUSED")
                raise
            return own
        except (DomainError, AlreadyRecorded) as refusal:
            earlier = self.patiently(lambda: self._earlier_result(command_id, fingerprint))
            if earlier is not None:
                return earlier
            if isinstance(refusal, MessageRepeated) and isinstance(
                command, Register | c.Capture | c.AddMessage
            ):
                raise self._duplicate(command, by) from None
            if isinstance(refusal, AlreadyRecorded):
                raise VersionConflict from None
            raise

    def patiently(self, attempt: Callable[[], Answer]) -> Answer:
        """Try again while the database is away, for RETRY_SECONDS. Raises StoreUnavailable."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                return attempt()
            except StoreUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # seconds; the pool replaces its dead connections meanwhile

    def result_of(self, command_id: UUID) -> Result | None:
        """What the command of this id led to, in whatever words it was given; None: nothing yet.

        Raises StoreUnavailable.
        """
        stored = self.patiently(lambda: self._stored_result(command_id))
        return stored[0] if stored else None

    def _earlier_result(self, command_id: UUID, fingerprint: bytes) -> Result | None:
        """What the command led to before, or None. Raises CommandIdReused."""
        stored = self._stored_result(command_id)
        if stored is None:
            return None
        if stored[1] != fingerprint:
            raise CommandIdReused
        return stored[0]

    def _stored_result(self, command_id: UUID) -> tuple[Result, bytes] | None:
        """With the fingerprint of the command."""
        row = self.row(
            """
            SELECT incident_id,
                   version,
                   region,
                   pos,
                   fingerprint
              FROM command_result
             WHERE command_id = %s
            """,
            command_id,
        )
        if row is None:
            return None
        incident_id, version, region, pos, fingerprint = row
        return Result(incident_id, version, Position(region, pos)), fingerprint

    def _own_result(self, command_id: UUID, fingerprint: bytes, by: Actor) -> Result | None:
        """What this very command led to, if it was they who gave it."""
        row = self.row(
            """
            SELECT incident_id,
                   version,
                   pos
              FROM command_result
              JOIN events USING (region, pos)
             WHERE command_id = %s
               AND fingerprint = %s
               AND payload->>'actor' = %s
            """,
            command_id,
            fingerprint,
            by.name,
        )
        if row is None:
            return None
        incident_id, version, pos = row
        return Result(incident_id, version, Position(self.region.code, pos))

    def _duplicate(
        self, command: Register | c.Capture | c.AddMessage, by: Actor
    ) -> DuplicateMessage:
        """It names the incident to whom that is open; messages are told apart network-wide."""
        row = self.row(
            "SELECT region, incident_id FROM message_key WHERE channel = %s AND external_id = %s",
            command.channel,
            command.external_id,
        )
        named = row[1] if row and self._is_open_to(by, *row) else "of another scope"
        return DuplicateMessage(incident=named)

    def _is_open_to(self, by: Actor, region: str, incident_id: UUID) -> bool:
        if region != self.region.code:
            return by.scope.contains(Scope(region))
        found = self.incident(incident_id)
        return by.scope.covers(region, found.municipality, found.organisation, found.topic)

    def row(self, statement: LiteralString, *parameters: object) -> tuple[Any, ...] | None:
        """The first row of an answer, or None. Raises StoreUnavailable."""
        try:
            with self.pool.connection() as connection:
                return connection.execute(statement, parameters).fetchone()
        except psycopg.OperationalError as error:
            raise unavailable(error) from error

    def fingerprint(
        self, command: Command | OfficeCommand | PublishRanking, incident_id: UUID | None = None
    ) -> bytes:
        """By which a command that is repeated is told from another one under the same id."""
        return self.vault.fingerprint(msgspec.json.encode([self.region.code, incident_id, command]))

    def _seal(
        self,
        incident_id: UUID,
        subject: UUID | None,
        command: Command,
        alongside: Alongside,
    ) -> Sealed | None:
        """The command's private part under its subject's key, made now if there is none yet."""
        private = command.private()
        if private is None:
            return None
        key = self._new_key(alongside) if subject is None else self._key(subject, alongside)
        if key is None:
            raise VersionConflict  # erased between our reading and now
        return seal(key, private, bound_to=place(incident_id, type(command)))

    def _text_fingerprint(self, command: Command) -> bytes | None:
        """By which the text of a reply is known again, once nobody can read it."""
        match command:
            case c.PublishReply(author=ReplyAuthor.AUTO):
                return None  # nobody expects a machine to say something else each time
            case (
                c.DraftReply(text=str(text))
                | c.SubmitReply(text=str(text))
                | c.PublishReply(text=str(text))
            ):
                return text_fingerprint(text, self.vault.pepper(b"reply text"), self.templates)
        return None

    def _new_key(self, alongside: Alongside) -> SubjectKey:
        key = self.vault.new_key()
        alongside.new_keys.append((key.subject, key.wrapped))
        return key

    def _key(self, subject: UUID, alongside: Alongside | None = None) -> SubjectKey | None:
        """The subject's key, or None once it is destroyed; not saved yet, it is in `alongside`."""
        fresh = dict(alongside.new_keys) if alongside else {}
        if subject in fresh:
            return self.vault.unwrap(subject, fresh[subject])
        row = self.row("SELECT wrapped FROM subject_key WHERE subject = %s", subject)
        return self.vault.unwrap(subject, row[0]) if row else None

    def open(self, incident_id: UUID, sealed: Sealed, of: type[Command]) -> bytes | None:
        """What a command of type `of` sealed, or None once its subject is erased."""
        key = self._key(sealed.subject)
        return unseal(key, sealed, bound_to=place(incident_id, of)) if key else None

    def open_noted(self, by: Actor, wanted: Sequence[Opening]) -> list[bytes | None]:
        """Each as `open` does, all of it by one statement that writes down who looks as well.

        Raises StoreUnavailable.
        """
        try:
            with self.pool.connection() as connection:
                rows = connection.execute(
                    """
                    WITH noted AS (
                        INSERT INTO access_log (region, actor, role, action, incident_id, outcome)
                        SELECT %s, %s, %s, action, incident_id, 'OPENED'
                          FROM unnest(%s::text[], %s::uuid[]) AS opened (action, incident_id)
                    )
                    SELECT subject,
                           wrapped
                      FROM subject_key
                     WHERE subject = ANY (%s)
                    """,
                    [
                        *(self.region.code, by.name, by.role),
                        [each.of.NAME for each in wanted],
                        [each.incident_id for each in wanted],
                        [each.sealed.subject for each in wanted],
                    ],
                ).fetchall()
        except psycopg.OperationalError as error:
            raise unavailable(error) from error
        keys = {subject: self.vault.unwrap(subject, wrapped) for subject, wrapped in rows}
        return [
            unseal(keys[sealed.subject], sealed, bound_to=place(incident_id, of))
            if sealed.subject in keys
            else None
            for incident_id, sealed, of in wanted
        ]


def place(incident_id: UUID, of: type[Command]) -> bytes:
    """Where sealed content belongs: moved to another incident or event it does not open."""
    return f"{incident_id}:{of.NAME}".encode()


def _abreast(at: datetime, last_at: datetime | None) -> datetime:
    """`at`, or the incident's last moment where another node's clock is a little ahead of ours."""
    if last_at is not None and timedelta(0) < last_at - at <= CLOCK_SKEW_MAX:
        return last_at
    return at
