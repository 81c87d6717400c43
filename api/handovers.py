"""The door for other nodes: an incident of theirs that belongs here is recorded, then answered.

How it is asked stands in workers/handovers.py. Not 200 means that it may come again, but for 4xx:
those never succeed.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.transport.http import BodyTooLarge, read_body
from domain.errors import DomainError, InvalidInput, NotPermitted
from regions.federation.transfers import Handover, receive
from regions.node import Node
from regions.store.event_store import StoreUnavailable
from workers.handovers import DIGEST_HEADER, PATH
from workers.platforms.signed import SIGNATURE_HEADER, TIMESTAMP_HEADER, authentic

# Some 1,700 of the longest messages about one incident, recorded in 10 s. Strangers do not get that
# far: they are turned away before anything is read.
BODY_BYTES_MAX = 64 * 1024 * 1024


class HandoverInvalid(InvalidInput):
    """The body is no handover of an incident."""

    field = "body"


STATUS: dict[type[DomainError], int] = {NotPermitted: 401, BodyTooLarge: 413, HandoverInvalid: 400}


@dataclass(frozen=True)
class HandoverDoor:
    node: Node
    key: bytes
    clock: Callable[[], datetime]
    threads: CapacityLimiter

    def routes(self) -> Sequence[Route]:
        return [Route(PATH, self.answer, methods=["POST"])]

    async def answer(self, request: Request) -> Response:
        try:
            handover = await self._read(request)
            result = await to_thread.run_sync(
                lambda: receive(self.node, handover, at=self.clock()), limiter=self.threads
            )
        except ClientDisconnect:
            return Response(status_code=400)  # nobody waits for it
        except StoreUnavailable:
            return PlainTextResponse("", 503)
        except DomainError as refusal:
            return _refused(refusal)
        told = {"incident": f"{result.incident_id}", "position": f"{result.position}"}
        return JSONResponse(told)

    async def _read(self, request: Request) -> Handover:
        """Raises NotPermitted, before it is read, for what no node signed lately."""
        digest = request.headers.get(DIGEST_HEADER, "")
        genuine = authentic(
            digest.encode("utf-8", "replace"),
            timestamp=request.headers.get(TIMESTAMP_HEADER),
            signature=request.headers.get(SIGNATURE_HEADER),
            key=self.key,
            now=self.clock(),
        )
        if not genuine:
            raise NotPermitted
        body = await read_body(request, limit=BODY_BYTES_MAX)
        if not hmac.compare_digest(hashlib.sha256(body).hexdigest(), digest):
            raise NotPermitted
        try:
            return msgspec.json.decode(body, type=Handover)
        except (ValueError, RecursionError):
            raise HandoverInvalid from None


def _refused(refusal: DomainError) -> Response:
    error = {"code": refusal.code, "message": str(refusal), "field": refusal.field}
    status = next((code for of, code in STATUS.items() if isinstance(refusal, of)), 422)
    return JSONResponse({"error": error}, status_code=status)
