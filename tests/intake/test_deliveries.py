"""Replies on their way: each stands once below what it answers, or a person is told why not."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from domain import commands as c
from domain import events as e
from domain.publications import RankingQuestion
from domain.vocabulary import DeliveryFailure, FallbackReason, ReplyKind
from projections.views.tables import RankingWanted
from regions.exports import UNWRITTEN_MAX, WRITE_EXPORT, ExportFormat
from regions.sources import FILE
from regions.store.event_store import StoreUnavailable
from regions.store.jobs import Queue
from tests.conftest import RUSSIA
from tests.intake.faults import decided_together, overtaken
from tests.intake.network import CURATOR, EXECUTOR, OFFICER, Network, now
from tests.waiting import until
from tests.workers.exporting import exporting
from workers.crew import THREADS, group_of
from workers.deliveries import Deliveries, Message
from workers.platforms.connections import Connections

houses = itertools.count(1)
authors = itertools.count(700_001)
PLACES = [
    *(("vk", "post"), ("vk", "comment"), ("vk", "message")),
    *(("telegram", "message"), ("ok", "message"), ("pos", "message")),
]
ONE_EACH = [("vk", "comment"), ("telegram", "message"), ("ok", "message"), ("pos", "message")]
SAFE = [place for place in PLACES if place[0] != "telegram"]  # to repeat, or to look for


@pytest.fixture(autouse=True)
def _all_is_well(net: Network) -> Iterator[None]:
    """Whatever a test made go wrong."""
    yield
    net.platforms.control(outage=[], timeout_after_accept=0.0)


class Written:
    """A message that waits for our reply."""

    def __init__(self, net: Network, platform: str, action: str, text: str = "") -> None:
        self.net, self.platform = net, platform
        self.author = next(authors)
        self.id = net.citizen(
            platform,
            action,
            text or f"Уберите свалку у дома {next(houses)} на улице Мирной в Самаре",
            author={"id": self.author, "name": "Мария Примерова"},
        )
        net.settle()
        self.incident = net.incident_of(self.id)
        self.reply = f"Взяли в работу, вывезем сегодня. {self.incident}"

    def submit(self) -> None:
        self.net.submit(self.incident, self.reply)

    @property
    def replies(self) -> list[dict[str, Any]]:
        return self.net.replies(self.reply)

    @property
    def told(self) -> list[str]:
        """What became of the reply, in the log."""
        began = self.net.told(self.incident).index("ReplySubmitted")
        return self.net.told(self.incident)[began + 1 :]

    def delivery(self) -> tuple[UUID, str, int, str | None]:
        ((delivery, state, attempts, reason),) = self.net.rows(
            "SELECT id, state, attempts, reason FROM delivery WHERE incident_id = %s", self.incident
        )
        return delivery, state, attempts, reason

    def is_being_sent(self) -> bool:
        sending = "SELECT FROM delivery WHERE incident_id = %s AND state = 'SENDING'"
        return bool(self.net.rows(sending, self.incident))

    def tried_again(self) -> bool:
        """At once, if it was put off."""
        self.net.let_time_pass()
        return True

    def until_put_off(self, state: str = "WAITING") -> None:
        """It was tried, and is to be tried again."""
        until(lambda: self._is_put_off(state))

    def _is_put_off(self, state: str) -> bool:
        found = "SELECT FROM delivery WHERE incident_id = %s AND state = %s AND attempts > 0"
        waits = "SELECT FROM dramatiq.queue WHERE available_at > now()"
        return bool(self.net.rows(found, self.incident, state)) and bool(self.net.rows(waits))


def stands_once(written: Written) -> None:
    """That it is published, in the log as on the platform."""
    (reply,) = written.replies
    assert written.told == ["ReplyPublished"]
    published = written.net.event(written.incident, e.ReplyPublished)
    assert published.external_id.endswith(reply["id"])
    assert written.delivery()[1] == "SENT"
    assert not written.net.is_in("UNDELIVERED", written.incident)


@pytest.mark.parametrize(("platform", "action"), [*PLACES, ("telegram", "comment")])
def test_a_reply_stands_below_what_it_answers(net: Network, platform: str, action: str) -> None:
    written = Written(net, platform, action)
    written.submit()
    net.settle()
    stands_once(written)
    assert written.replies[0]["place"] == written.id
    assert written.delivery()[2] == 1


# Not taken, for good


def delete(written: Written) -> None:
    written.net.citizen(written.platform, "delete", id=written.id)
    written.net.settle()


def close(written: Written) -> None:
    written.net.platforms.control(close=[written.id])


def block(written: Written) -> None:
    written.net.platforms.control(block=[f"{written.platform}:{written.author}"])


def end_token(written: Written) -> None:
    code = {"vk": 5, "telegram": 401, "ok": 103, "pos": 401}[written.platform]
    written.net.platforms.fail_next(written.platform, code=code, description="CHANNEL_UNAVAILABLE")


def move(written: Written) -> None:
    """Whatever answers there sends us elsewhere: we do not go."""
    written.net.platforms.fail_next(written.platform, status=302, location="https://example.org/")


def write_too_much(written: Written) -> None:
    written.reply += "!" * 19_500


GONE = DeliveryFailure.MESSAGE_DELETED
CLOSED = DeliveryFailure.COMMENTS_CLOSED
BLOCKED = DeliveryFailure.PROFILE_CLOSED
UNAVAILABLE = DeliveryFailure.CHANNEL_UNAVAILABLE
REFUSED: list[tuple[str, str, Callable[[Written], None], DeliveryFailure]] = [
    ("vk", "post", delete, GONE),
    ("vk", "post", close, CLOSED),
    ("vk", "comment", delete, GONE),
    ("vk", "message", block, BLOCKED),
    ("vk", "comment", write_too_much, DeliveryFailure.TEXT_REFUSED),
    ("telegram", "message", delete, GONE),
    ("telegram", "message", block, BLOCKED),
    ("telegram", "message", write_too_much, DeliveryFailure.TEXT_REFUSED),
    ("ok", "message", block, BLOCKED),
    ("pos", "message", delete, GONE),
    ("pos", "message", close, CLOSED),
    *((platform, action, end_token, UNAVAILABLE) for platform, action in ONE_EACH),
    *((platform, action, move, UNAVAILABLE) for platform, action in ONE_EACH),
]


@pytest.mark.parametrize(("platform", "action", "spoil", "reason"), REFUSED)
def test_a_reply_that_is_not_taken_for_good_is_a_person_s_to_decide(
    net: Network,
    platform: str,
    action: str,
    spoil: Callable[[Written], None],
    reason: DeliveryFailure,
) -> None:
    written = Written(net, platform, action)
    spoil(written)
    written.submit()
    net.settle()
    failed = net.event(written.incident, e.ReplyPublicationFailed)
    assert (failed.reason, failed.channel) == (reason, platform.upper())
    assert written.told == ["ReplyPublicationFailed"]
    assert net.is_in("UNDELIVERED", written.incident)
    assert written.replies == []
    # Asked again, it is not tried again.
    delivery, *before = written.delivery()
    assert before == ["FAILED", 1, reason]
    net.enqueue("deliver", str(delivery))
    net.settle()
    assert written.delivery() == (delivery, *before)
    assert written.told == ["ReplyPublicationFailed"]
    assert written.replies == []


def test_who_is_answered_elsewhere_waits_for_nobody_any_more(net: Network) -> None:
    written = Written(net, "vk", "message")
    block(written)
    written.submit()
    net.settle()
    assert net.is_in("UNDELIVERED", written.incident)
    by_letter = c.PublishReply(
        kind=ReplyKind.FIRST, channel="LETTER", fallback_reason=FallbackReason.PROFILE_CLOSED
    )
    net.ask(written.incident, by_letter, CURATOR)
    net.settle()
    assert not net.is_in("UNDELIVERED", written.incident)


# Not taken now


@pytest.mark.parametrize(("platform", "action"), ONE_EACH)
def test_while_a_platform_is_away_a_reply_waits_and_is_delivered_once(
    net: Network, platform: str, action: str
) -> None:
    written = Written(net, platform, action)
    net.platforms.control(outage=[platform])
    written.submit()
    written.until_put_off()
    assert written.told == written.replies == []
    net.platforms.control(outage=[])
    net.settle_in_time()
    stands_once(written)
    assert written.delivery()[2] > 1


@pytest.mark.parametrize(
    ("platform", "action", "fault"),
    [
        ("vk", "post", {"status": 500}),
        ("vk", "post", {"status": 429}),
        ("vk", "post", {"code": 6}),  # too many requests per second
        ("vk", "message", {"code": 9}),  # flood control
        ("vk", "comment", {"code": 14}),  # captcha needed
        ("vk", "comment", {"oversize": True}),
        ("telegram", "message", {"code": 429, "retry_after": 7}),
        ("ok", "message", {"code": 2}),  # SERVICE
        ("ok", "message", {"code": 8}),  # FLOOD_BLOCKED
        ("pos", "message", {"status": 500}),
        ("pos", "message", {"status": 429}),
    ],
)
def test_a_platform_that_wants_a_pause_gets_it_and_the_reply_stands_once(
    net: Network, platform: str, action: str, fault: dict[str, Any]
) -> None:
    written = Written(net, platform, action)
    net.platforms.fail_next(platform, **fault)
    written.submit()
    written.until_put_off()
    assert written.told == written.replies == []
    net.settle_in_time()
    stands_once(written)
    assert written.delivery()[2] == 2


# Nobody knows


@pytest.mark.parametrize(("platform", "action"), SAFE)
def test_a_reply_whose_confirmation_was_lost_stands_once(
    net: Network, platform: str, action: str
) -> None:
    written = Written(net, platform, action)
    net.platforms.control(timeout_after_accept=1.0)
    written.submit()
    until(lambda: written.tried_again() and len(written.replies) == 1)
    until(lambda: written.tried_again() and written.delivery()[2] >= 3)
    net.platforms.control(timeout_after_accept=0.0)
    net.settle_in_time()
    stands_once(written)


@pytest.mark.parametrize("fault", [{"lost": True}, {"status": 500}, {"code": 500}])
def test_where_nobody_can_tell_a_person_is_asked_and_nothing_is_sent_again(
    net: Network, fault: dict[str, Any]
) -> None:
    """Telegram knows no repeated call, and shows a bot nothing of what it has written."""
    written = Written(net, "telegram", "message")
    net.platforms.fail_next("telegram", **fault)
    written.submit()
    net.settle_in_time()
    assert written.told == ["ReplyPublicationFailed"]
    failed = net.event(written.incident, e.ReplyPublicationFailed)
    assert failed.reason is DeliveryFailure.UNCERTAIN
    assert net.is_in("UNDELIVERED", written.incident)
    assert len(written.replies) == ("lost" in fault)


def test_what_may_have_been_sent_is_looked_for_however_long_the_platform_is_away(
    net: Network,
) -> None:
    written = Written(net, "ok", "message")
    net.platforms.control(
        fail_next=[{"platform": "ok", "lost": True}, {"platform": "ok", "status": 503}]
    )
    written.submit()
    written.until_put_off("SENDING")
    net.let_time_pass()
    until(lambda: written.delivery()[2] == 2)
    net.settle_in_time()
    stands_once(written)


@pytest.mark.parametrize(("platform", "action"), [place for place in ONE_EACH if place in SAFE])
def test_a_delivery_whose_worker_died_before_it_sent_is_sent(
    net: Network, platform: str, action: str
) -> None:
    written = begun(net, platform, action)
    net.settle_in_time()
    stands_once(written)


def test_a_delivery_whose_worker_died_where_nobody_can_tell_is_not_sent(net: Network) -> None:
    written = begun(net, "telegram", "message")
    net.settle_in_time()
    assert written.replies == []
    assert written.delivery()[1:] == ("FAILED", 2, "UNCERTAIN")


def test_a_delivery_whose_worker_died_after_it_was_told_is_not_doubted(net: Network) -> None:
    written = Written(net, "telegram", "message")
    written.submit()
    net.settle()
    delivery = written.delivery()[0]
    net.rows("UPDATE delivery SET state = 'SENDING' WHERE id = %s RETURNING id", delivery)
    net.enqueue("deliver", str(delivery))
    net.settle()
    stands_once(written)


def begun(net: Network, platform: str, action: str) -> Written:
    """A delivery as a worker leaves it that dies on the way to the platform."""
    written = Written(net, platform, action)
    net.platforms.control(outage=[platform])
    written.submit()
    written.until_put_off()
    net.rows(
        "UPDATE delivery SET state = 'SENDING' WHERE id = %s RETURNING id", written.delivery()[0]
    )
    net.platforms.control(outage=[])
    return written


# Twice, and at once


@pytest.mark.parametrize(("platform", "action"), ONE_EACH)
def test_a_delivery_that_is_asked_for_again_and_late_is_done_once(
    net: Network, platform: str, action: str
) -> None:
    written = Written(net, platform, action)
    written.submit()
    net.settle()
    before = net.told(written.incident)
    version = before.index("ReplySubmitted") + 1
    net.enqueue("plan_deliveries", "63", str(written.incident), version)
    for _ in range(2):
        net.enqueue("deliver", str(written.delivery()[0]))
    net.settle()
    stands_once(written)
    assert net.told(written.incident) == before


@pytest.mark.parametrize(("platform", "action"), ONE_EACH)
def test_workers_at_the_same_delivery_at_once_send_it_once(
    net: Network, platform: str, action: str
) -> None:
    written = Written(net, platform, action)
    net.platforms.fail_next(platform, hang_seconds=0.3)
    written.submit()
    until(written.is_being_sent)
    for _ in range(6):
        net.enqueue("deliver", str(written.delivery()[0]))
    net.settle()
    stands_once(written)
    assert written.delivery()[2] == 1


def test_sources_asked_for_at_once_have_one_client_each(net: Network) -> None:
    """Two would each keep a pace of their own, and one would be closed while it is used."""
    at_once = Barrier(8)

    def client(connections: Connections) -> Any:
        at_once.wait()
        return connections.client("POS", "63-pos")

    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            with closing(Connections(net.home, lambda source: "1")) as connections:
                assert len({*pool.map(client, [connections] * 8)}) == 1


@pytest.mark.parametrize(
    ("spoil", "command", "told"),
    [
        (lambda written: None, c.PublishReply, "ReplyPublished"),
        (block, c.NoteFailedDelivery, "ReplyPublicationFailed"),
    ],
)
def test_how_a_delivery_ended_is_told_though_others_were_quicker(
    net: Network,
    spoil: Callable[[Written], None],
    command: type[c.Command],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = Written(net, "telegram", "message")
    spoil(written)
    with overtaken(net, command, monkeypatch) as by_others:
        written.submit()
        net.settle()
    assert by_others == [written.incident]
    assert written.told == ["FieldCheckRequested", told]


# To more than one


def merged(net: Network, *platforms: str) -> list[Written]:
    """The same, written on several platforms; the first is answered."""
    text = f"Уберите свалку у дома {next(houses)} на улице Мирной в Самаре"
    actions = {"vk": "post"}
    return [Written(net, each, actions.get(each, "message"), text) for each in platforms]


def places(written: Written) -> list[str]:
    return sorted(reply["place"] for reply in written.replies)


def test_a_reply_to_what_was_merged_reaches_all_on_their_own_platforms(net: Network) -> None:
    first, *others = merged(net, "vk", "telegram", "ok", "vk")
    net.ask(first.incident, c.AcceptWork(), EXECUTOR)
    net.answer(first.incident, first.reply)
    net.settle()
    assert places(first) == sorted(each.id for each in (first, *others))
    assert "ReplyPublished" in net.told(first.incident)


def test_a_reply_that_reaches_two_at_once_is_published_once(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = merged(net, "vk", "telegram")
    net.ask(first.incident, c.AcceptWork(), EXECUTOR)
    with decided_together(net, c.PublishReply, monkeypatch):
        net.answer(first.incident, first.reply)
        net.settle()
    assert sorted(net.told(first.incident)[-2:]) == ["ReplyDelivered", "ReplyPublished"]


def test_who_was_reached_first_goes_on_below_our_reply(net: Network) -> None:
    """Though the incident began on another platform."""
    first, other = merged(net, "vk", "telegram")
    net.platforms.control(outage=["vk"])
    first.submit()
    until(lambda: len(first.replies) == 1)
    until(lambda: "ReplyPublished" in net.told(first.incident))
    net.platforms.control(outage=[])
    net.settle_in_time()
    (reply,) = (each["id"] for each in first.replies if each["platform"] == "telegram")
    author = {"id": other.author, "name": "Мария Примерова"}
    again = net.citizen("telegram", "message", "Никто не приехал", author=author, reply_to=reply)
    net.settle()
    assert net.incident_of(again) == first.incident


@pytest.mark.parametrize("late", ["vk", "telegram"])
def test_who_was_not_reached_is_a_person_s_to_answer_though_others_were(
    net: Network, late: str
) -> None:
    first, other = merged(net, "vk", "telegram")
    close(first)
    net.platforms.control(outage=[late])
    first.submit()
    until(lambda: bool(first.told))
    net.platforms.control(outage=[])
    net.settle_in_time()
    assert places(first) == [other.id]
    assert {"ReplyPublicationFailed", "ReplyPublished"} <= {*first.told}
    assert net.is_in("UNDELIVERED", first.incident)


def test_who_was_not_planned_for_when_it_was_broken_off_is_reached_later(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = merged(net, "vk", "telegram")
    note, broken_off = Deliveries._note, list[UUID]()

    def note_or_break_off(*given: Any) -> None:
        message = next(each for each in given if isinstance(each, Message))
        if message.id == other.incident and len(broken_off) < 2 and not first.replies:
            broken_off.append(message.id)
            raise StoreUnavailable
        note(*given)

    with monkeypatch.context() as patch:
        patch.setattr(Deliveries, "_note", note_or_break_off)
        first.submit()
        net.settle()
    assert broken_off
    assert places(first) == sorted([first.id, other.id])


def test_what_was_taken_out_again_gets_no_reply_of_the_other(net: Network) -> None:
    first, other = merged(net, "vk", "telegram")
    net.platforms.control(outage=["telegram"])
    first.submit()
    until(lambda: "ReplyPublished" in net.told(first.incident))
    until(lambda: bool(net.rows("SELECT FROM dramatiq.queue WHERE available_at > now()")))
    ((delivery,),) = net.rows(
        "DELETE FROM dramatiq.queue WHERE available_at > now() RETURNING message -> 'args' ->> 0"
    )
    net.ask(other.incident, c.Unmerge(), CURATOR)
    net.platforms.control(outage=[])
    with closing(Connections(net.home, lambda source: group_of(net.node, source))) as connections:
        Deliveries(net.node, connections.client).deliver(UUID(delivery), at=now)
    assert places(first) == [first.id]


# Beside files


def test_no_reply_waits_for_files_however_many_are_written(net: Network) -> None:
    """Somebody holds what all of them need: each that is begun keeps its thread."""
    written, at_once = Written(net, "vk", "comment"), THREADS[Queue.EXPORTS]
    for _ in range(UNWRITTEN_MAX):
        ask_for_file(net)
    with psycopg.connect(net.api.url) as holding, exporting(net.api.url, RUSSIA, now()):
        holding.execute("LOCK TABLE export IN EXCLUSIVE MODE")
        until(lambda: net.count("SELECT count(*) FROM job") == at_once)
        written.submit()
        until(lambda: "ReplyPublished" in written.told)
        assert net.count("SELECT count(*) FROM job WHERE actor = %s", WRITE_EXPORT) == at_once
        holding.rollback()
        net.settle()
    assert net.rows("SELECT DISTINCT state FROM export") == [("READY",)]
    stands_once(written)


def ask_for_file(net: Network) -> None:
    question = RankingQuestion(first=now().date(), last=now().date())
    net.node.exports.ask(
        uuid4(),
        CURATOR,
        msgspec.json.encode(RankingWanted(question, exact=False)),
        ExportFormat.CSV,
        rows_total=None,
        at=now(),
    )


# Personal data


def test_nobody_is_answered_whose_personal_data_was_erased(net: Network) -> None:
    written = Written(net, "vk", "message")
    net.platforms.control(outage=["vk"])
    written.submit()
    written.until_put_off()
    net.ask(written.incident, c.ErasePersonalData(), OFFICER)
    net.platforms.control(outage=[])
    net.settle_in_time()
    assert written.replies == []
    assert written.told == ["PersonalDataErased", "ReplyPublicationFailed"]
    failed = net.event(written.incident, e.ReplyPublicationFailed)
    assert failed.reason is DeliveryFailure.CHANNEL_UNAVAILABLE


def test_a_source_whose_token_was_taken_out_is_told_of(net: Network) -> None:
    written = Written(net, "ok", "message")
    net.platforms.control(outage=["ok"])
    written.submit()
    written.until_put_off()
    access = (net.home / FILE).read_text()
    token = net.account("ok").token
    (net.home / FILE).write_text(access.replace(f'token = "{token}"', 'token = ""'))
    net.platforms.control(outage=[])
    net.settle_in_time()
    assert written.told == ["ReplyPublicationFailed"]
    (net.home / FILE).write_text(access)
    again = Written(net, "ok", "message")
    again.submit()
    net.settle()
    stands_once(again)
