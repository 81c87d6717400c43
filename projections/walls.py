"""The second line: PostgreSQL itself shows a viewer's questions only the incidents of their scope.

The first are the conditions of each question. Should one forget them, the policies of schema.sql
show nothing of another scope. Each has one scalar test, or two: an OR costs hundreds of times more.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import AsyncConnection
from psycopg.adapt import PyFormat, Transformer

from domain.errors import NotPermitted
from domain.rights import Scope


class Wall(NamedTuple):
    """A role of regions/store/roles.py, and what its policy compares with."""

    role: str
    region: str | None = None
    within: str | None = None  # code of the municipality or body
    codes: tuple[str, ...] | None = None  # of the district's regions, or of topics

    @property
    def settings(self) -> dict[str, str]:
        """To be set as long as it stands: names and texts."""
        found = {"role": self.role, "tsur.region": self.region, "tsur.within": self.within}
        if self.codes is not None:
            found["tsur.codes"] = _listed(self.codes)
        return {name: text for name, text in found.items() if text is not None}


def _listed(codes: Sequence[str]) -> str:
    """As PostgreSQL reads an array."""
    listed = Transformer().get_dumper([*codes], PyFormat.TEXT).dump([*codes])
    return bytes(listed or b"").decode()


def wall_of(scope: Scope) -> Wall:
    """Raises NotPermitted for a scope that has no role, which no token gives."""
    match scope:
        case Scope(None, None, None, None, None):
            return Wall("tsur_country")
        case Scope(None, None, None, tuple(regions), None):
            return Wall("tsur_district", codes=regions)
        case Scope(str(region), None, None, None, None):
            return Wall("tsur_region", region)
        case Scope(str(region), str(municipality), None, None, None):
            return Wall("tsur_municipality", region, municipality)
        case Scope(str(region), None, str(organisation), None, None):
            return Wall("tsur_organisation", region, organisation)
        case Scope(str(region), None, None, None, tuple(topics)):
            return Wall("tsur_topics", region, codes=topics)
    raise NotPermitted


async def confine(connection: AsyncConnection[Any], scope: Scope) -> None:
    """Until the end of the transaction that the connection is in. Raises NotPermitted."""
    settings = wall_of(scope).settings
    await connection.execute(setting(settings, ["%s"] * len(settings)), [*settings.values()])


def setting(names: Iterable[str], values: Iterable[str]) -> bytes:
    """A statement that sets them until the end of its transaction."""
    set_each = (
        f"set_config('{name}', {value}, true)" for name, value in zip(names, values, strict=True)
    )
    return f"SELECT {', '.join(set_each)}".encode()
