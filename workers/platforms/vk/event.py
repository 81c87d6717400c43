"""The envelope of an event, and what all its objects have in common."""

from typing import NamedTuple, TypeVar

import msgspec

from workers.platforms.bodies import ABSENT, Attachment, Id, decode, is_given, sane_point, some_id
from workers.platforms.facts import NotUnderstood

T = TypeVar("T")


class Event(msgspec.Struct, frozen=True):
    type: str
    group_id: Id
    event_id: str | None = None  # the same when the event is sent again
    secret: str | None = None
    object: msgspec.Raw = ABSENT


def read_object(event: Event, kind: type[T]) -> T:
    """What the event is about. Raises NotUnderstood."""
    if not is_given(event.object):
        raise NotUnderstood("FIELD_INVALID", "object")
    return decode(event.object, kind)


class Coordinates(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float


class Geo(msgspec.Struct, frozen=True):
    """The coordinates of a post are text, «53.2 50.1»; those of a message are numbers."""

    coordinates: Coordinates | str | None = None


def point(geo: Geo | None) -> tuple[float | None, float | None]:
    """Latitude and longitude. Raises NotUnderstood."""
    if geo is None or geo.coordinates is None:
        return None, None
    if isinstance(geo.coordinates, Coordinates):
        latitude, longitude = geo.coordinates.latitude, geo.coordinates.longitude
    else:
        latitude, longitude = _numbers(geo.coordinates)
    sane_point(latitude, longitude)
    return latitude, longitude


def _numbers(coordinates: str) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, coordinates.split())
    except ValueError:
        raise NotUnderstood("FIELD_INVALID", "geo.coordinates") from None
    return latitude, longitude


class Author(NamedTuple):
    key: str
    profile: str


def author(from_id: int) -> Author:
    """VK sends no names; a community may write as well as a person. Raises NotUnderstood."""
    some_id(from_id, "from_id")
    page = f"id{from_id}" if from_id > 0 else f"club{-from_id}"
    return Author(f"vk:{from_id}", f"https://vk.com/{page}")


def kinds(attachments: tuple[Attachment, ...]) -> list[str]:
    return [attachment.type for attachment in attachments]
