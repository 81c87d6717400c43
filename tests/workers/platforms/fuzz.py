"""Bodies nobody documented: anything that is JSON, and documented ones with a part exchanged."""

import copy
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from domain.commands import Citizen, Register
from workers.platforms.facts import Deleted, Edited, Fact, Ignored, NotUnderstood, Posted

END_OF_TIME = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)

words = st.text(alphabet="aя0 .-:/\x00\u0301\n😀", max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
    | st.sampled_from(["", "\x00", "post", "private", "-1", "53.2 50.1", "chat:C1"])
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words, inner, max_size=3)
        | st.fixed_dictionaries({"id": inner, "message": inner, "object": inner, "type": inner})
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, bodies: Sequence[object]) -> bytes:
    """One of the bodies with up to three of its parts exchanged or left out."""
    body: Any = copy.deepcopy(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_parts(body))))
        if draw(st.booleans()):
            holder[key] = draw(anything)
        elif isinstance(holder, dict):
            holder.pop(key, None)
    return json.dumps(body).encode()


def _parts(body: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    items = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in items:
        found.append((body, key))
        if isinstance(value, dict | list) and value:
            found += _parts(value)
    return found or [({}, "")]


def reads(read: Callable[[], Sequence[Fact | NotUnderstood]]) -> None:
    """It finds facts that the domain can take, or says NotUnderstood; nothing else ever happens."""
    try:
        found = read()
    except NotUnderstood:
        return
    for fact in found:
        assert isinstance(fact, Posted | Edited | Deleted | Ignored | NotUnderstood)
        if isinstance(fact, Posted):
            assert fact.author_key
            _register(fact).check(END_OF_TIME)


def _register(fact: Posted) -> Register:
    return Register(
        channel="ANY",
        external_id=fact.external_id,
        published_at=fact.published_at,
        latitude=fact.latitude,
        longitude=fact.longitude,
        citizen=Citizen(name=fact.author, contact=fact.contact, text=fact.text),
    )
