"""Incidents that go to a region of another node: posted to its API until it has recorded them.

    POST /nodes/handovers
    X-Tsur-Digest: <hex of SHA-256(body)>
    X-Tsur-Timestamp, X-Tsur-Signature: as of workers/platforms/signed, of the digest

The key is `federation.key`, the same at all nodes. That only the digest is signed lets the door
turn strangers away before it reads what they send. It answers 200 with where the incident is now,
once that is recorded, and answers the same however often it is asked.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Annotated
from uuid import UUID

import msgspec

from regions.federation.topology import Place
from regions.federation.transfers import Handover, hand_over, receive
from regions.node import Node
from workers.platforms.signed import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from workers.platforms.wire import Answer, Request, Wire

log = logging.getLogger(__name__)

PATH = "/nodes/handovers"
DIGEST_HEADER = "X-Tsur-Digest"


class HandoverRefused(Exception):
    """The other node will not take it, however often it comes: somebody must look."""


class Arrived(msgspec.Struct, frozen=True):
    """Where it is now."""

    incident: UUID
    position: str


class _Problem(msgspec.Struct, frozen=True):
    code: Annotated[str, msgspec.Meta(pattern="^[A-Z_]{1,60}$")]


class _Told(msgspec.Struct, frozen=True):
    error: _Problem


@dataclass
class Handovers:
    node: Node
    key: bytes | None  # None: there are no other nodes, or this one has nothing to hand over
    now: Callable[[], datetime]
    _wires: dict[str, Wire] = field(default_factory=dict)  # by address
    _lock: Lock = field(default_factory=Lock)  # threads ask at once

    def carry(self, region: str, incident_id: UUID, version: int) -> None:
        """Let what was transferred arrive, here or in another node.

        Raises Postponed while that is away, HandoverRefused, and what `hand_over` raises.
        """
        handover = hand_over(self.node.centre(region), incident_id, version)
        place = self.node.elsewhere(handover.to_region)
        if place is None or self.key is None:
            receive(self.node, handover, at=self.now())
        else:
            self._post(place, self.key, handover)

    def _post(self, place: Place, key: bytes, handover: Handover) -> Arrived:
        body = msgspec.json.encode(handover)
        digest = hashlib.sha256(body).hexdigest()
        timestamp = f"{int(self.now().timestamp())}"
        headers = {
            "Content-Type": "application/json",
            DIGEST_HEADER: digest,
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: sign(digest.encode(), timestamp=timestamp, key=key),
        }
        wire = self._wire(place.api)
        answer = wire.send(Request(PATH, content=body, headers=headers))
        wire.check_status(answer)
        if answer.status != 200:
            log.warning("%s refuses a handover: %s", place.api, _reason(answer))
            raise HandoverRefused
        return wire.read(answer, Arrived)

    def _wire(self, address: str) -> Wire:
        with self._lock:
            if address not in self._wires:
                self._wires[address] = Wire(address, repeats_safely=True)
            return self._wires[address]

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()


def _reason(answer: Answer) -> str:
    try:
        return msgspec.json.decode(answer.body, type=_Told).error.code
    except (ValueError, RecursionError):
        return f"HTTP {answer.status}"
