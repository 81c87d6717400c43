"""`tsur tour --comment`: one comment on a page of VK, from the webhook to the answer below it.

The page is a stand-in (`tsur up --demo` runs it); the webhook, the inbox, the workers and the call
that publishes the answer are the product's own.
"""

import json
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any, TypeVar
from uuid import uuid4

from rich.table import Table

from api.progress import console
from api.tour import TourFailed, ask
from api.viewer import Viewer, issue_token
from domain.rights import Scope
from domain.vocabulary import Role

REGION = "63"
POST = "На улице Мирной у дома {house} в Самаре опять свалка, контейнеров так и нет"
REPLY = "Свалку у дома {house} на улице Мирной убрали 24 ноября 2026 года, контейнеры стоят."
FOUND = """
query { incidents(filter: {region: "63", channels: ["VK"]}, first: 20) { edges { node {
  id status citizen { text } municipality { name } topic { name } organisation { name }
  reading { topics { code confidence } address } } } } }
"""
TIMELINE = """
query($id: ID!) { incident(id: $id) { timeline {
  occurredAt event actor role facts { name value } } } }
"""
PATIENCE_SECONDS = 30.0

Answer = TypeVar("Answer")


@dataclass
class CommentTour:
    """What happens to one comment."""

    address: str  # of the API
    pages: str  # of the stand-ins
    key: bytes

    def run(self) -> None:
        """Raises TourFailed."""
        house = SystemRandom().randrange(1, 300)
        written = self._write(POST.format(house=house))
        console.print(f"A comment on VK: {written}: {POST.format(house=house)}")
        incident = _wait(lambda: self._found(POST.format(house=house)), "the incident")
        console.print(_sorted_out(incident))
        text = REPLY.format(house=house)
        self._command("acceptWork", "CommandInput", Role.EXECUTOR, incident["id"], {})
        draft = {"kind": "FINAL", "text": text}
        self._command("draftReply", "DraftReplyInput", Role.EXECUTOR, incident["id"], draft)
        approve = {"despiteFlaws": True}
        self._command("approveReply", "ApproveReplyInput", Role.ORG_HEAD, incident["id"], approve)
        reply = _wait(lambda: self._reply(text), "the answer")
        console.print(f"Under {reply['place']} stands now {reply['id']}: {reply['text']}")
        console.print(self._timeline(incident["id"]))

    def _write(self, text: str) -> str:
        deed = {"platform": "vk", "action": "comment", "source": f"{REGION}-vk", "text": text}
        return str(_pages(f"{self.pages}/_citizen", deed)["id"])

    def _found(self, text: str) -> dict[str, Any] | None:
        edges = self._ask(FOUND, {}, Role.MONITOR)["incidents"]["edges"]
        nodes = (edge["node"] for edge in edges)
        return next((n for n in nodes if (n["citizen"] or {}).get("text") == text), None)

    def _reply(self, text: str) -> dict[str, Any] | None:
        replies = _pages(f"{self.pages}/_replies")["replies"]
        return next((reply for reply in replies if reply["text"] == text), None)

    def _command(self, name: str, of: str, role: Role, incident: str, fields: Any) -> None:
        query = (
            f"mutation($input: {of}!) {{ {name}(input: $input) {{ userErrors {{ message }} }} }}"
        )
        given = {"commandId": str(uuid4()), "incidentId": incident} | fields
        errors = self._ask(query, {"input": given}, role)[name]["userErrors"]
        if errors:
            raise TourFailed(f"{name}: {errors[0]['message']}")

    def _timeline(self, incident: str) -> Table:
        found = self._ask(TIMELINE, {"id": incident}, Role.CURATOR)["incident"]["timeline"]
        shown = Table("when", "what", "who", "facts", title="Its timeline", expand=True)
        for entry in found:
            facts = ", ".join(f"{fact['name']} {fact['value']}" for fact in entry["facts"])
            who = f"{entry['actor']} ({entry['role']})"
            shown.add_row(entry["occurredAt"][11:23], entry["event"], who, facts)
        return shown

    def _ask(self, query: str, variables: dict[str, Any], role: Role) -> dict[str, Any]:
        viewer = Viewer(f"tour-{role.lower()}", role, Scope(REGION), personal_data=True)
        token = issue_token(self.key, viewer, now=datetime.now(UTC), valid=timedelta(minutes=5))
        return ask(self.address, query, variables, token)


def _pages(address: str, deed: dict[str, Any] | None = None) -> Any:
    """Raises TourFailed if the stand-ins are not there."""
    body = json.dumps(deed).encode() if deed else None
    request = urllib.request.Request(address, body)  # noqa: S310 our own address
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return json.load(response)
    except OSError as error:
        raise TourFailed(f"{address} does not answer ({error}): make run") from None


def _wait(look: Callable[[], Answer | None], what: str) -> Answer:
    """Raises TourFailed when it has taken too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)  # seconds between two looks
    raise TourFailed(f"{what} did not come within {PATIENCE_SECONDS:g} s")


def _sorted_out(incident: dict[str, Any]) -> Table:
    shown = Table("", "", title="Sorted out by itself", show_header=False)
    best = incident["reading"]["topics"][0]
    shown.add_row("status", incident["status"])
    shown.add_row("topic", f"{incident['topic'] and incident['topic']['name']}")
    shown.add_row("as sure as", f"{best['confidence']:.2f}")
    shown.add_row("place", f"{incident['municipality'] and incident['municipality']['name']}")
    shown.add_row("address", f"{incident['reading']['address']}")
    shown.add_row("responsible", f"{incident['organisation'] and incident['organisation']['name']}")
    return shown
