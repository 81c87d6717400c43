"""What a hub cannot open, asked of the node that has the keys, with the viewer's own token.

So rights are decided there, and the look is logged there. The token goes to the address of the
topology only, and to no redirect.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import httpx
import msgspec

from api.types.node import incident_id
from domain.commands import Citizen
from domain.errors import DomainError, NotPermitted, RegionAway
from regions.node import Node

TIMEOUT_SECONDS = 3.0  # of one incident; the rest of the answer waits for it
QUERY = """
query DrillDown(
  $id: ID!, $asOf: DateTime, $began: [String!], $citizen: Boolean!, $texts: Boolean!
) {
  incident(id: $id, asOf: $asOf, readAfter: $began) {
    citizen @include(if: $citizen) { name contact text }
    timeline @include(if: $texts) { version text }
  }
}
"""


class Look(NamedTuple):
    """An incident of which somebody wants to see what is sealed."""

    region: str
    incident_id: UUID
    texts: bool  # of its events; else its citizen
    as_of: datetime | None
    began: int  # the position of its first event: a node that is behind is no refusal


class _Text(msgspec.Struct, frozen=True):
    version: int
    text: str | None


class Opened(msgspec.Struct, frozen=True):
    """As its node shows it; nothing of what was not asked for."""

    citizen: Citizen | None = None
    timeline: tuple[_Text, ...] = ()

    def text(self, version: int) -> str | None:
        return next((each.text for each in self.timeline if each.version == version), None)


class _Extensions(msgspec.Struct, frozen=True):
    code: str = ""


class _Error(msgspec.Struct, frozen=True):
    path: tuple[str | int, ...] = ()
    extensions: _Extensions = _Extensions()


class _Data(msgspec.Struct, frozen=True):
    incident: Opened | None = None


class _Answer(msgspec.Struct, frozen=True):
    data: _Data | None = None
    errors: tuple[_Error, ...] = ()


class DrillDown:
    """One for the process: it keeps the connections."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._http = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def look(
        self, authorization: str | None, wanted: Sequence[Look]
    ) -> list[Opened | DomainError]:
        """In the order of what is wanted; each incident is asked about once."""
        asked: dict[Look, set[bool]] = {}
        for each in wanted:
            asked.setdefault(each._replace(texts=False), set()).add(each.texts)
        answers = await asyncio.gather(
            *(self._ask(authorization, look, kinds) for look, kinds in asked.items())
        )
        found = dict(zip(asked, answers, strict=True))
        return [_part(each, found[each._replace(texts=False)]) for each in wanted]

    async def _ask(
        self, authorization: str | None, look: Look, kinds: set[bool]
    ) -> _Answer | DomainError:
        place = self.node.elsewhere(look.region)
        assert place is not None, "what is here is opened here"  # noqa: S101
        variables = {
            "id": incident_id(look.region, look.incident_id),
            "asOf": look.as_of and look.as_of.isoformat(),
            "began": [f"{look.region}:{look.began}"],
            "citizen": False in kinds,
            "texts": True in kinds,
        }
        # What httpx raises holds the request, and that the token: it is not kept as a cause.
        with suppress(httpx.HTTPError, TimeoutError, ValueError, RecursionError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await self._http.post(
                    f"{place.api.rstrip('/')}/graphql",
                    json={"query": QUERY, "variables": variables, "operationName": "DrillDown"},
                    headers={"Authorization": authorization or ""},
                )
            if response.status_code == 401:
                return NotPermitted()
            return msgspec.json.decode(response.content, type=_Answer)
        return RegionAway(region=look.region)


def _part(look: Look, answer: _Answer | DomainError) -> Opened | DomainError:
    """What was wanted of an answer, or why it is not there: the rest of the answer may be."""
    if isinstance(answer, DomainError):
        return answer
    part = ("incident", "timeline" if look.texts else "citizen")
    refusals = [each for each in answer.errors if each.path[:2] in (part, part[:1], ())]
    if any(each.extensions.code == NotPermitted().code for each in refusals):
        return NotPermitted()
    if refusals or answer.data is None:  # busy, or behind
        return RegionAway(region=look.region)
    return answer.data.incident or NotPermitted()  # they see none there
