"""What is counted and timed of incidents: one definition for the daily rows and the exact figures.

Everything here adds up over incidents, days and units, so that a figure of any period is a sum of
days. Sources: lifecycle-and-metrics 3.4.
"""

import re
from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import LiteralString, NamedTuple


class Cohort(StrEnum):
    """The column with the local day on which an incident counts."""

    REGISTERED = "registered_on"
    DUE = "due_on"
    RESOLVED = "first_resolved_on"
    PROMISED = "promised_on"


class UnitDay(NamedTuple):
    """A local day of a region, or of a municipality in it: what a row of `daily` tells of."""

    region: str
    day: date
    municipality: str = ""  # the whole region


# Aggregates over the incident rows of a cohort, by the name of their column.
COUNTS: dict[Cohort, dict[str, LiteralString]] = {
    Cohort.REGISTERED: {
        "registered": "count(*)",
        "answered": "count(first_replied_at)",
        "resolved": "count(resolved_at)",
        "reopened": "count(*) FILTER (WHERE cycle > 1)",
        "assigned": "count(assigned_at)",
        "returned": "count(*) FILTER (WHERE returns > 0)",
        "hops": "coalesce(sum(hops), 0)",
        "disputed": "count(*) FILTER (WHERE disputes > 0)",
        "rated": "count(rating)",
        "rating_sum": "coalesce(sum(rating), 0)",
        "rating_squares": "coalesce(sum(rating * rating), 0)",
        "final_replies": "coalesce(sum(final_replies), 0)",
        "final_on_source": "coalesce(sum(final_replies_on_source), 0)",
        "ended": "count(first_resolved_at)",
        "solved": "count(*) FILTER (WHERE outcome = 'SOLVED')",
        "recurred": "count(*) FILTER (WHERE outcome = 'SOLVED' AND recurred)",
    },
    # Open and late is missed; so it is what is due that is counted, and what was kept of it.
    Cohort.DUE: {
        "due": "count(*)",
        "kept": "count(*) FILTER (WHERE resolved_at <= due_at)",
    },
    Cohort.RESOLVED: {
        "first_resolved": "count(*)",
        # Fourteen days: lifecycle-and-metrics 3.4, reopenRate.
        "reopened_soon": "count(*) FILTER (WHERE first_reopened_at"
        " <= first_resolved_at + interval '14 days')",
    },
    Cohort.PROMISED: {
        "promised": "count(*)",
        "promise_kept": "count(*) FILTER (WHERE promise_kept)",
    },
}
COUNT_NAMES = tuple(name for counts in COUNTS.values() for name in counts)

# Whether an incident counts on some day from %(first)s to %(last)s.
COUNTS_IN_PERIOD: LiteralString = (
    "(" + " OR ".join([cohort.value + " BETWEEN %(first)s AND %(last)s" for cohort in Cohort]) + ")"
)

# Seconds that something took an incident registered on the day; null: not over, or never begun.
# date_part gives a float at once; of a numeric each bucket costs twice that.
DURATIONS: dict[str, LiteralString] = {
    "reply": "date_part('epoch', first_replied_at - published_at)",
    "reply_working": "reply_working_seconds",
    "capture": "date_part('epoch', captured_at - published_at)",
    "triage": "date_part('epoch', assigned_at - registered_at)",
    "triage_working": "triage_working_seconds",
    "accept": "date_part('epoch', accepted_at - assigned_at)",
    "accept_working": "accept_working_seconds",
    "resolution": "date_part('epoch', resolved_at - cycle_started_at) - paused_seconds",
    "resolution_working": "resolution_working_seconds",
    "first_resolution": "date_part('epoch', first_resolved_at - registered_at)",
    "first_resolution_working": "first_resolution_working_seconds",
    "full_resolution": "date_part('epoch', resolved_at - registered_at)",
}
# The same where one incident has several: one for each further message that was answered.
REPEATED: dict[str, LiteralString] = {
    "next_reply": "next_reply_seconds",
    "next_reply_working": "next_reply_working_seconds",
}
DURATION_NAMES = (*DURATIONS, *REPEATED)
# Of these the cases that are not over yet count as longer than all that are.
CENSORED = frozenset({"reply", "reply_working"})

COLUMNS = tuple(f"{name} integer NOT NULL" for name in COUNT_NAMES)


def lasted(names: Collection[str]) -> LiteralString:
    """These of an incident as rows: FROM incident, LATERAL (…) AS of (measure, seconds)."""
    once = [of for of in DURATIONS.items() if of[0] in names]
    several = [of for of in REPEATED.items() if of[0] in names]
    parts: list[LiteralString] = [
        *(["VALUES " + ", ".join(_pair(name, seconds) for name, seconds in once)] if once else []),
        *("SELECT '" + name + "', unnest(" + seconds + ")" for name, seconds in several),
    ]
    return " UNION ALL ".join(parts) or "SELECT NULL::text, NULL::float8 WHERE false"


def _pair(name: LiteralString, seconds: LiteralString) -> LiteralString:
    return "('" + name + "', " + seconds + ")"


LASTED = lasted(DURATION_NAMES)


def _words(*parts: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z_]+", " ".join(parts)))


# The words of the SQL by which each cohort is counted and each duration measured, columns of the
# incident rows among them: while these stay the same, so does what they tell.
WORDS: dict[str, frozenset[str]] = {
    **{cohort: _words(*COUNTS[cohort].values()) for cohort in Cohort},
    **{name: _words(sql) for name, sql in (DURATIONS | REPEATED).items()},
}


def settled(cohort: Cohort) -> LiteralString:
    """When a day of this cohort tells something that will not change by waiting."""
    match cohort:
        case Cohort.REGISTERED:
            return "true"
        case Cohort.RESOLVED:
            return "day < today - 14"  # nothing more comes that counts as reopened soon
        case _:
            return "day < today"
