"""Scopes: which part of the country and of the work in it lies in which."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import NotPermitted
from domain.rights import Actor, Scope, check_right, sandbox_of
from domain.vocabulary import Role

REGIONS, PLACES, BODIES, TOPICS = ("A", "B", "C"), ("A-1", "B-1"), ("A-X", "B-X"), ("t", "u")

scopes = st.builds(
    Scope,
    region=st.sampled_from((None, *REGIONS)),
    municipality=st.sampled_from((None, *PLACES)),
    organisation=st.sampled_from((None, *BODIES)),
    regions=st.none() | st.lists(st.sampled_from(REGIONS), max_size=3).map(tuple),
    topics=st.none() | st.lists(st.sampled_from(TOPICS), max_size=2).map(tuple),
)
ANYTHING = list(
    product(
        (*REGIONS, sandbox_of("A")), (None, *PLACES), (None, *BODIES), (None, *TOPICS, "another")
    )
)


@given(scopes)
def test_a_scope_contains_itself_and_lies_in_the_country(scope: Scope) -> None:
    assert scope.contains(scope)
    assert Scope().contains(scope)


@given(scopes, scopes, scopes)
def test_what_lies_in_a_part_lies_in_the_whole(a: Scope, b: Scope, c: Scope) -> None:
    if a.contains(b) and b.contains(c):
        assert a.contains(c)


@given(scopes, scopes)
def test_whoever_sees_a_part_sees_each_thing_in_it(whole: Scope, part: Scope) -> None:
    if whole.contains(part):
        for thing in ANYTHING:
            assert whole.covers(*thing) or not part.covers(*thing)


@given(scopes, scopes)
def test_parts_that_contain_each_other_are_the_same_part(a: Scope, b: Scope) -> None:
    if a.contains(b) and b.contains(a):
        assert [a.covers(*each) for each in ANYTHING] == [b.covers(*each) for each in ANYTHING]
        assert (a.places, a.municipality, a.organisation) == (
            b.places,
            b.municipality,
            b.organisation,
        )


@given(scopes, scopes)
def test_a_scope_without_what_the_other_covers_does_not_contain_it(a: Scope, b: Scope) -> None:
    if any(b.covers(*thing) and not a.covers(*thing) for thing in ANYTHING):
        assert not a.contains(b)


def test_a_district_has_its_regions_and_no_sandbox_of_them() -> None:
    district = Scope(regions=("A", "B"))
    assert district.contains(Scope("A"))
    assert district.contains(Scope("B", "B-1"))
    assert not district.contains(Scope("C"))
    assert not district.contains(Scope())
    assert not district.covers(sandbox_of("A"), None)
    assert not Scope("A").contains(district)


def test_topic_groups_hide_what_is_not_classified_yet() -> None:
    curator = Scope("A", topics=("t",))
    assert curator.covers("A", "A-1", "A-X", "t")
    assert not curator.covers("A", "A-1", "A-X", "u")
    assert not curator.covers("A", "A-1", "A-X", None)
    assert not curator.contains(Scope("A"))


def test_a_curator_commands_only_what_is_about_their_topics() -> None:
    by = Actor("ivanov", Role.CURATOR, Scope("A", topics=("t",)))

    def command(topic: str | None) -> None:
        check_right(
            by,
            frozenset({Role.CURATOR}),
            region="A",
            municipality="A-1",
            organisation=None,
            topic=topic,
        )

    command("t")
    for other in ("u", None):
        with pytest.raises(NotPermitted):
            command(other)
