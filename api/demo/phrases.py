"""What the citizens of the demo network write and are answered: templates from phrases.*.txt."""

from pathlib import Path
from random import Random

from domain.commands import Citizen
from domain.vocabulary import Kind, Outcome, ReplyAuthor, ReplyKind
from regions.reference.catalogue import Topic

FOLDER = Path(__file__).parent
DEFAULT_LANGUAGE = "en"


class Phrases:
    """Templates of one language by section: a topic, a group of topics, a part of speech."""

    def __init__(self, language: str) -> None:
        """A language without templates of its own speaks English."""
        file = FOLDER / f"phrases.{language}.txt"
        if not file.is_file():
            file = FOLDER / f"phrases.{DEFAULT_LANGUAGE}.txt"
        self.english = file.name == f"phrases.{DEFAULT_LANGUAGE}.txt"
        self._sections = _read(file)

    def citizen(self, random: Random, number: int, kind: Kind, topic: Topic, place: str) -> Citizen:
        """Somebody who does not exist, reachable nowhere: example.org belongs to nobody (RFC 2606).

        `number` tells people of the same name apart; `place` is where they say it happens.
        """
        first = self.pick(random, "first names")
        last = self.pick(random, "last names")
        return Citizen(
            name=f"{first} {last}",
            contact=f"citizen-{number}@example.org",
            text=self._message(random, kind, topic, place),
        )

    def reply(
        self, random: Random, kind: ReplyKind, author: ReplyAuthor, outcome: Outcome | None
    ) -> str:
        """What is published; `outcome` is what a final reply speaks of."""
        if author is ReplyAuthor.AUTO:
            return self.pick(random, "reply AUTO")
        return self.pick(random, f"reply {outcome or kind}")

    def about(self, topic: Topic, place: str, number: int) -> str:
        """What an answer says of whom it answers; `number` chooses the street."""
        streets = self._sections["streets"]
        name = topic.name_en if self.english else topic.name
        said = {"topic": name, "place": place, "street": streets[number % len(streets)]}
        return self._sections["about"][0].format_map(said)

    def _message(self, random: Random, kind: Kind, topic: Topic, place: str) -> str:
        body = self._body(random, kind, topic).format_map(self._particulars(random, topic, place))
        parts = [body]
        if random.random() < 0.5:
            parts.insert(0, self.pick(random, "greeting"))
        if random.random() < 0.6 and f"closing {kind}" in self._sections:
            parts.append(self.pick(random, f"closing {kind}"))
        return " ".join(parts)

    def _body(self, random: Random, kind: Kind, topic: Topic) -> str:
        if kind in (Kind.SUGGESTION, Kind.THANKS):
            return self.pick(random, kind)
        own = self._sections.get(topic.code)
        if own and random.random() < 0.85:
            return random.choice(own)
        group = self._sections.get(topic.group or "")
        if group and random.random() < 0.6:
            return random.choice(group)
        return self.pick(random, "any")

    def _particulars(self, random: Random, topic: Topic, place: str) -> dict[str, object]:
        name = topic.name_en if self.english else topic.name
        street = self.pick(random, "streets")
        return {
            "Topic": name,
            "topic": name if name[1:2].isupper() else name[:1].lower() + name[1:],
            "place": place,
            "street": street,
            "house": random.randrange(1, 120),
            "days": random.randrange(4, 20),
        }

    def pick(self, random: Random, section: str) -> str:
        return random.choice(self._sections[section])


def _read(file: Path) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return sections
