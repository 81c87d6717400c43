"""A storm in small: doubled, shuffled, edited before it was written, and the workers killed.

At full size it is `bench/intake.py`.
"""

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import pytest

from domain import commands as c
from domain import events as e
from domain.errors import VersionConflict
from tests.conftest import CHECKOUT
from tests.intake.network import Network, unattended
from tests.waiting import until
from workers.broker import quarantined_jobs

SEED = 20261125
MESSAGES = 100
KILLS = 4  # at least: people go on writing when one more has been seen
WORKERS = 2
DEADLINE_SECONDS = 40.0
LOOK_SECONDS = 0.2  # who looks all the time takes the processors from those who work
# How often each is written on, and whether it tells of edits.
PLACES = [
    *[("vk", "post", False)] * 3,
    *[("vk", "comment", True)] * 3,
    *[("vk", "message", True)] * 2,
    *[("telegram", "message", True)] * 2,
    *[("ok", "message", False)] * 1,
    *[("pos", "message", True)] * 2,
]


@dataclass
class Storm:
    """What was written, and how it stands on its platform in the end."""

    texts: dict[str, str] = field(default_factory=dict)  # by what the platform calls it
    platforms: dict[str, str] = field(default_factory=dict)
    edited: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)


@pytest.fixture
def calm(intake_url: str, home: Path) -> Iterator[Network]:
    """A network where nobody works yet."""
    with unattended(intake_url, home) as net:
        net.platforms.control(duplicates=0.2, shuffle=True, rate_limits=False, retry_seconds=0.1)
        yield net


@contextmanager
def killed_at_random(net: Network) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.intake.storm", net.api.url, str(net.home)]
    command += [str(WORKERS), str(SEED)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()


def raised(net: Network, chance: random.Random, killed: IO[bytes]) -> Storm:
    """People write, change their minds, and take back what nobody has to answer."""
    storm = Storm()
    for number in range(MESSAGES):
        if number % (MESSAGES // KILLS) == MESSAGES // KILLS - 1:
            assert killed.readline() == b"killed\n"
        platform, action, tells = chance.choice(PLACES)
        author = {"id": 800_000 + number, "name": f"Житель {number}"}
        text = f"Уберите стихийную свалку у дома {number + 1} на ул. Мирной в Самаре"
        written = net.citizen(platform, action, text, author=author)
        storm.texts[written], storm.platforms[written] = text, platform
        if tells and chance.random() < 0.35:
            storm.texts[written] += ", срочно"
            storm.edited.add(written)
            net.citizen(platform, "edit", storm.texts[written], id=written)
    for number in range(10):
        written = net.citizen("vk", "comment", f"Спасибо за уборку! {number}")
        storm.texts[written], storm.platforms[written] = f"Спасибо за уборку! {number}", "vk"
        storm.deleted.add(written)
        net.citizen("vk", "delete", id=written)
    return storm


def reply_to(net: Network, answered: set[UUID]) -> None:
    """Answer whatever has become an incident meanwhile."""
    rows = net.rows("SELECT originator_id FROM events WHERE topic = 'IncidentRegistered'")
    for (incident,) in rows:
        if incident in answered:
            continue
        try:
            net.submit(incident, reply(incident))
        except VersionConflict:
            continue  # somebody edits it at this moment
        answered.add(incident)


def reply(incident: UUID) -> str:
    return f"Взяли в работу, вывезем сегодня. {incident}"


def is_over(net: Network, answered: set[UUID], expected: int) -> bool:
    reply_to(net, answered)
    busy = "SELECT count(*) FROM dramatiq.queue WHERE available_at <= now()"
    return len(answered) == expected and net.platforms.pending() == 0 and net.count(busy) == 0


def test_in_a_storm_everything_is_heard_once_and_answered_once(calm: Network) -> None:
    net, answered = calm, set[UUID]()
    with killed_at_random(net) as workers:
        assert workers.stdout is not None
        storm = raised(net, random.Random(SEED), workers.stdout)
        until(
            lambda: is_over(net, answered, MESSAGES),
            seconds=DEADLINE_SECONDS,
            pause_seconds=LOOK_SECONDS,
        )
        net.settle_in_time()
    heard_once(net, storm)
    answered_once(net, storm)
    nothing_is_left(net)


def heard_once(net: Network, storm: Storm) -> None:
    """Each message is exactly one event, changed and deleted as on its platform."""
    rows = net.rows(
        """
        SELECT payload ->> 'external_id'
          FROM events
         WHERE topic IN ('MessageCaptured', 'MessageAdded')
        """
    )
    heard = Counter(external_id for (external_id,) in rows)
    assert heard == dict.fromkeys(map(net.scoped, storm.texts), 1)
    wrong = [each for each in storm.edited if holds(net, each) != storm.texts[each]]
    assert len(wrong) == len(net.inbox.kept())  # what was not taken in is kept
    for written in storm.deleted:
        assert net.told(net.incident_of(written)).count("MessageDeleted") == 1


def holds(net: Network, written: str) -> str:
    """The text as the log has it in the end."""
    incident = net.incident_of(written)
    edits = [event for event in net.events(incident) if isinstance(event, e.MessageEdited)]
    if edits:
        return str(net.opened(incident, edits[-1].text, c.EditMessage))
    captured = net.event(incident, e.MessageCaptured)
    text: str = net.opened(incident, captured.citizen, c.Capture)["text"]
    return text


def answered_once(net: Network, storm: Storm) -> None:
    """Each reply stands once; on Telegram one that nobody is sure of may stand or not."""
    texts = Counter(each["text"] for each in net.platforms.replies())
    uncertain: list[str] = []
    for written, platform in storm.platforms.items():
        if written in storm.deleted:
            continue
        incident = net.incident_of(written)
        told = Counter(net.told(incident))
        ended = ("ReplyPublished", "ReplyDelivered", "ReplyPublicationFailed")
        assert sum(told[each] for each in ended) == 1, net.told(incident)
        if told["ReplyPublicationFailed"]:
            failed = net.event(incident, e.ReplyPublicationFailed)
            assert (platform, failed.reason) == ("telegram", "UNCERTAIN")
            assert texts[reply(incident)] <= 1
            uncertain.append(written)
        else:
            assert texts[reply(incident)] == 1
    assert len(uncertain) < len(storm.texts) / 10


def nothing_is_left(net: Network) -> None:
    left: list[Any] = [each for each in net.inbox.kept(limit=1000) if each.reason is None]
    assert left == []
    assert quarantined_jobs(net.node.pool) == []
    assert net.rows("SELECT id FROM delivery WHERE state IN ('WAITING', 'SENDING')") == []
