"""Which third-party files the GraphiQL page needs, at which versions, and whether they are here."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "static" / "assets"


@dataclass(frozen=True, slots=True)
class Package:
    """An npm package; `integrity` is what `npm view NAME@VERSION dist.integrity` prints."""

    name: str
    version: str
    integrity: str
    files: tuple[str, ...]

    @property
    def spec(self) -> str:
        """NAME@VERSION, as npm wants it."""
        return f"{self.name}@{self.version}"


# GraphiQL 4 and React 18 are the last that ship a file a browser can load as it is. GraphiQL 5
# needs a bundler, and Monaco with web workers: refused, for four script tags do.
PACKAGES = (
    Package(
        name="react",
        version="18.3.1",
        integrity="sha512-"
        "wS+hAgJShR0KhEvPJArfuPVN1+Hz1t0Y6n5jLrGQbkb4urgPE/0Rve+1kMB1v/oWgHgm4WIcV+i7F2pTVj+2iQ==",
        files=("umd/react.production.min.js", "LICENSE"),
    ),
    Package(
        name="react-dom",
        version="18.3.1",
        integrity="sha512-"
        "5m4nQKp+rZRb09LNH59GM4BxTh9251/ylbKIbpe7TpGxfJ+9kv6BLkLBXIjjspbgbnIBNqlI23tRnTWT0snUIw==",
        files=("umd/react-dom.production.min.js", "LICENSE"),
    ),
    Package(
        name="graphql-ws",
        version="6.4.2",
        integrity="sha512-"
        "wxhPhhOGJo8PbGDkBYVE76sZLDrS+GkyrR4bZECSLVbo0pZZNKs0HtBh2Ip/uaUuiVUxwO9ssI9R92buQfNSqQ==",
        files=("umd/graphql-ws.min.js", "LICENSE.md"),
    ),
    Package(
        name="graphiql",
        version="4.1.2",
        integrity="sha512-"
        "rNlzQIAzm6i2KBXmVQWBgLvt0TloxFVB2d18bukvdsvjEuFDHsKx5IVOomL1W1o5WW+tE54+ioHb2AEKzO2cUg==",
        files=("graphiql.min.js", "graphiql.min.css", "LICENSE"),
    ),
)


def assets() -> Path | None:
    """The folder with each package's files under its name, or None unless all pins are met."""
    stamp = FOLDER / "pinned.txt"
    return FOLDER if stamp.is_file() and stamp.read_text() == pins() else None


def pins() -> str:
    """What the stamp `pinned.txt` says once every file of every package is in place."""
    return "".join(f"{package.spec} {package.integrity}\n" for package in PACKAGES)
