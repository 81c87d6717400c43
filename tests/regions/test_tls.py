"""A federation whose servers speak TLS only and ask for passwords, which are told nowhere.

It needs a PostgreSQL that is built with TLS, in PATH or where Debian has it; the embedded one is
not.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg.conninfo import make_conninfo

from api.processes import free_port
from regions.federation import comparing, replication
from regions.node import Node, command_pool, prepare
from regions.reference.catalogue import Catalogue
from regions.store.roles import logins
from regions.store.server import PostgresUnavailable, check_server, create_database
from regions.store.vault import Vault
from tests.conftest import CHECKOUT, NEW_YORK
from tests.scenarios import registered
from tests.waiting import until

OWNER, API, HUB = "0wn3r-s3cret", "4pi-s3cret", "hu8-s3cret"
REGIONS = ("BRONX",)


def binaries() -> Path | None:
    """Of a PostgreSQL that we can use and that speaks TLS."""
    found = [Path(path).parent for path in (shutil.which("postgres"),) if path]
    for folder in (*found, *Path("/usr/lib/postgresql").glob("*/bin")):
        config = folder / "pg_config"
        if config.is_file():
            told = subprocess.run([config], capture_output=True, text=True, check=True).stdout
            major = re.search(r"VERSION = PostgreSQL (\d+)", told)
            if major and int(major[1]) >= 16 and re.search("--with-(openssl|ssl)", told):
                return folder
    return None


BINARIES = binaries()
pytestmark = pytest.mark.skipif(BINARIES is None, reason="no PostgreSQL with TLS is here")


@dataclass
class Secured:
    """A server that lets nobody in but by TLS and a password."""

    folder: Path
    url: str  # of the owner, as it would stand in a topology: without a password
    authority: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tsur-tls-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture(scope="module")
def authority(folder: Path) -> "Authority":
    return Authority(folder / "ca.crt")


@pytest.fixture(scope="module")
def node(folder: Path, authority: "Authority") -> Iterator[Secured]:
    with secured(folder / "node", authority) as server:
        yield server


@pytest.fixture(scope="module")
def hub(folder: Path, authority: "Authority") -> Iterator[Secured]:
    with secured(folder / "hub", authority) as server:
        yield server


class Authority:
    """Signs the certificates of servers."""

    def __init__(self, file: Path) -> None:
        self.file, self.key = file, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file.stem)])
        own = x509.BasicConstraints(ca=True, path_length=None)
        file.write_bytes(self.signed(self.name, self.key.public_key(), own))

    def signed(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, says: x509.ExtensionType
    ) -> bytes:
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(self.name, name, key, x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(says, critical=True)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def certify(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        (folder / "server.crt").write_bytes(self.signed(name, key.public_key(), address))
        (folder / "server.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        (folder / "server.key").chmod(0o600)


@contextmanager
def secured(folder: Path, authority: Authority) -> Iterator[Secured]:
    assert BINARIES is not None
    folder.mkdir()
    data, port, user = folder / "data", free_port(), "nobody" if os.geteuid() == 0 else None
    (folder / "password").write_text(OWNER)
    authority.certify(folder)
    (folder / "hba").write_text("hostssl all,replication all 127.0.0.1/32 scram-sha-256\n")
    (folder / "log").touch()
    if user is not None:
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user)
    subprocess.run(
        [
            *(BINARIES / "initdb", "-D", data, "-U", "owner", "-E", "UTF8", "--locale=C.UTF-8"),
            *("-A", "scram-sha-256", "--pwfile", folder / "password", "--no-sync"),
        ],
        user=user,
        check=True,
        capture_output=True,
    )
    settings = {
        "fsync": "off",
        "hba_file": folder / "hba",
        "listen_addresses": "127.0.0.1",
        "log_statement": "none",
        "port": port,
        "ssl": "on",
        "ssl_cert_file": folder / "server.crt",
        "ssl_key_file": folder / "server.key",
        "unix_socket_directories": "",
        "wal_level": "logical",
    }
    given = [f"--{name}={value}" for name, value in settings.items()]
    url = (
        f"postgresql://owner@127.0.0.1:{port}/postgres?sslmode=verify-full"
        f"&sslrootcert={authority.file}"
    )
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [BINARIES / "postgres", "-D", data, *given],
            user=user,
            # Not ours, where libpq looks for certificates by itself.
            env={"HOME": str(folder)},
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: "ready to accept connections" in (folder / "log").read_text())
        yield Secured(folder, url, authority.file)
    finally:
        process.terminate()
        process.wait()


@dataclass
class Federation:
    topology: Path
    passfile: Path
    node_url: str
    hub_url: str

    def tsur(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """As an operator at the hub."""
        given = {
            "TSUR_HOME": str(self.passfile.parent),
            "TSUR_CATALOGUE": str(NEW_YORK),
            "TSUR_TOPOLOGY": str(self.topology),
            "PGPASSFILE": str(self.passfile),
            "PATH": os.environ["PATH"],
        }
        return subprocess.run(
            [sys.executable, "-m", "api.cli", *words],
            env=given | changes,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def federation(folder: Path, node: Secured, hub: Secured, catalogue: Catalogue) -> Federation:
    passfile = folder / "operator.pass"
    passfile.write_text(f"127.0.0.1:*:*:owner:{OWNER}\n")
    passfile.chmod(0o600)
    of_hub = folder / "hub" / "pass"
    of_hub.write_text(f"127.0.0.1:*:*:hub_of_node:{HUB}\n")
    of_hub.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(of_hub, "nobody")
    owner = {"passfile": str(passfile)}
    node_url = create_database(make_conninfo(node.url, **owner), "node")
    hub_url = create_database(make_conninfo(hub.url, **owner), "hub")
    prepare(node_url, catalogue, REGIONS)
    with psycopg.connect(node_url, autocommit=True) as connection:
        connection.execute(logins("node").encode())
        for role, password in (("api_of_node", API), ("hub_of_node", HUB)):
            connection.execute(f"ALTER ROLE {role} PASSWORD '{password}'".encode())
    replicated = make_conninfo(node.url, dbname="node", user="hub_of_node", passfile=str(of_hub))
    topology = folder / "topology.toml"
    topology.write_text(
        f"""
        hub = "hub"
        nodes.hub = {{ api = "https://hub.example", database = "{url_of(hub, "hub")}" }}
        [nodes.first]
        api = "https://first.example"
        regions = ["BRONX"]
        database = "{url_of(node, "node")}"
        replication = "{replicated}"
        """
    )
    return Federation(topology, passfile, node_url, hub_url)


def url_of(server: Secured, database: str) -> str:
    return make_conninfo(server.url, dbname=database)


def test_a_process_gets_in_by_tls_and_its_password_only(
    federation: Federation, node: Secured, catalogue: Catalogue, tmp_path: Path
) -> None:
    given = {"dbname": "node", "user": "api_of_node", "password": API}
    url = make_conninfo(node.url, **given)
    check_server(url)
    with command_pool(url) as pool:
        registered(Node(url, catalogue, Vault(b"0" * 32), pool).centre("BRONX"))
        tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        with pool.connection() as connection:
            assert connection.execute(tls).fetchone() == (True,)
    stranger = Authority(tmp_path / "stranger.crt").file
    for changes in (
        {"sslmode": "disable"},
        {"sslrootcert": str(stranger)},
        {"host": "localhost"},  # the certificate is of the address
        {"password": f"{API}?"},
    ):
        with pytest.raises(PostgresUnavailable) as refused:
            check_server(make_conninfo(url, **changes))
        assert API not in f"{refused.value!r} {refused.value.__cause__!r}"


def test_a_hub_follows_by_passfile_and_the_password_is_told_nowhere(
    federation: Federation, node: Secured, hub: Secured, catalogue: Catalogue
) -> None:
    ran = [federation.tsur("federation", "migrate")]
    with psycopg.connect(federation.node_url, autocommit=True) as owner:
        owner.execute("ALTER ROLE hub_of_node PASSWORD 'another'")
        ran.append(federation.tsur("federation", "join", "first"))
        owner.execute(f"ALTER ROLE hub_of_node PASSWORD '{HUB}'".encode())
    ran.append(federation.tsur("federation", "join", "first"))
    ran.append(federation.tsur("federation", "status"))
    assert [each.returncode for each in ran] == [0, 1, 0, 0], ran
    with command_pool(federation.node_url) as pool:
        registered(Node(federation.node_url, catalogue, Vault(b"0" * 32), pool).centre("BRONX"))
    with replication.connect(federation.hub_url) as at_hub:
        with replication.connect(federation.node_url) as at_node:
            position = comparing.last_position(at_node, "BRONX")
        until(lambda: comparing.last_position(at_hub, "BRONX") == position)
    ran.append(federation.tsur("federation", "audit"))
    assert ran[-1].returncode == 0
    assert "does not reach first" in ran[1].stderr
    told = "".join(each.stdout + each.stderr for each in ran)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    for place in (told, node.log, hub.log, running.stdout, federation.topology.read_text()):
        assert not any(secret in place for secret in (OWNER, API, HUB))
    with psycopg.connect(federation.hub_url) as owner:
        (stored,) = owner.execute("SELECT subconninfo FROM pg_subscription").fetchone() or ("",)
        assert "sslmode=verify-full" in stored
        assert HUB not in stored
        owner.execute("SET ROLE tsur_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("SELECT subconninfo FROM pg_subscription")
