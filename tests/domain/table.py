"""The lifecycle said a second time, by hand, from the table of states and transitions.

Nothing here is derived from domain/lifecycle.py: where the two differ, one of them is wrong.
"""

from typing import NamedTuple

from domain.vocabulary import Role, Status


class Row(NamedTuple):
    """Where a command is possible, and the state after it; who may give it."""

    after: dict[Status, Status]
    roles: frozenset[Role]


# What a word of the table stands for, of states and of roles.
WORDS = {
    "triage": "REGISTERED RETURNED REOPENED",
    "work": "ASSIGNED IN_PROGRESS SCHEDULED",
    "held": "work AWAITING_CITIZEN REPLY_IN_REVIEW",
    "open": "triage held",
    "done": "RESOLVED UNDER_CONTROL CLOSED",
    "living": "open done REOPEN_REQUESTED",
    "all": " ".join(Status),
    "citizens": "CITIZEN MONITOR SYSTEM",  # a monitor passes on what a citizen says
    "triagers": "MONITOR MCU_OPERATOR CURATOR SYSTEM",
    "workers": "EXECUTOR ORG_HEAD SYSTEM",
    "controllers": "REGION_HEAD FEDERAL_OVERSEER",
}

# command | possible while it is | then it is | who may
TABLE = """
capture              |                        | CAPTURED         | MONITOR SYSTEM
noteReading          | CAPTURED open          |                  | SYSTEM
editMessage          | all                    |                  | MONITOR SYSTEM
deleteMessage        | all                    |                  | MONITOR SYSTEM
register             |                        | REGISTERED       | MONITOR MCU_OPERATOR SYSTEM
registerCaptured     | CAPTURED               | REGISTERED       | MONITOR MCU_OPERATOR SYSTEM
reject               | CAPTURED REGISTERED    | REJECTED         | MONITOR CURATOR
addMessage           | CAPTURED living        |                  | triagers CITIZEN
merge                | CAPTURED open          | MERGED           | MONITOR CURATOR SYSTEM
unmerge              | MERGED                 | REGISTERED       | CURATOR
transferOut          | CAPTURED open          | TRANSFERRED      | MONITOR CURATOR REGION_HEAD
transferIn           | CAPTURED               |                  | SYSTEM
link                 | living                 |                  | triagers
classify             | triage                 |                  | triagers
assign               | triage                 | ASSIGNED         | triagers
return               | ASSIGNED               | RETURNED         | EXECUTOR SYSTEM
reassign             | held                   | ASSIGNED         | CURATOR SYSTEM
reclassify           | open                   |                  | CURATOR SYSTEM
relocate             | open                   |                  | CURATOR SYSTEM
prioritize           | open                   |                  | CURATOR SYSTEM
grantFastTrack       | open                   |                  | CURATOR SYSTEM
acceptWork           | ASSIGNED               | IN_PROGRESS      | EXECUTOR SYSTEM
requestClarification | ASSIGNED IN_PROGRESS   | AWAITING_CITIZEN | EXECUTOR SYSTEM
receiveClarification | AWAITING_CITIZEN       | IN_PROGRESS      | citizens
timeOutClarification | AWAITING_CITIZEN       | IN_PROGRESS      | SYSTEM
contactCitizen       | held                   |                  | EXECUTOR SYSTEM
draftReply           | work                   | REPLY_IN_REVIEW  | EXECUTOR SYSTEM
returnReply          | REPLY_IN_REVIEW        | IN_PROGRESS      | ORG_HEAD CURATOR
approveReply         | REPLY_IN_REVIEW        | IN_PROGRESS      | ORG_HEAD CURATOR
submitReply          | triage work AWAITING_CITIZEN |                  | triagers workers
publishReply         | open                   |                  | triagers workers
noteDelivery         | all                    |                  | SYSTEM
noteFailedDelivery   | all                    |                  | SYSTEM
noteDeletedReply     | all                    |                  | MONITOR SYSTEM
scheduleSolution     | ASSIGNED IN_PROGRESS   | SCHEDULED        | workers
movePromise          | SCHEDULED              |                  | workers
resolve              | work                   | RESOLVED         | workers
takePersonalControl  | open                   |                  | controllers
takePersonalControl  | RESOLVED               | UNDER_CONTROL    | controllers
liftPersonalControl  | open REOPEN_REQUESTED  |                  | controllers
liftPersonalControl  | UNDER_CONTROL          | RESOLVED         | controllers
close                | RESOLVED UNDER_CONTROL | CLOSED           | CURATOR controllers SYSTEM
rate                 | done                   |                  | citizens
dispute              | done                   | REOPEN_REQUESTED | citizens
reopen               | REOPEN_REQUESTED       | REOPENED         | CURATOR SYSTEM
declineReopen        | REOPEN_REQUESTED       | CLOSED           | CURATOR
requestFieldCheck    | living                 |                  | MONITOR CURATOR REGION_HEAD
reportFieldCheck     | living                 |                  | MONITOR CURATOR MCU_OPERATOR
recordRootCause      | living                 |                  | CURATOR SYSTEM
warnDeadline         | open                   |                  | SYSTEM
missDeadline         | open                   |                  | SYSTEM
extendDeadline       | open                   |                  | ORG_HEAD SYSTEM
escalate             | open                   |                  | SYSTEM
erasePersonalData    | all                    |                  | DATA_OFFICER SYSTEM
"""


def meant(words: str) -> list[str]:
    """The states or roles that the words of a cell stand for."""
    spelled = [WORDS.get(word, word) for word in words.split()]
    return words.split() if spelled == words.split() else meant(" ".join(spelled))


def read(table: str) -> dict[str, Row]:
    """By the name of the command; some have more than one line."""
    rows: dict[str, Row] = {}
    for line in table.strip().splitlines():
        command, sources, target, roles = (cell.strip() for cell in line.split("|"))
        row = rows.setdefault(command, Row({}, frozenset(map(Role, meant(roles)))))
        row.after.update({Status(source): Status(target or source) for source in meant(sources)})
    return rows


ROWS = read(TABLE)
