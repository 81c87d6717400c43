"""`tsur tour`: one incident through the running API, from a post to a closed, rated, reopened case.

Every step is a request that any client could send, with a token of the role whose step it is.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from rich.table import Table

from api.progress import console
from api.viewer import Viewer, issue_token
from domain.rights import Scope
from domain.vocabulary import Role
from regions.reference.catalogue import Catalogue, Channel, Municipality, Organisation, Topic

STATE = "status cycle dueAt replyDueAt rating"
PAYLOAD = f"{{ incidentId userErrors {{ code message }} incident {{ {STATE} }} }}"
TIMELINE = (
    "query($id: ID!) { incident(id: $id) { timeline { occurredAt event actor role"
    " facts { name value } } } }"
)
FIRST = "Здравствуйте! Ваше сообщение о лавочке взяли в работу, ответим сегодня до 18:00."
POOR = "Вопрос рассмотрен. Обратитесь в управляющую компанию."
GOOD = "Лавочку на улице Мирной заменили 21 ноября 2026 года, работу проверил мастер участка."
FINAL = "Вторую лавочку на улице Мирной поставили 22 ноября 2026 года, фото у нас в отчёте."


TOPIC = "improvement.bench"  # if the catalogue has it


class TourFailed(Exception):
    """The API refused a step of the tour; the message says which and why."""


class Place(NamedTuple):
    """Where the tour takes place: the first of the catalogue that has somebody in charge."""

    municipality: Municipality
    organisation: Organisation
    topic: Topic
    channel: Channel


@dataclass
class Tour:
    """The client of all its people, with the incident they share."""

    address: str
    key: bytes
    place: Place
    incident: str = ""
    steps: Table = field(default_factory=lambda: Table("step", "who", "state", "due", expand=True))

    def run(self) -> None:
        """Raises TourFailed."""
        self._register()
        for name, role, fields in _steps(self.place):
            self._command(name, role, fields)
        console.print(self.steps)
        console.print(self._timeline())

    def _register(self) -> None:
        post = {
            "region": self.place.municipality.region,
            "municipality": self.place.municipality.code,
            "channel": self.place.channel.code,
            "externalId": f"tour-{uuid4()}",
            "regime": "POS_MESSAGE",
            "publishedAt": (datetime.now(UTC) - timedelta(minutes=50)).isoformat(),
            "citizen": {"text": "На Мирной сломали лавочку, бабушкам негде сидеть"},
        }
        self._command("registerIncident", Role.MONITOR, post)

    def _command(self, name: str, role: Role, fields: dict[str, Any]) -> None:
        given = {"commandId": str(uuid4())} | fields
        if self.incident:
            given["incidentId"] = self.incident
        type_name = INPUTS.get(name, f"{name[0].upper()}{name[1:]}Input")
        query = f"mutation($input: {type_name}!) {{ {name}(input: $input) {PAYLOAD} }}"
        payload = self._ask(query, {"input": given}, role)[name]
        for error in payload["userErrors"]:
            self.steps.add_row(name, role, f"[red]{error['code']}[/]", error["message"])
        if payload["incident"] is not None:
            self.incident = payload["incidentId"]
            state = payload["incident"]
            self.steps.add_row(name, role, state["status"], _due(state))

    def _timeline(self) -> Table:
        found = self._ask(TIMELINE, {"id": self.incident}, Role.CURATOR)["incident"]
        shown = Table("when", "what", "who", "why and how much", title="Its timeline", expand=True)
        for entry in found["timeline"]:
            facts = ", ".join(f"{fact['name']} {fact['value']}" for fact in entry["facts"])
            who = f"{entry['actor']} ({entry['role']})"
            shown.add_row(entry["occurredAt"][11:23], entry["event"], who, facts)
        return shown

    def _ask(self, query: str, variables: dict[str, Any], role: Role) -> dict[str, Any]:
        return ask(self.address, query, variables, self._token(role))

    def _token(self, role: Role) -> str:
        region = self.place.municipality.region
        of_body = role in (Role.EXECUTOR, Role.ORG_HEAD)
        scope = Scope(region, organisation=self.place.organisation.code if of_body else None)
        viewer = Viewer(f"tour-{role.lower()}", role, scope, personal_data=True)
        return issue_token(self.key, viewer, now=datetime.now(UTC), valid=timedelta(minutes=5))


def ask(address: str, query: str, variables: dict[str, Any], token: str) -> dict[str, Any]:
    """The data of an answer. Raises TourFailed."""
    request = urllib.request.Request(  # noqa: S310 our own address
        f"{address}/graphql",
        json.dumps({"query": query, "variables": variables}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
    except urllib.error.URLError as error:
        raise TourFailed(f"{address} does not answer ({error.reason}): make run") from None
    if "errors" in answer:
        raise TourFailed(answer["errors"][0]["message"])
    data: dict[str, Any] = answer["data"]
    return data


INPUTS = {
    "acceptWork": "CommandInput",
    "closeIncident": "CommandInput",
    "takePersonalControl": "CommandInput",
    "liftPersonalControl": "CommandInput",
}


def find_place(catalogue: Catalogue) -> Place:
    """Raises TourFailed if nobody in the catalogue is in charge of anything."""
    topics = sorted(catalogue.topics.values(), key=lambda topic: topic.code != TOPIC)
    channel = next(iter(catalogue.channels.values()))
    for topic in topics:
        for body in catalogue.organisations.values():
            places = catalogue.municipalities_of.get(body.region, ())
            own = [place for place in places if body.municipality in (None, place.code)]
            if topic.group in body.topic_groups and own:
                return Place(own[0], body, topic, channel)
    raise TourFailed("the catalogue has nobody in charge of anything")


def _steps(place: Place) -> Iterator[tuple[str, Role, dict[str, Any]]]:
    """What happens, by whom; two of the steps are refused."""
    assign = {"organisation": place.organisation.code}
    yield "classifyIncident", Role.MONITOR, {"topic": place.topic.code}
    yield "assignIncident", Role.EXECUTOR, assign
    yield "assignIncident", Role.CURATOR, assign
    yield "publishReply", Role.MONITOR, {"kind": "FIRST", "text": FIRST}
    yield "acceptWork", Role.EXECUTOR, {}
    yield "draftReply", Role.EXECUTOR, {"kind": "FINAL", "text": POOR}
    yield "approveReply", Role.ORG_HEAD, {}
    yield "returnReply", Role.ORG_HEAD, {"reasons": ["REDIRECTS_CITIZEN", "FORMAL"]}
    yield from _finish(GOOD)
    yield "rateIncident", Role.CITIZEN, {"score": 2, "reasons": ["NOT_SOLVED"]}
    yield "reopenIncident", Role.CURATOR, {"reason": "NOT_SOLVED"}
    yield "assignIncident", Role.CURATOR, assign
    yield "acceptWork", Role.EXECUTOR, {}
    yield from _finish(FINAL)
    yield "takePersonalControl", Role.REGION_HEAD, {}
    yield "closeIncident", Role.CURATOR, {}
    yield "liftPersonalControl", Role.REGION_HEAD, {}
    yield "rateIncident", Role.CITIZEN, {"score": 5, "reasons": ["SOLVED", "POLITE"]}
    yield "closeIncident", Role.CURATOR, {}


def _finish(text: str) -> Iterator[tuple[str, Role, dict[str, Any]]]:
    yield "draftReply", Role.EXECUTOR, {"kind": "FINAL", "text": text}
    yield "approveReply", Role.ORG_HEAD, {}
    yield "publishReply", Role.ORG_HEAD, {"kind": "FINAL"}
    yield "resolveIncident", Role.EXECUTOR, {"outcome": "SOLVED", "evidence": ["photo/1"]}


def _due(state: dict[str, Any]) -> str:
    named = (("reply", state["replyDueAt"]), ("solution", state["dueAt"]))
    return ", ".join(f"{name} {at[:16]}" for name, at in named if at)
