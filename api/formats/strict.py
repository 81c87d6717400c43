"""Strict JSON: every field is known and of its type, or refused without quoting what it holds."""

import re
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from api.formats import RowMalformed
from domain.errors import ImportRowInvalid

Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Id = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}\Z")]
Moment = Annotated[datetime, Meta(tz=True)]

T = TypeVar("T")


class FieldInvalid(ImportRowInvalid):
    """{field}: {reason}."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A JSON object of which every field is known."""


def decode(
    decoder: msgspec.json.Decoder[T],
    content: str | msgspec.Raw,
    *,
    within: str = "",
    of: str = "",
) -> T:
    """`within` says where in its row the content stands, `of` what it should be.

    Raises RowMalformed or FieldInvalid.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise _field_invalid(str(error), within, of) from None
    except msgspec.DecodeError as error:
        raise RowMalformed(reason=str(error)) from None
    except RecursionError:
        raise RowMalformed(reason="it is nested too deep") from None


# msgspec says what was wrong, and where; a wrong value stands between single quotes.
EXPLAINED = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
NAMED_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`")
WRONG_VALUE = re.compile(r"Invalid (enum )?value .*", re.DOTALL)


def _field_invalid(message: str, within: str, of: str) -> FieldInvalid:
    """The same without what the row holds: a value may be personal data at a wrong place."""
    explained = EXPLAINED.fullmatch(message)
    reason, path = (explained["reason"], explained["path"] or "") if explained else ("", "")
    named = NAMED_FIELD.fullmatch(reason)
    missing = named["name"] if named and named["what"] == "missing required" else ""
    field = ".".join(filter(None, (within, path, missing))) or "row"
    kind = f" ({of})" if of else ""
    return FieldInvalid(field=field, reason=_why(reason, named) + kind)


def _why(reason: str, named: re.Match[str] | None) -> str:
    if named:
        missing = named["what"] == "missing required"
        return "is required" if missing else "holds a field that is not known"
    if WRONG_VALUE.fullmatch(reason):
        return "is none of the accepted words"
    return reason.replace("`", "")
