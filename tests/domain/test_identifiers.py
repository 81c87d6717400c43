"""Identifiers that sort by time, as RFC 9562 defines UUIDv7."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.identifiers import derived_id, new_id, uuid7

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(946_684_800_000_000, 4_102_444_800_000_000).map(  # the years 2000 to 2099
    lambda microseconds: EPOCH + timedelta(microseconds=microseconds)
)
DELAYS = st.timedeltas(timedelta(milliseconds=1), timedelta(days=99))
ENTROPY = st.binary(min_size=10, max_size=10)
WORDS = st.text(max_size=20)
briefly = settings(max_examples=200, deadline=None, database=None)


@briefly
@given(at=MOMENTS, entropy=ENTROPY)
def test_an_id_is_a_uuid_of_version_7_and_holds_its_millisecond(
    at: datetime, entropy: bytes
) -> None:
    it = uuid7(at, entropy)
    assert (it.version, it.variant) == (7, RFC_4122)
    assert it.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)


@briefly
@given(at=MOMENTS, entropy=ENTROPY, other=ENTROPY)
def test_an_id_keeps_74_bits_of_its_entropy(at: datetime, entropy: bytes, other: bytes) -> None:
    kept = ~(0xF << 76) & ~(0x3 << 62)
    same = int.from_bytes(entropy) & kept == int.from_bytes(other) & kept
    assert (uuid7(at, entropy) == uuid7(at, other)) is same


@briefly
@given(at=MOMENTS, later=DELAYS, a=ENTROPY, b=ENTROPY)
def test_ids_of_different_milliseconds_sort_by_time(
    at: datetime, later: timedelta, a: bytes, b: bytes
) -> None:
    earlier_id, later_id = uuid7(at, a), uuid7(at + later, b)
    assert earlier_id < later_id
    assert str(earlier_id) < str(later_id)
    assert earlier_id.bytes < later_id.bytes  # how PostgreSQL compares them


def test_fresh_ids_of_one_moment_differ() -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert len({new_id(at) for _ in range(10_000)}) == 10_000


@briefly
@given(at=MOMENTS, one=st.lists(WORDS, max_size=3), other=st.lists(WORDS, max_size=3))
def test_the_same_parts_give_the_same_id_and_others_another(
    at: datetime, one: list[str], other: list[str]
) -> None:
    assert derived_id(at, *one) == derived_id(at, *one)
    if "\x1f" not in "".join(one + other):
        assert (derived_id(at, *one) == derived_id(at, *other)) is (
            "\x1f".join(one) == "\x1f".join(other)
        )


def test_a_derived_id_never_changes() -> None:
    """Imports of earlier releases must find their own."""
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert derived_id(at, "nyc311", "39573567") == UUID("019cae6b-6600-7fe6-af70-8aafe4ca1b36")
