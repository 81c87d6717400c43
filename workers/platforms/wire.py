"""HTTP to a platform: to one configured address, within limits, without showing a secret."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar

import httpx
import msgspec

from workers.platforms.clients import Postponed, RefusalReason, Refused, Uncertain, spread

T = TypeVar("T")

TIMEOUT_SECONDS = 5.0  # of each step, and of the whole answer from its beginning on
ANSWER_BYTES_MAX = 2 * 1024 * 1024
AWAY_SECONDS = 30.0  # a platform that cannot be reached is asked again after this


class AddressInvalid(ValueError):
    """The address of a platform must be https://host[:port][/path]; http only to this machine."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """`path` follows the configured address; it and `query` may hold a secret."""

    path: str
    method: str = "POST"
    query: Mapping[str, str] | None = None
    form: Mapping[str, str] | None = None
    content: bytes | None = None
    headers: Mapping[str, str] | None = None


class Wire:
    """Sends a request once. Never follows a redirect, never opens another address."""

    def __init__(self, address: str, *, repeats_safely: bool) -> None:
        self.repeats_safely = repeats_safely
        self._http = httpx.Client(
            base_url=checked_address(address),
            timeout=TIMEOUT_SECONDS,
            follow_redirects=False,
            trust_env=False,
            # A kept connection may be closed under our hands, and then nobody can tell whether the
            # request was read. Where that matters each call opens its own.
            limits=httpx.Limits(max_keepalive_connections=None if repeats_safely else 0),
            # No compression: a small answer could unpack to any size.
            headers={"Accept-Encoding": "identity", "User-Agent": "tsur"},
        )

    def close(self) -> None:
        self._http.close()

    def send(self, request: Request) -> Answer:
        """Whatever the platform answers. Raises Refused, Postponed, Uncertain.

        What httpx raises is not kept as a cause: it holds the request, and that the token.
        """
        try:
            return self._exchange(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            failure: Exception = Postponed(spread(AWAY_SECONDS), type(error).__name__)
        except httpx.HTTPError as error:
            failure = self.lost(type(error).__name__)
        raise failure

    def lost(self, told: str) -> Exception:
        """What to raise when the request was sent and no answer that means anything came."""
        if self.repeats_safely:
            return Postponed(spread(AWAY_SECONDS), told)
        return Uncertain(told)

    def _exchange(self, request: Request) -> Answer:
        with self._http.stream(
            request.method,
            request.path,
            params=request.query,
            data=request.form,
            content=request.content,
            headers=request.headers,
        ) as response:
            # From here on: what is sent may be large, and the line slow.
            until = time.monotonic() + TIMEOUT_SECONDS
            self._check(response)
            body = bytearray()
            for part in response.iter_raw():
                body += part
                if len(body) > ANSWER_BYTES_MAX or time.monotonic() > until:
                    raise self.lost("the answer is too long")
            return Answer(response.status_code, response.headers, bytes(body))

    def _check(self, response: httpx.Response) -> None:
        if response.is_redirect or response.has_redirect_location:
            # A person must look at the address in the configuration.
            raise Refused(RefusalReason.CHANNEL_UNAVAILABLE, f"HTTP {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self.lost("the answer is compressed")

    def read(self, answer: Answer, kind: type[T]) -> T:
        """An answer as documented.

        Raises Refused if what answers with an error is not the platform's API; else as
        check_status and `lost`.
        """
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (ValueError, RecursionError):
            failure = self.lost("unreadable answer")
        self.check_status(answer)
        if answer.status >= 400:
            raise Refused(RefusalReason.CHANNEL_UNAVAILABLE, f"HTTP {answer.status}")
        raise failure

    def check_status(self, answer: Answer) -> None:
        """Raises Postponed or Uncertain for an answer of no application: 429, 503, other 5xx."""
        if answer.status in (429, 503):
            # Not taken up (RFC 9110, 15.6.4; RFC 6585, 4), so safe to repeat in any case.
            raise Postponed(retry_after(answer), f"HTTP {answer.status}")
        if answer.status >= 500:
            raise self.lost(f"HTTP {answer.status}")


def retry_after(answer: Answer) -> float:
    """Seconds by the header Retry-After, where it is sane; else a pause of our own."""
    given = answer.headers.get("retry-after", "")
    if given.isascii() and given.isdecimal() and len(given) <= 5:
        return max(1.0, float(given))
    return spread(AWAY_SECONDS)


def checked_address(address: str) -> str:
    """Raises AddressInvalid, without quoting what may hold a password."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise AddressInvalid(AddressInvalid.__doc__) from None
    plain = url.scheme == "http" and _is_this_machine(url.host)
    if not url.host or url.userinfo or url.query or url.fragment:
        raise AddressInvalid(AddressInvalid.__doc__)
    if url.scheme != "https" and not plain:
        raise AddressInvalid(AddressInvalid.__doc__)
    return address


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_address(record: logging.LogRecord) -> bool:
    """Cut the address of a request out of what httpx logs: a token can stand in it."""
    if isinstance(record.args, tuple):
        record.args = tuple(_origin(part) for part in record.args)
    return True


def _origin(part: Any) -> Any:
    return f"{part.scheme}://{part.netloc.decode()}/…" if isinstance(part, httpx.URL) else part


logging.getLogger("httpx").addFilter(_without_address)
