"""Queues: what waits for somebody, as conditions on the incident rows."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import LiteralString, Protocol

DUE_SOON = timedelta(days=1)
# "Every message without exception reaches who must act" (Краснодар, 2022); the time is our own.
STALLED_AFTER = timedelta(minutes=30)


class Queue(StrEnum):
    INBOX = "INBOX"  # captured, and nobody has decided what it is
    UNASSIGNED = "UNASSIGNED"
    STALLED = "STALLED"  # unassigned for longer than STALLED_AFTER: an alarm
    RETURNED = "RETURNED"
    URGENT = "URGENT"
    REPLY_OVERDUE = "REPLY_OVERDUE"
    IN_REVIEW = "IN_REVIEW"
    DUE_SOON = "DUE_SOON"
    OVERDUE = "OVERDUE"
    DISPUTED = "DISPUTED"
    UNDER_CONTROL = "UNDER_CONTROL"
    UNDELIVERED = "UNDELIVERED"  # its platform does not take our reply


class Waiting(Protocol):
    """What of an incident row tells whether somebody waits for it."""

    open: bool
    status: str
    controller: str | None


# What is in any queue at all: the index incident_waiting holds just that.
WAITING: LiteralString = (
    "(open OR status IN ('CAPTURED', 'REOPEN_REQUESTED') OR controller IS NOT NULL)"
)


def is_waiting(row: "Waiting") -> bool:
    """The same of a row."""
    return row.open or row.status in ("CAPTURED", "REOPEN_REQUESTED") or row.controller is not None


# Of the moment %(now)s, %(soon)s a day later, and %(stalled)s before.
CONDITIONS: dict[Queue, LiteralString] = {
    Queue.INBOX: "status = 'CAPTURED'",
    Queue.UNASSIGNED: "status IN ('REGISTERED', 'RETURNED', 'REOPENED')",
    Queue.STALLED: (
        "(status IN ('REGISTERED', 'RETURNED', 'REOPENED') AND cycle_started_at < %(stalled)s)"
    ),
    Queue.RETURNED: "status = 'RETURNED'",
    Queue.URGENT: "(open AND priority = 'HIGH')",
    Queue.REPLY_OVERDUE: "(open AND reply_due_at < %(now)s)",
    Queue.IN_REVIEW: "status = 'REPLY_IN_REVIEW'",
    Queue.DUE_SOON: "(open AND due_at BETWEEN %(now)s AND %(soon)s)",
    Queue.OVERDUE: "(open AND due_at < %(now)s)",
    Queue.DISPUTED: "status = 'REOPEN_REQUESTED'",
    Queue.UNDER_CONTROL: "controller IS NOT NULL",
    Queue.UNDELIVERED: "(open AND undelivered IS NOT NULL)",
}


def moments(now: datetime) -> dict[str, object]:
    """What the conditions are asked with."""
    return {"now": now, "soon": now + DUE_SOON, "stalled": now - STALLED_AFTER}
