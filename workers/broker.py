"""The queue of jobs: PostgreSQL, or RabbitMQ fed from it, with attempts counted before the work.

A job that kills its worker comes again and again, for nobody is left to count its failures. So each
attempt is written down before it begins; the fifth that does not end well is the last, and an
operator is shown the job (`tsur jobs`).
"""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import dramatiq
import psycopg
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import compute_backoff
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import CurrentMessage, Middleware, SkipMessage
from dramatiq.middleware.age_limit import AgeLimit
from dramatiq.middleware.shutdown import ShutdownNotifications
from dramatiq.middleware.time_limit import TimeLimit
from dramatiq_postgres import PostgresBroker
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolClosed

from regions.store.jobs import job
from workers.platforms.clients import Postponed

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
BACKOFF_MILLISECONDS = (500, 5 * 60 * 1000)  # the first pause, and the longest
AWAY_SECONDS = 0.1  # between two tries while the database is away
POLL_SECONDS = 0.05  # between two looks at the queue; a look costs 0.2 ms
# A worker that says nothing for so long is dead, and its jobs are somebody else's.
HEARTBEAT = timedelta(seconds=2)
DEAD_AFTER = timedelta(seconds=8)
WORK_SECONDS_MAX = 60
STOP_SECONDS = 5


def postgres_broker(url: str, pool: ConnectionPool) -> PostgresBroker:
    """Jobs in the database itself: a save enqueues in its own transaction."""
    return PostgresBroker(
        url=conninfo_to_dict(url),  # of a URL it would make another, by rules that are not libpq's
        results=False,
        listen=False,
        notify=False,
        poll_interval=POLL_SECONDS,
        heartbeat_interval=HEARTBEAT.total_seconds(),
        heartbeat_ttl=DEAD_AFTER.total_seconds(),
        maintenance_interval=HEARTBEAT.total_seconds(),
        middleware=_middleware(pool),
    )


class QuorumBroker(RabbitmqBroker):
    """RabbitMQ with queues that survive the loss of a node, and confirmed sends."""

    def __init__(self, url: str, pool: ConnectionPool) -> None:
        super().__init__(url=url, confirm_delivery=True, middleware=_middleware(pool))

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        arguments: dict[str, Any] = super()._build_queue_arguments(  # type: ignore[no-untyped-call]
            queue_name
        )
        return arguments | {"x-queue-type": "quorum"}


def _middleware(pool: ConnectionPool) -> list[Middleware]:
    return [
        AgeLimit(),
        TimeLimit(time_limit=WORK_SECONDS_MAX * 1000),
        ShutdownNotifications(),
        CurrentMessage(),
        Attempts(pool),
    ]


