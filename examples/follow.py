"""Follow the changes of a region, and go on where a broken connection left off.

    .venv/bin/python examples/follow.py 63 "$(tsur token --scope 63)"

Cut the connection as often as you like: every change comes once, in order.
"""

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any

from websockets import ConnectionClosed, Subprotocol, connect

ADDRESS = "ws://127.0.0.1:8000/graphql"
PROTOCOL = Subprotocol("graphql-transport-ws")
FORBIDDEN = 4403  # the code the node closes a socket with whose token it does not accept
CHANGES = """
subscription Changes($region: String!, $after: String) {
  incidentChanges(region: $region, after: $after) {
    cursor event status occurredAt
    incident { topic { name } municipality { name } }
  }
}
"""


async def follow(region: str, token: str) -> None:
    cursor: str | None = None
    while True:
        try:
            async with connect(ADDRESS, subprotocols=[PROTOCOL]) as socket:
                await begin(socket, {"region": region, "after": cursor}, token)
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "error":
                        told = message["payload"][0]["extensions"]
                        if told["code"] not in ("STREAM_LAGGING", "SERVER_STOPPING"):
                            sys.exit(f"The stream is refused: {told['code']}")
                        cursor = told["cursor"]
                        await asyncio.sleep(told.get("reconnectAfterSeconds", 0))
                        break
                    cursor = show(message) or cursor
        except (ConnectionClosed, OSError) as error:
            if isinstance(error, ConnectionClosed) and error.rcvd and error.rcvd.code == FORBIDDEN:
                sys.exit("The node does not accept the token.")
            print(f"-- cut; resuming after {cursor}")
            await asyncio.sleep(1)


async def begin(socket: Any, variables: dict[str, str | None], token: str) -> None:
    init = {"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}}
    await socket.send(json.dumps(init))
    await socket.recv()  # connection_ack
    payload = {"query": CHANGES, "variables": variables}
    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))


def show(message: dict[str, Any]) -> str | None:
    """Print a change; returns its cursor, or of a quiet stream how far it is."""
    if message["type"] == "ping":
        told: dict[str, str] = message["payload"]["cursors"]
        return told["1"]
    if message["type"] != "next":
        return None
    change = message["payload"]["data"]["incidentChanges"]
    incident = change["incident"] or {}  # null: it is in another place by now
    topic, place = incident.get("topic") or {}, incident.get("municipality") or {}
    print(change["cursor"], change["event"], place.get("name"), topic.get("name"), sep="  ")
    return str(change["cursor"])


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(follow(*sys.argv[1:3]))
