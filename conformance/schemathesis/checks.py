"""What every answer is held to: no failure of ours, and each error has a code of docs/api.md."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import schemathesis
from graphql.language import StringValueNode, parse_value
from hypothesis import strategies as st

DOCS = Path(__file__).parent.parent.parent / "docs" / "api.md"
CODES = set(re.findall(r"`([A-Z_]+)`", DOCS.read_text(encoding="utf-8")))
FAILURES = {"INTERNAL", "UNAVAILABLE"}

TYPES = st.sampled_from(["Region", "Municipality", "Incident", "Query"])
KEYS = st.sampled_from(["code", "id"])
REPRESENTATIONS = st.builds(
    lambda type_, key, value: parse_value(f'{{__typename: "{type_}", {key}: {json.dumps(value)}}}'),
    *(TYPES, KEYS, st.text(st.characters(max_codepoint=0x4FF), max_size=20)),
)
schemathesis.graphql.scalar("_Any", REPRESENTATIONS)

TODAY = datetime.now(UTC).date()
DATES = st.dates(TODAY - timedelta(days=365), TODAY) | st.dates()
schemathesis.graphql.scalar("Date", DATES.map(lambda day: StringValueNode(value=f"{day}")))


@schemathesis.check
def errors_are_coded(ctx: object, response: Any, case: object) -> None:
    assert response.status_code < 500, response.text
    answer = response.json()
    for error in [*answer.get("errors", ()), *user_errors(answer.get("data") or {})]:
        code = error["code"] if "extensions" not in error else error["extensions"]["code"]
        assert code in CODES - FAILURES, f"{code}: {error}"


def user_errors(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for payload in data.values():
        if isinstance(payload, dict):
            yield from (error for error in payload.get("userErrors", ()) if "code" in error)