class Attempts(Middleware):
    """Counts attempts before the work, tries again with growing pauses, gives up at the fifth.

    Of an error only its kind is kept: its text, and a trace, may quote what a citizen wrote.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool

    def after_declare_actor(self, broker: dramatiq.Broker, actor: dramatiq.Actor[..., Any]) -> None:
        actor.options["throws"] = Exception  # else dramatiq logs their text and trace

    def after_nack(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """No process of this release knows the actor; dramatiq gives it up unasked."""
        self._execute(
            """
            INSERT INTO job (message_id, actor, arguments, error, quarantined)
            VALUES (%s, %s, %s, %s, true)
                ON CONFLICT (message_id) DO NOTHING
            """,
            [
                *(message.message_id, message.actor_name, Jsonb(list(message.args))),
                ActorNotFound.__name__,
            ],
        )

    def before_process_message(
        self, broker: dramatiq.Broker, message: dramatiq.MessageProxy
    ) -> None:
        attempts, quarantined, died = self._count(message)
        if quarantined or (died and attempts >= ATTEMPTS_MAX):
            self._note(message, None, quarantined=True)
            raise SkipMessage
        if died:
            # They come back together: apart, only the one that kills dies again.
            self._put_off(broker, message, attempts, spread=random.uniform(0, 2))
            raise SkipMessage

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        if exception is None:
            self._execute("DELETE FROM job WHERE message_id = %s", [message.message_id])
            return
        attempts = self._attempts(message)
        # That another node is away says nothing against the job: it comes again, however often.
        given_up = attempts >= ATTEMPTS_MAX and not isinstance(exception, Postponed)
        self._note(message, type(exception).__name__, quarantined=given_up)
        log.warning("%s, attempt %s: %s", message.actor_name, attempts, type(exception).__name__)
        if not given_up:
            self._put_off(broker, message, attempts)

    def _put_off(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        attempts: int,
        spread: float = 1.0,
    ) -> None:
        shortest, longest = BACKOFF_MILLISECONDS
        _, delay = compute_backoff(attempts, factor=shortest, max_backoff=longest)
        broker.enqueue(message, delay=int(delay * spread))  # type: ignore[arg-type]  # as Retries

    def _count(self, message: dramatiq.MessageProxy) -> tuple[int, bool, bool]:
        """Attempts, whether it was given up, and whether its worker died: then none is counted.

        While it is under way it has no error. Who finds it so knows that nobody told its end.
        """
        rows = self._execute(
            """
            INSERT INTO job (message_id, actor, arguments, attempts)
            VALUES (%s, %s, %s, 1)
                ON CONFLICT (message_id) DO UPDATE
               SET attempts = job.attempts + (job.error IS NOT NULL)::int,
                   error = CASE WHEN job.error IS NULL THEN 'WorkerDied' END,
                   changed_at = clock_timestamp()
            RETURNING attempts,
                      quarantined,
                      error IS NOT NULL
            """,
            [message.message_id, message.actor_name, Jsonb(list(message.args))],
        )
        attempts, quarantined, died = rows[0]
        return attempts, quarantined, died

    def _attempts(self, message: dramatiq.MessageProxy) -> int:
        rows = self._execute("SELECT attempts FROM job WHERE message_id = %s", [message.message_id])
        return rows[0][0] if rows else 1

    def _note(
        self, message: dramatiq.MessageProxy, error: str | None, *, quarantined: bool
    ) -> None:
        self._execute(
            """
            UPDATE job
               SET error = coalesce(%s, error, 'WorkerDied'),
                   quarantined = %s,
                   changed_at = clock_timestamp()
             WHERE message_id = %s
            """,
            [error, quarantined, message.message_id],
        )

    def _execute(self, statement: LiteralString, parameters: list[Any]) -> list[tuple[Any, ...]]:
        """Until the database answers: a failure that is not noted is acknowledged as success."""
        while True:
            try:
                with self.pool.connection() as connection:
                    cursor = connection.execute(statement, parameters)
                    return cursor.fetchall() if cursor.description else []
            except PoolClosed:
                raise
            except psycopg.OperationalError as error:
                log.warning("The database is away: %s", type(error).__name__)
                time.sleep(AWAY_SECONDS)


def relay(pool: ConnectionPool, broker: RabbitmqBroker, *, limit: int = 100) -> int:
    """Hand jobs of the broker's queues from the database to RabbitMQ; returns how many.

    Of no others: who sends to a queue there works on it too. They leave the database once RabbitMQ
    has confirmed them: one may be handed over twice, none is lost.
    """
    with pool.connection() as connection, connection.transaction():
        rows = connection.execute(
            """
            DELETE FROM dramatiq.queue
             WHERE message_id IN (SELECT message_id
                                    FROM dramatiq.queue
                                   WHERE queue_name = ANY (%s)
                                     AND state = 'queued'
                                     AND available_at <= now()
                                   ORDER BY available_at, position
                                   LIMIT %s
                                     FOR UPDATE SKIP LOCKED)
            RETURNING message::text
            """,
            [[*broker.get_declared_queues(), *broker.get_declared_delay_queues()], limit],
        ).fetchall()
        for (encoded,) in rows:
            broker.enqueue(dramatiq.Message.decode(encoded.encode()))
    return len(rows)


class FailedJob(NamedTuple):
    message_id: UUID
    actor: str
    arguments: str  # identifiers, as JSON
    attempts: int
    error: str  # its kind
    quarantined: bool  # given up


def quarantined_jobs(pool: ConnectionPool, *, limit: int = 100) -> list[FailedJob]:
    """Those that failed and are tried again, or were given up; these first."""
    with pool.connection() as connection:
        rows = connection.execute(
            """
            SELECT message_id,
                   actor,
                   arguments::text,
                   attempts,
                   coalesce(error, 'under way'),
                   quarantined
              FROM job
             WHERE quarantined
                OR error IS NOT NULL
             ORDER BY quarantined DESC, changed_at, message_id
             LIMIT %s
            """,
            [limit],
        ).fetchall()
    return [FailedJob(*row) for row in rows]


def requeue_job(pool: ConnectionPool, message_id: UUID) -> bool:
    """Forget the attempts of a job that was given up, and enqueue it; False if there is none."""
    with pool.connection() as connection, connection.transaction():
        row = connection.execute(
            "DELETE FROM job WHERE message_id = %s AND quarantined RETURNING actor, arguments",
            [message_id],
        ).fetchone()
        if row is None:
            return False
        work = job(row[0], *row[1], available_at=datetime.now(UTC))
        connection.execute(
            """
            INSERT INTO dramatiq.queue (message_id, queue_name, state, message)
            VALUES (%s, %s, 'queued', %s::jsonb)
            """,
            [work.message_id, work.queue, work.body.decode()],
        )
    return True


@contextmanager
def working(broker: dramatiq.Broker, *, threads: int) -> Iterator[None]:
    """Workers in this process, until the block ends; what is under way is finished first.

    Not for longer than STOP_SECONDS: with the database away nothing can be finished, and what was
    not is done again.
    """
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=100)
    worker.start()
    try:
        yield
    finally:
        worker.stop(timeout=STOP_SECONDS * 1000)
        broker.close()
