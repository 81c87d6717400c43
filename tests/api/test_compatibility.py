"""What may change in a schema that clients are built upon."""

from datetime import date
from pathlib import Path

import pytest
from graphql import build_schema

from api.cli import main
from api.compatibility import changes_since, deprecations, read_reason
from api.schema import schema
from tests.conftest import CHECKOUT

TODAY = date(2026, 12, 1)
RELEASED = """
type Query {
  regions(first: Int, after: String @deprecated(reason: "Until 2026-12-01: use `first`.")): Region!
  region: Region @deprecated(reason: "Until 2026-12-01: use `regions`.")
  board: Board @deprecated(reason: "Until 2026-12-02: use `regions`.")
  map: Map @deprecated(reason: "Until 2026-11-30: use `regions`.")
  old: String @deprecated
}
type Region { code: String! kind: Kind }
type Board { code: String! }
type Map { cell: Cell }
type Cell { code: String! }
enum Kind { CITY OBLAST @deprecated(reason: "Until 2026-12-01: use `CITY`.") }
"""


def breaks(changed: str, today: date = TODAY) -> list[str]:
    found = changes_since(RELEASED, build_schema(changed), today=today)
    return [f"{each.type.name} {each.description}" for each in found.breaking]


def without(*lines: str) -> str:
    left = RELEASED
    for line in lines:
        assert line in left
        left = left.replace(line, "")
    return left


def line_of(word: str) -> str:
    (line,) = [line for line in RELEASED.splitlines() if line.strip().startswith(word)]
    return line


def test_nothing_changed_and_what_was_added_break_nothing() -> None:
    assert breaks(RELEASED) == []
    assert breaks(RELEASED.replace("code: String! kind", "code: String! name: String kind")) == []


def test_what_is_not_deprecated_must_stay() -> None:
    assert breaks(without(" kind: Kind", line_of("enum Kind"))) == [
        "TYPE_REMOVED Kind was removed.",
        "FIELD_REMOVED Field Region.kind was removed.",
    ]
    assert breaks(RELEASED.replace("code: String! kind", "code: String kind")) == [
        "FIELD_CHANGED_KIND Field Region.code changed type from String! to String."
    ]


def test_what_is_deprecated_goes_on_its_day_and_not_before() -> None:
    gone = without(line_of("region:"))
    assert breaks(gone) == []
    assert breaks(gone, date(2026, 11, 30)) == ["FIELD_REMOVED Field Query.region was removed."]
    assert breaks(without(line_of("board:"))) == ["FIELD_REMOVED Field Query.board was removed."]


def test_what_nobody_named_a_day_for_must_stay() -> None:
    assert breaks(without(line_of("old:"))) == ["FIELD_REMOVED Field Query.old was removed."]


def test_arguments_and_values_go_like_fields() -> None:
    argument = ', after: String @deprecated(reason: "Until 2026-12-01: use `first`.")'
    value = ' OBLAST @deprecated(reason: "Until 2026-12-01: use `CITY`.")'
    assert breaks(without(argument, value)) == []
    assert len(breaks(without(argument, value), date(2026, 11, 30))) == 2


def test_types_go_with_the_last_field_that_led_to_them() -> None:
    gone = (line_of("map:"), line_of("type Map"), line_of("type Cell"))
    assert breaks(without(*gone)) == []
    assert "TYPE_REMOVED Map was removed." in breaks(without(*gone), date(2026, 11, 29))


def test_a_value_more_is_told_but_breaks_nothing() -> None:
    changed = build_schema(RELEASED.replace("{ CITY", "{ CITY OKRUG"))
    found = changes_since(RELEASED, changed, today=TODAY)
    assert [each.description for each in found.dangerous] == ["Enum value Kind.OKRUG was added."]
    assert found.breaking == []


def test_every_deprecation_names_its_day_and_the_successor() -> None:
    for _, reason in deprecations(schema._schema):
        read_reason(reason)
    named = dict(deprecations(build_schema(RELEASED)))
    assert set(named) > {"Query.region", "Query.regions(after:)", "Kind.OBLAST"}
    assert read_reason(named["Query.region"]) == (date(2026, 12, 1), "`regions`")


@pytest.mark.parametrize(
    "reason", ["No longer supported", "Until 2026-12-01", "Until 2026-13-01: use `x`.", "Use `x`."]
)
def test_a_reason_that_does_not_is_refused(reason: str) -> None:
    with pytest.raises(ValueError, match=r"names its day|month"):
        read_reason(reason)


def test_this_schema_breaks_nothing_of_the_released_one() -> None:
    released = (CHECKOUT / "schema.released.graphql").read_text(encoding="utf-8")
    assert changes_since(released, schema._schema, today=TODAY).breaking == []


def test_the_gate_names_what_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (CHECKOUT / "schema.released.graphql").read_text(encoding="utf-8")
    for addition, code in (("", 0), ("extend type Query { gone: Int }", 1)):
        released = tmp_path / "released.graphql"
        released.write_text(text + addition)
        monkeypatch.setattr("sys.argv", ["tsur", "schema", "--compatible-with", str(released)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
    assert capsys.readouterr().out == "breaking FIELD_REMOVED: Field Query.gone was removed.\n"
