"""The second line: PostgreSQL itself shows a viewer's questions only the incidents of their scope.

The first are the conditions of each question. Should one forget them, the policies of schema.sql
show nothing of another scope. Each has one scalar test, or two: an OR costs hundreds of times more.
"""

from typing import Any, NamedTuple

from psycopg import AsyncConnection

from domain.errors import NotPermitted
from domain.rights import Scope


class Wall(NamedTuple):
    """A role of regions/store/roles.py, and what its policy compares with."""

    role: str
    region: str = ""
    within: str = ""  # code of the municipality or body
    codes: tuple[str, ...] = ()  # of the district's regions, or of topics


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
    await connection.execute(
        """
        SELECT set_config('tsur.region', %(region)s, true),
               set_config('tsur.within', %(within)s, true),
               set_config('tsur.codes', %(codes)s::text[]::text, true),
               set_config('role', %(role)s, true)
        """,
        wall_of(scope)._asdict() | {"codes": list(wall_of(scope).codes)},
    )
