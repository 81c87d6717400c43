"""Every mutation once: its input, somebody who may give it, somebody who may not, its fields."""

from typing import Any, NamedTuple
from uuid import uuid4

from api.types.node import incident_id
from domain.identifiers import new_id
from domain.vocabulary import Role
from tests.scenarios import NOON

TOPIC, OTHER_TOPIC = "noise.noise-helicopter", "noise.noise"
BODY, OTHER_BODY = "BRONX-DEP", "BRONX-DOT"
ANOTHER = incident_id("BRONX", new_id(NOON))
PROMISE = {"promisedOn": "2026-03-20", "reason": "SUPPLY"}


class Given(NamedTuple):
    """A command a client may give, on an incident of the Bronx."""

    input: str
    may: Role
    may_not: Role
    fields: dict[str, Any]


REGISTRATION: dict[str, Any] = {
    "region": "BRONX",
    "municipality": "BRONX-01",
    "channel": "PHONE",
    "publishedAt": NOON.isoformat(),
}

ON_PLATFORM = {"channel": "PHONE", "externalId": "7", "deletedAt": NOON.isoformat()}

# These need no incident: they begin one.
BEGINNING = {"registerIncident", "captureMessage"}
GIVEN = {
    "captureMessage": Given("CaptureMessageInput", Role.MONITOR, Role.EXECUTOR, REGISTRATION),
    "registerCaptured": Given(
        "RegisterCapturedInput", Role.MCU_OPERATOR, Role.EXECUTOR, {"municipality": "BRONX-02"}
    ),
    "editMessage": Given(
        "EditMessageInput",
        Role.MONITOR,
        Role.CITIZEN,
        {"channel": "PHONE", "externalId": "7", "editedAt": NOON.isoformat(), "text": "Нет газа"},
    ),
    "deleteMessage": Given("DeletedOnPlatformInput", Role.MONITOR, Role.EXECUTOR, ON_PLATFORM),
    "noteDeletedReply": Given("DeletedOnPlatformInput", Role.MONITOR, Role.EXECUTOR, ON_PLATFORM),
    "transferIncident": Given(
        "TransferIncidentInput", Role.REGION_HEAD, Role.EXECUTOR, {"toRegion": "QUEENS"}
    ),
    "registerIncident": Given(
        "RegisterIncidentInput", Role.MCU_OPERATOR, Role.EXECUTOR, REGISTRATION
    ),
    "rejectIncident": Given(
        "RejectIncidentInput", Role.MONITOR, Role.MCU_OPERATOR, {"reason": "ADVERT"}
    ),
    "addMessage": Given(
        "AddMessageInput",
        Role.MONITOR,
        Role.EXECUTOR,
        {"channel": "PHONE", "publishedAt": NOON.isoformat(), "citizen": {"text": "И у нас"}},
    ),
    "mergeIncident": Given("MergeIncidentInput", Role.CURATOR, Role.EXECUTOR, {"into": ANOTHER}),
    "unmergeIncident": Given("CommandInput", Role.CURATOR, Role.MONITOR, {}),
    "linkIncident": Given("LinkIncidentInput", Role.CURATOR, Role.EXECUTOR, {"to": ANOTHER}),
    "classifyIncident": Given(
        "ClassifyIncidentInput", Role.MONITOR, Role.EXECUTOR, {"topic": TOPIC}
    ),
    "assignIncident": Given(
        "AssignIncidentInput", Role.MCU_OPERATOR, Role.EXECUTOR, {"organisation": BODY}
    ),
    "returnIncident": Given(
        "ReturnIncidentInput", Role.EXECUTOR, Role.CURATOR, {"reason": "WRONG_TOPIC"}
    ),
    "reassignIncident": Given(
        "ReassignIncidentInput",
        Role.CURATOR,
        Role.MONITOR,
        {"organisation": OTHER_BODY, "reason": "WRONG_BODY"},
    ),
    "reclassifyIncident": Given(
        "ClassifyIncidentInput", Role.CURATOR, Role.MONITOR, {"topic": OTHER_TOPIC}
    ),
    "relocateIncident": Given(
        "RelocateIncidentInput", Role.CURATOR, Role.MONITOR, {"municipality": "BRONX-02"}
    ),
    "prioritizeIncident": Given(
        "PrioritizeIncidentInput",
        Role.CURATOR,
        Role.MONITOR,
        {"priority": "HIGH", "reason": "CHILDREN"},
    ),
    "grantFastTrack": Given("CommandInput", Role.CURATOR, Role.ORG_HEAD, {}),
    "acceptWork": Given("CommandInput", Role.EXECUTOR, Role.MONITOR, {}),
    "requestClarification": Given(
        "RequestClarificationInput", Role.EXECUTOR, Role.CURATOR, {"question": "Какой дом?"}
    ),
    "receiveClarification": Given(
        "ReceiveClarificationInput", Role.CITIZEN, Role.EXECUTOR, {"answer": "Пятый"}
    ),
    "contactCitizen": Given(
        "ContactCitizenInput",
        Role.EXECUTOR,
        Role.REGION_HEAD,
        {"channel": "PHONE", "note": "Говорили"},
    ),
    "draftReply": Given(
        "DraftReplyInput", Role.EXECUTOR, Role.CURATOR, {"kind": "FINAL", "text": "Вода есть"}
    ),
    "returnReply": Given("ReturnReplyInput", Role.ORG_HEAD, Role.EXECUTOR, {"reasons": ["FORMAL"]}),
    "approveReply": Given("ApproveReplyInput", Role.ORG_HEAD, Role.EXECUTOR, {}),
    "submitReply": Given(
        "SubmitReplyInput", Role.MONITOR, Role.CITIZEN, {"text": "Взяли в работу"}
    ),
    "publishReply": Given("PublishReplyInput", Role.EXECUTOR, Role.CITIZEN, {"kind": "FINAL"}),
    "scheduleSolution": Given("PromiseInput", Role.EXECUTOR, Role.CURATOR, PROMISE),
    "movePromise": Given("PromiseInput", Role.ORG_HEAD, Role.MONITOR, PROMISE),
    "resolveIncident": Given(
        "ResolveIncidentInput",
        Role.EXECUTOR,
        Role.CURATOR,
        {"outcome": "SOLVED", "evidence": ["photo/1"]},
    ),
    "takePersonalControl": Given("CommandInput", Role.REGION_HEAD, Role.CURATOR, {}),
    "liftPersonalControl": Given("CommandInput", Role.REGION_HEAD, Role.CURATOR, {}),
    "closeIncident": Given("CommandInput", Role.CURATOR, Role.EXECUTOR, {}),
    "rateIncident": Given("RateIncidentInput", Role.CITIZEN, Role.CURATOR, {"score": 5}),
    "disputeResolution": Given(
        "DisputeResolutionInput", Role.CITIZEN, Role.EXECUTOR, {"by": "AUTHOR"}
    ),
    "reopenIncident": Given(
        "ReopenIncidentInput", Role.CURATOR, Role.MONITOR, {"reason": "RECURRED"}
    ),
    "declineReopen": Given(
        "DeclineReopenInput", Role.CURATOR, Role.REGION_HEAD, {"reason": "NO_GROUNDS"}
    ),
    "requestFieldCheck": Given("CommandInput", Role.REGION_HEAD, Role.EXECUTOR, {}),
    "reportFieldCheck": Given(
        "ReportFieldCheckInput", Role.MCU_OPERATOR, Role.EXECUTOR, {"verdict": "DONE"}
    ),
    "recordRootCause": Given(
        "RecordRootCauseInput", Role.CURATOR, Role.EXECUTOR, {"cause": "WEAR"}
    ),
    "extendDeadline": Given(
        "ExtendDeadlineInput",
        Role.ORG_HEAD,
        Role.CURATOR,
        {"dueAt": "2026-03-20T12:00:00Z", "reason": "SUPPLY"},
    ),
    "erasePersonalData": Given("CommandInput", Role.DATA_OFFICER, Role.CURATOR, {}),
}


def given(command: str, incident: str, **changes: Any) -> dict[str, Any]:
    """The input of a command that is not refused for its fields."""
    about = {} if command in BEGINNING else {"incidentId": incident}
    return {"commandId": str(uuid4())} | about | GIVEN[command].fields | changes
