"""Templates of replies: what is offered, and what becomes of one that is filled."""

from collections.abc import Sequence

import strawberry

from domain.commands import TEXT_MAX, check_text
from domain.errors import InvalidInput
from domain.vocabulary import Outcome, ReplyFlaw, ReplyKind
from regions.node import Node
from regions.reference.templates import Template, Templates


class TemplateFieldRepeated(InvalidInput):
    """{field} has two values; which one is meant?"""


@strawberry.type(description="What an executor starts a reply from.")
class ReplyTemplate:
    code: str = strawberry.field(description="Stable code, for fillTemplate.")
    kind: ReplyKind = strawberry.field(description="Which kind of reply it is.")
    outcome: Outcome | None = strawberry.field(
        description="Of the incident; null: any, and always so of a reply that is not final."
    )
    topic_group: str | None = strawberry.field(
        description="Code of the group of topics it is for; null: any."
    )
    text: str = strawberry.field(description="With {fields} that only the executor knows.")
    fields: list[str] = strawberry.field(description="Their names in the order of the text.")

    @classmethod
    def of(cls, template: Template) -> "ReplyTemplate":
        return cls(
            code=template.code,
            kind=template.kind,
            outcome=template.outcome,
            topic_group=template.topic_group,
            text=template.text,
            fields=list(template.fields),
        )

    @classmethod
    def fitting(
        cls, node: Node, topic: str | None, kind: ReplyKind, outcome: Outcome | None
    ) -> list["ReplyTemplate"]:
        """The most specific first. Raises UnknownTopic."""
        return [cls.of(each) for each in _templates(node).find(topic, kind, outcome)]


@strawberry.input(description="What stands for a field of a template.")
class FieldValueInput:
    name: str = strawberry.field(description="Name of the field, without braces.")
    value: str = strawberry.field(description="Text; blanks around it are left out.")


@strawberry.type(description="A reply as it would be drafted.")
class FilledTemplate:
    text: str = strawberry.field(description="Give it to draftReply.")
    flaws: list[ReplyFlaw] = strawberry.field(
        description="What the rules of the region's language would find wrong with it."
    )

    @classmethod
    def of(
        cls, node: Node, region: str, code: str, values: Sequence[FieldValueInput]
    ) -> "FilledTemplate":
        """Raises UnknownRegion, UnknownTemplate, TemplateField… and what a reply's text may."""
        terms = node.centre(region).terms
        template = _templates(node).template(code)
        text = template.filled(_once(values))
        check_text("values", text, TEXT_MAX)
        return cls(text=text, flaws=list(terms.flaws(text, template.kind)))


def _once(values: Sequence[FieldValueInput]) -> dict[str, str]:
    """By name. Raises TemplateFieldRepeated."""
    found: dict[str, str] = {}
    for each in values:
        if each.name in found:
            raise TemplateFieldRepeated(field=each.name)
        found[each.name] = each.value
    return found


def _templates(node: Node) -> Templates:
    return node.templates or Templates({}, node.catalogue)
