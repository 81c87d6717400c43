"""The protocol graphql-transport-ws: many operations on one socket, none of which can end it.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Only what breaks the protocol
itself closes a socket; what is wrong with an operation is told to that operation.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.context import Context
from api.expiry import EXPIRED_CODE, EXPIRED_REASON, LAST_WORDS_SECONDS, end_when_expired
from api.transport.execution import Asked, BodyInvalid, Execution, asked_in
from api.transport.groups import Told
from api.viewer import IssuerUnavailable
from domain.errors import DomainError, NotPermitted

PROTOCOL = "graphql-transport-ws"
OFFER = "tsur.offer"  # an extension of ASGI
Offer = Callable[[bytes], bool]  # whether the text was taken
INIT_SECONDS = 5.0  # for a client to say who it is
OPERATIONS_MAX = 20  # at once on a socket
ID_CHARACTERS_MAX = 128

# Close codes of the protocol, and those of RFC 6455 for what will pass.
INVALID, UNAUTHORIZED, FORBIDDEN, NO_PROTOCOL = 4400, 4401, 4403, 4406
INIT_TIMEOUT, TWICE, INIT_REPEATED, RESTART, TRY_AGAIN = 4408, 4409, 4429, 1012, 1013


class TooManyOperations(DomainError):
    """{limit} operations run on this socket; complete one first, or open another socket."""


class Broken(Exception):
    """The client does not speak the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Socket:
    """One client. `authenticate` gives its context from the payload of connection_init."""

    def __init__(
        self,
        socket: WebSocket,
        execution: Execution,
        authenticate: Callable[[dict[str, Any]], Awaitable[Context]],
    ) -> None:
        self.socket = socket
        self.execution = execution
        self.authenticate = authenticate
        self.context: Context | None = None
        # Of our own server (api/serving.py): it takes a text that needs not be waited for.
        self.offer: Offer | None = socket.scope.get("extensions", {}).get(OFFER)
        self.running: dict[str, asyncio.Task[None]] = {}
        self.watching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until somebody closes it."""
        if PROTOCOL not in self.socket.scope.get("subprotocols", []):
            await self.socket.accept()
            await self.close(NO_PROTOCOL, "Subprotocol not acceptable")
            return
        await self.socket.accept(PROTOCOL)
        try:
            await self._greeted()
            while True:
                await self._take(await self._message())
        except Broken as broken:
            await self.close(broken.code, broken.reason)
        except WebSocketDisconnect:
            pass
        finally:
            tasks = [*self.running.values(), *([self.watching] if self.watching else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, code: int, reason: str) -> None:
        with suppress(RuntimeError):  # the client was faster
            await self.socket.close(code, reason)

    async def _greeted(self) -> None:
        try:
            async with asyncio.timeout(INIT_SECONDS):
                message = await self._message()
                while message["type"] == "ping":
                    await self._send({"type": "pong"})
                    message = await self._message()
        except TimeoutError:
            raise Broken(INIT_TIMEOUT, "Connection initialisation timeout") from None
        if message["type"] != "connection_init":
            raise Broken(UNAUTHORIZED, "Unauthorized")
        payload = message.get("payload")
        if not isinstance(payload, dict | None):
            raise Broken(INVALID, "The payload of connection_init is an object")
        try:
            self.context = await self.authenticate(payload or {})
        except (NotPermitted, IssuerUnavailable) as refusal:
            self.execution.observer.refused(refusal.code)
            if isinstance(refusal, NotPermitted):
                raise Broken(FORBIDDEN, "Forbidden") from None
            raise Broken(TRY_AGAIN, "Try again later") from None
        self.watching = asyncio.create_task(self._end(self.context))
        await self._send({"type": "connection_ack"})

    async def _end(self, context: Context) -> None:
        """Close the socket when its streams must end, though nothing happens on it."""
        await end_when_expired(context)
        if self.running:
            await asyncio.wait(self.running.values(), timeout=LAST_WORDS_SECONDS)
        if isinstance(context.ended.result(), NotPermitted):
            await self.close(EXPIRED_CODE, EXPIRED_REASON)
        else:
            await self.close(RESTART, "Service restart")

    async def _message(self) -> dict[str, Any]:
        """Raises Broken for what is no message, WebSocketDisconnect at the end."""
        received = await self.socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code") or 1000)
        text = received.get("text")
        if text is None:
            raise Broken(INVALID, "Messages are text")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise Broken(INVALID, "Messages are JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise Broken(INVALID, "A message is an object with a type")
        return message

    async def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "connection_init":
                raise Broken(INIT_REPEATED, "Too many initialisation requests")
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                task = self.running.pop(_id_of(message), None)
                if task is not None:
                    task.cancel()
            case _:
                raise Broken(INVALID, "Unknown type of message")

    async def _subscribe(self, message: dict[str, Any]) -> None:
        operation = _id_of(message)
        if operation in self.running:
            raise Broken(TWICE, f"Subscriber for {operation} already exists")
        try:
            if len(self.running) >= OPERATIONS_MAX:
                raise TooManyOperations(limit=OPERATIONS_MAX)
            asked = asked_in(message.get("payload"))
        except (BodyInvalid, TooManyOperations) as refusal:
            self.execution.observer.refused(refusal.code)
            await self._send_errors(operation, [_told(refusal)])
            return
        task = asyncio.create_task(self._carry(operation, asked))
        self.running[operation] = task

    async def _carry(self, operation: str, asked: Asked) -> None:
        assert self.context is not None, "nobody is served before they are greeted"  # noqa: S101
        name = orjson.dumps(operation)
        send = partial(_offered, self.offer, name) if self.offer else None
        try:
            async with aclosing(self.execution.stream(asked, self.context, send)) as following:
                async for told in following:
                    await self._send_text(_message(name, told).decode())
                    if told.errors is not None:
                        return
            await self._send({"id": operation, "type": "complete"})
        except (WebSocketDisconnect, RuntimeError):
            pass  # nobody is left to be told
        finally:
            if self.running.get(operation) is asyncio.current_task():
                del self.running[operation]

    async def _send_errors(self, operation: str, errors: object) -> None:
        await self._send({"id": operation, "type": "error", "payload": errors})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._send_text(orjson.dumps(message).decode())

    async def _send_text(self, text: str) -> None:
        """Text, not bytes: clients drop binary frames."""
        if self.socket.application_state is WebSocketState.CONNECTED:
            await self.socket.send_text(text)


def _offered(offer: Offer, name: bytes, told: Told) -> bool:
    return offer(_message(name, told))


def _message(name: bytes, told: Told) -> bytes:
    """Of the operation whose id is this JSON. What is encoded for many is not encoded again."""
    if told.payload is not None:
        return b'{"id":%b,"type":"next","payload":%b}' % (name, told.payload)
    if told.errors is not None:
        return b'{"id":%b,"type":"error","payload":%b}' % (name, orjson.dumps(told.errors))
    cursor = (told.cursor or "").encode()
    return b'{"type":"ping","payload":{"cursors":{%b:"%b"}}}' % (name, cursor)


def _id_of(message: dict[str, Any]) -> str:
    operation = message.get("id")
    if not isinstance(operation, str) or not 0 < len(operation) <= ID_CHARACTERS_MAX:
        raise Broken(INVALID, "An operation has an id, a text that is not too long")
    return operation


def _told(refusal: DomainError) -> dict[str, Any]:
    return {"message": str(refusal), "extensions": {"code": refusal.code}}
