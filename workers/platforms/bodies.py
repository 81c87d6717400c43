"""Reading what a platform sent: each way in which it can be wrong has a code of its own."""

import hashlib
import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec

from domain.commands import SHORT_TEXT_MAX, TEXT_MAX, check_date, check_point, check_text
from domain.errors import InvalidInput
from workers.platforms.facts import NotUnderstood

T = TypeVar("T")

Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
SignedId = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # below zero: no person
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
# Safe in a path, in a log and in a database.
Token = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9:._-]{1,100}\Z")]

# What msgspec says about a type or a bound. Its other messages can quote a value.
SAFE = re.compile(r"(Expected|Number out of range|Integer value out of range)[^'\"]*")
MISSING = re.compile(r"Object (missing required|contains unknown) field `[A-Za-z_]{1,40}`.*")

# How a message without words is shown to the operator who must look at it.
SHOWN = {
    "photo": "фото",
    "live_photo": "фото",
    "video": "видео",
    "animation": "видео",
    "video_note": "видеосообщение",
    "audio": "аудио",
    "doc": "документ",
    "document": "документ",
    "voice": "голосовое сообщение",
    "audio_message": "голосовое сообщение",
    "location": "геопозиция",
    "contact": "контакт",
    "poll": "опрос",
    "link": "ссылка",
    "share": "ссылка",
    "image": "фото",
    "wall": "запись",
    "forwarded": "пересланное сообщение",
    "market": "товар",
}
WORDLESS = frozenset({"sticker", "graffiti", "gift", "dice", "game", "story"})  # no message alone

ABSENT = msgspec.Raw()  # the default of a field that may hold anything, see is_given


class Attachment(msgspec.Struct, frozen=True):
    """Something beside the text; what it is is all we take of it: nothing is ever fetched."""

    type: str


def decode(body: bytes | msgspec.Raw, type: type[T]) -> T:
    """Raises NotUnderstood: NOT_JSON or FIELD_INVALID."""
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.ValidationError as error:
        detail = str(error)
        known = SAFE.fullmatch(detail) or MISSING.fullmatch(detail)
        where = detail.rpartition(" - at ")[2] if " - at " in detail else ""
        raise NotUnderstood("FIELD_INVALID", detail if known else where) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotUnderstood("NOT_JSON") from None


def is_given(value: msgspec.Raw) -> bool:
    """Whether a field was there and not null."""
    return bytes(value) not in (b"", b"null")


def moment(seconds: float, name: str = "date") -> datetime:
    """From Unix time. Raises NotUnderstood: DATE_ABSURD outside 2000-2099."""
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise NotUnderstood("DATE_ABSURD", name) from None
    sane_date(at, name)
    return at


def sane_date(at: datetime, name: str) -> None:
    """Raises NotUnderstood: DATE_ABSURD, DATE_WITHOUT_ZONE."""
    try:
        check_date(name, at)
    except InvalidInput as error:
        raise NotUnderstood(error.code, name) from None


def says_nothing(text: str, attachments: Collection[str]) -> bool:
    """A sticker, a bare repost: nothing an operator would have to look at."""
    return not text.strip() and WORDLESS.issuperset(attachments)


def words(text: str, attachments: Iterable[str] = ()) -> str:
    """The text, or what came instead of one: «[фото] [геопозиция]».

    Raises NotUnderstood: TEXT_EMPTY, TEXT_TOO_LONG, CONTROL_CHARACTER.
    """
    if not text.strip():
        shown = dict.fromkeys(SHOWN.get(kind, "вложение") for kind in attachments)
        text = " ".join(f"[{name}]" for name in shown)
    return sane_text(text, "text", TEXT_MAX)


def sane_text(text: str, name: str, limit: int = SHORT_TEXT_MAX) -> str:
    """Raises NotUnderstood: TEXT_EMPTY, TEXT_TOO_LONG, CONTROL_CHARACTER."""
    try:
        check_text(name, text, limit)
    except InvalidInput as error:
        raise NotUnderstood(error.code, name) from None
    return text


def display_name(*parts: str | None) -> str | None:
    """What a platform shows of an author, cut to what we keep; None if it shows nothing."""
    name = " ".join(part.strip() for part in parts if part and part.strip())
    printable = "".join(character for character in name if character.isprintable())
    return printable[:SHORT_TEXT_MAX] or None


def sane_point(latitude: float | None, longitude: float | None) -> None:
    """Raises NotUnderstood: POINT_INCOMPLETE, COORDINATE_OUT_OF_RANGE."""
    try:
        check_point(latitude, longitude)
    except InvalidInput as error:
        raise NotUnderstood(error.code, error.field or "") from None


def some_id(number: int | None, name: str) -> int:
    """Raises NotUnderstood: FIELD_INVALID for the id of nobody."""
    if not number:
        raise NotUnderstood("FIELD_INVALID", name)
    return number


def digest(*parts: bytes | str) -> str:
    """A short name for what has none: 96 bits, the same for the same parts."""
    joined = b"\x1f".join(part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(joined).hexdigest()[:24]
