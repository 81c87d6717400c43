"""The embedded server on real processes: it starts, is shared, ends with us and loses nothing."""

import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import psycopg_binary
import pytest

from regions.postgres import PostgresUnavailable, check_server, create_database, embedded

ROOT = Path(__file__).parents[2]
SMALL = {"shared_buffers": "16MB"}
AS_ROOT = os.geteuid() == 0
SERVER_USER = pwd.getpwnam("nobody") if AS_ROOT else pwd.getpwuid(os.geteuid())
DEADLINE_SECONDS = 20

# Says whether it owns the server and where that is, then stays until its input is closed.
STAY = """
import sys
from pathlib import Path
from regions.postgres import embedded

with embedded(Path(sys.argv[1]), {"shared_buffers": "16MB"}) as server:
    print("owns" if server.process else "joins", server.url, flush=True)
    sys.stdin.read()
"""
# Commits row after row, and says the number of each when it is committed.
WRITE = """
import itertools, sys
from pathlib import Path
import psycopg
from regions.postgres import embedded

with (
    embedded(Path(sys.argv[1]), {"shared_buffers": "16MB"}) as server,
    psycopg.connect(server.url, autocommit=True) as connection,
):
    connection.execute("CREATE TABLE IF NOT EXISTS written (number integer)")
    connection.execute("TRUNCATE written")
    for number in itertools.count(1):
        connection.execute("INSERT INTO written VALUES (%s)", [number])
        print(number, flush=True)
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One home for the module, as initdb is the slow part."""
    with fresh_home() as path:
        yield path


def test_a_new_home_gets_a_database_that_suits_us(home: Path) -> None:
    with embedded(home) as server:
        check_server(server.url)
        assert ask(server.url, "SELECT current_database(), current_user") == ("tsur", "tsur")
        assert ask(server.url, "SELECT lower('ЁЛКА'), 'Ёлка' ~* '^ё'") == ("ёлка", True)
        assert ask(server.url, "SHOW wal_level") == ("logical",)
        assert ask(server.url, "SHOW shared_buffers") == ("256MB",)


def test_settings_of_the_caller_come_first(home: Path) -> None:
    with embedded(home, {"shared_buffers": "32MB", "max_replication_slots": "89"}) as server:
        assert ask(server.url, "SHOW shared_buffers") == ("32MB",)
        assert ask(server.url, "SHOW max_replication_slots") == ("89",)


def test_only_a_private_socket_leads_to_the_server(home: Path) -> None:
    with embedded(home, SMALL) as server:
        folder = Path(ask(server.url, "SHOW unix_socket_directories")[0].strip('"'))
        assert folder.is_socket() or list(folder.glob(".s.PGSQL.*"))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == SERVER_USER.pw_uid
        assert ask(server.url, "SHOW listen_addresses") == ("",)
        # Even if somebody opens a port: the rules know the socket only, and no passwords.
        rules = "SELECT DISTINCT type, auth_method FROM pg_hba_file_rules"
        assert ask(server.url, rules) == ("local", "peer")


def test_a_restart_keeps_the_rows(home: Path) -> None:
    with embedded(home, SMALL) as server:
        do(server.url, "CREATE TABLE kept AS SELECT 'Ёлка' AS name")
    with embedded(home, SMALL) as server:
        assert ask(server.url, "SELECT name FROM kept") == ("Ёлка",)


def test_a_second_process_joins_and_does_not_stop_the_server(home: Path) -> None:
    with embedded(home, SMALL) as server:
        second = start(STAY, home)
        assert read(second) == f"joins {server.url}"
        second.communicate()
        assert second.returncode == 0
        assert ask(server.url, "SELECT 1") == (1,)


def test_the_same_process_may_open_a_home_twice(home: Path) -> None:
    with embedded(home, SMALL) as server:
        with embedded(home) as again:
            assert (again.url, again.process) == (server.url, None)
        assert ask(server.url, "SELECT 1") == (1,)


def test_of_processes_that_start_at_the_same_moment_one_owns_the_server() -> None:
    with fresh_home() as path:
        processes = [start(STAY, path) for _ in range(3)]
        answers = [read(process).split() for process in processes]
        assert sorted(role for role, _ in answers) == ["joins", "joins", "owns"]
        assert len({url for _, url in answers}) == 1
        for process in processes:
            process.communicate()


def test_who_joins_while_the_owner_stops_takes_over(home: Path) -> None:
    owner = start(STAY, home)
    read(owner)
    os.kill(owner.pid, signal.SIGSTOP)
    os.kill(postmaster(home), signal.SIGINT)  # the server is gone, its owner is not
    until(lambda: not is_running(home))
    next_one = start(STAY, home)
    os.kill(owner.pid, signal.SIGCONT)
    owner.communicate()
    assert read(next_one).startswith("owns")
    next_one.communicate()


def test_stopping_twice_does_no_harm(home: Path) -> None:
    with embedded(home, SMALL) as server:
        server.stop()
        server.stop()
        assert not is_running(home)


def test_a_fork_does_not_stop_the_server_of_its_parent(home: Path) -> None:
    with embedded(home, SMALL) as server:
        forked = os.fork()
        if not forked:
            server.stop()
            os._exit(0)
        os.waitpid(forked, 0)
        assert ask(server.url, "SELECT 1") == (1,)


def test_the_server_outlives_the_thread_that_asked_for_it(home: Path) -> None:
    opened = embedded(home, SMALL)
    urls: list[str] = []
    thread = threading.Thread(target=lambda: urls.append(opened.__enter__().url))
    thread.start()
    thread.join()
    try:
        # The signal of a dead parent would arrive at once.
        assert ask(urls[0], "SELECT pg_sleep(0.2)::text, 1") == ("", 1)
    finally:
        opened.__exit__(None, None, None)


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_a_killed_owner_leaves_no_orphan_and_loses_no_committed_row(home: Path) -> None:
    writer = start(WRITE, home)
    committed = kill_after_rows(writer, 100)
    until(lambda: not is_running(home))
    assert rows_after_restart(home) >= committed


def test_without_setpriv_the_next_start_ends_the_leftover(home: Path, tmp_path: Path) -> None:
    writer = start(WRITE, home, PATH=str(tmp_path))
    leftover = postmaster_when_ready(home, writer)
    committed = kill_after_rows(writer, 100)
    assert is_running(home)
    assert rows_after_restart(home) >= committed
    assert postmaster_pids(leftover) == []


def test_a_killed_postmaster_loses_no_committed_row(home: Path) -> None:
    writer = start(WRITE, home)
    postmaster_when_ready(home, writer)
    committed = int(read(writer))
    os.kill(postmaster(home), signal.SIGKILL)
    output, _ = writer.communicate()
    committed = int(output.splitlines()[-1]) if output else committed
    assert rows_after_restart(home) >= committed
