"""What an operator asks of the command line about what comes in."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from api.cli import main
from domain import commands as c
from regions.inbox import Inbox
from tests.api.conftest import SECRET
from tests.conftest import RUSSIA
from tests.intake.network import CURATOR, Network, now

Tsur = Callable[..., str]


@pytest.fixture
def tsur(
    net: Network,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Tsur:
    """Run a command of the console script on the network's database; what it prints."""
    (tmp_path / "vault.key").write_bytes(SECRET)
    settings = {"TSUR_DATABASE_URL": net.api.url, "TSUR_HOME": str(tmp_path)}
    for name, value in (settings | {"TSUR_CATALOGUE": str(RUSSIA), "COLUMNS": "200"}).items():
        monkeypatch.setenv(name, value)

    def run(*words: str, code: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["tsur", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        assert ended.value.code == code, told.err
        return told.out + told.err

    return run


def test_channels_say_when_each_source_was_heard(net: Network, tsur: Tsur) -> None:
    net.citizen("vk", "post", "Яма на дороге у дома 7 по улице Победы в Самаре")
    net.settle()
    told = tsur("channels")
    (line,) = [line for line in told.splitlines() if net.source("vk") in line]
    assert "live" in line
    assert "never" not in line


def test_what_is_not_understood_is_listed_with_its_reason_and_taken_in_anew(
    net: Network, tsur: Tsur
) -> None:
    inbox = Inbox(net.node.pool, net.node.vault)
    inbox.keep(net.source("pos"), "63", "broken", b'{"id": 7}', at=now())
    net.settle()
    told = tsur("inbox", "list")
    assert "QUARANTINED" in told
    kept = next(each for each in inbox.kept() if each.state == "QUARANTINED")
    assert kept.reason is not None
    assert kept.reason in told
    assert "taken in anew" in tsur("inbox", "replay", str(kept.id))
    net.settle()
    assert "QUARANTINED" in tsur("inbox", "list")  # nobody has mended it
    assert "Nothing" in tsur("inbox", "replay", "019cae6b-6600-7f05-92c2-6fc844c42272")


def test_a_job_that_was_given_up_is_listed_and_tried_again(net: Network, tsur: Tsur) -> None:
    with net.node.pool.connection() as connection:
        connection.execute(
            """
            INSERT INTO job (message_id, actor, arguments, attempts, error, quarantined)
            VALUES ('019cae6b-6600-7f05-92c2-6fc844c42273', 'route', '["63", "x", 1]', 5,
                    'ValueError', true)
            """
        )
    told = tsur("jobs", "list")
    assert "given up" in told
    assert "ValueError" in told
    assert "again" in tsur("jobs", "retry", "019cae6b-6600-7f05-92c2-6fc844c42273")
    assert "No job" in tsur("jobs", "retry", "019cae6b-6600-7f05-92c2-6fc844c42273")
    with net.node.pool.connection() as connection:
        connection.execute("DELETE FROM dramatiq.queue")
        connection.execute("DELETE FROM job")


def test_what_people_corrected_is_written_down_to_learn_from_and_the_opening_logged(
    net: Network, tsur: Tsur, tmp_path: Path
) -> None:
    text = "Не горит ни один фонарь на улице Победы у дома 90 в Самаре"
    net.citizen("vk", "post", text)
    net.settle()
    incident = net.incidents()[-1]
    net.ask(incident, c.Reclassify(topic="safety.order"), CURATOR)
    file = tmp_path / "corrections.csv"
    assert "1 corrections" in tsur("corrections", "63", str(file), "--name", "petrova")
    (row,) = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    assert (row["text"], row["topic"]) == (text, "safety.order")
    log = net.rows("SELECT actor, outcome FROM access_log WHERE incident_id = %s", incident)
    assert ("petrova", "OPENED") in log


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--role", "SYSTEM"), "SYSTEM stands for rules"),
        (("--role", "TRAINEE"), "one region"),
    ],
)
def test_no_token_makes_anybody_the_system_nor_a_trainee_of_the_country(
    tsur: Tsur, words: tuple[str, ...], told: str
) -> None:
    assert told in " ".join(tsur("token", *words, code=2).replace("│", " ").split())
