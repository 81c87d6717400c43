"""Templates of replies: what an executor starts from, by topic group, kind of reply and outcome.

They are rows of a catalogue's templates.csv; what only the executor knows stands as {field}.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from domain.errors import InvalidInput, Unknown
from domain.vocabulary import Outcome, ReplyKind
from regions.reference.catalogue import Catalogue, CatalogueInvalid, Row, rows

FILE = "templates.csv"

# Names only: a template cannot reach into a value as str.format would let it.
_FIELD = re.compile(r"\{([a-z][a-z_]*)\}")


class UnknownTemplate(Unknown):
    """The catalogue knows no reply template with the code {value!r}."""

    field = "code"


class TemplateFieldMissing(InvalidInput):
    """Template {template} needs a value for {field}; an empty one is none."""


class TemplateFieldUnknown(InvalidInput):
    """Template {template} has no field {field}."""


@dataclass(frozen=True, slots=True)
class Template:
    code: str
    topic_group: str | None  # None: for every topic
    kind: ReplyKind
    outcome: Outcome | None  # None: for every outcome; a reply that is not final has none
    text: str

    @property
    def fields(self) -> tuple[str, ...]:
        """In the order of the text, each once."""
        return tuple(dict.fromkeys(_FIELD.findall(self.text)))

    @property
    def pieces(self) -> tuple[tuple[str, str], ...]:
        """Each field with the text that follows it; before the first field stands no name."""
        return _pieces(self.text)

    def filled(self, values: Mapping[str, str]) -> str:
        """Raises TemplateFieldMissing or TemplateFieldUnknown; braces in a value stay."""
        for name in values:
            if name not in self.fields:
                raise TemplateFieldUnknown(field=name, template=self.code)
        for name in self.fields:
            if not values.get(name, "").strip():
                raise TemplateFieldMissing(field=name, template=self.code)
        return _FIELD.sub(lambda found: values[found[1]].strip(), self.text)


@cache
def _pieces(text: str) -> tuple[tuple[str, str], ...]:
    first, *rest = _FIELD.split(text)
    return (("", first), *zip(rest[0::2], rest[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Templates:
    """By code, in the order of the file."""

    by_code: Mapping[str, Template]
    catalogue: Catalogue

    def template(self, code: str) -> Template:
        """Raises UnknownTemplate."""
        try:
            return self.by_code[code]
        except KeyError:
            raise UnknownTemplate(value=code) from None

    def find(
        self, topic: str | None, kind: ReplyKind, outcome: Outcome | None
    ) -> tuple[Template, ...]:
        """The most specific first: of the topic's group, then of the outcome, then as in the file.

        None is not known yet: no topic fits no group, no outcome fits every one.
        Raises UnknownTopic.
        """
        group = self.catalogue.topic(topic).group if topic is not None else None
        fitting = (
            each
            for each in self.by_code.values()
            if each.kind is kind
            and each.topic_group in (None, group)
            and (outcome is None or each.outcome in (None, outcome))
        )
        return tuple(sorted(fitting, key=_generality))


def _generality(template: Template) -> tuple[bool, bool]:
    return template.topic_group is None, template.outcome is None


def load_templates(folder: Path, catalogue: Catalogue) -> Templates:
    """A folder without the file has no templates. Raises CatalogueInvalid, naming file and line."""
    file = folder / FILE
    found: dict[str, Template] = {}
    for line, row in enumerate(rows(file) if file.is_file() else (), start=2):
        try:
            template = _template(row, catalogue)
            if template.code in found:
                raise ValueError(f"code {template.code!r} stands there twice")
            found[template.code] = template
        except (KeyError, ValueError) as error:
            raise CatalogueInvalid(f"{file}, line {line}: {error}") from error
    return Templates(found, catalogue)


def _template(row: Row, catalogue: Catalogue) -> Template:
    """Raises KeyError for a missing column, ValueError for a cell that cannot be."""
    template = Template(
        code=row["code"],
        topic_group=row["topic_group"] or None,
        kind=ReplyKind(row["kind"]),
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        text=row["text"],
    )
    for wrong, why in (
        (not template.code, "the code is empty"),
        (not template.text, "the text is empty"),
        (not _is_group(template.topic_group, catalogue), f"no topic group {row['topic_group']!r}"),
        (
            template.outcome is not None and template.kind is not ReplyKind.FINAL,
            "only a final reply has an outcome",
        ),
        (
            bool(re.search(r"[{}]", _FIELD.sub("", template.text))),
            "a brace that encloses no field name (a-z and _)",
        ),
    ):
        if wrong:
            raise ValueError(why)
    return template


def _is_group(code: str | None, catalogue: Catalogue) -> bool:
    if code is None:
        return True
    topic = catalogue.topics.get(code)
    return topic is not None and topic.group is None
