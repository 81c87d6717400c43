"""Documents as clients send them: read, limited and validated once, then kept."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
    specified_rules,
    validate,
)

from domain.errors import InvalidInput

# An operation beyond these is an attack or a mistake: our own largest has a fifth of each.
TOKENS_MAX = 2_000
DEPTH_MAX = 5  # one more, and regions in municipalities in regions are millions
ALIASES_MAX = 20
DIRECTIVES_MAX = 20
ERRORS_MAX = 5  # of a document; the rest of a broken one tells nothing more
DOCUMENTS_KEPT = 1_000
INTROSPECTION = frozenset({"__schema", "__type", "_service"})
CHARACTERS_KEPT_MAX = 20_000  # a longer document is read each time


class IntrospectionOff(InvalidInput):
    """This server does not tell its schema; take schema.graphql of the release."""

    field = "query"


class TooComplex(InvalidInput):
    """The operation has {found} {what}; at most {limit} are answered."""

    field = "query"


class OperationNameInvalid(InvalidInput):
    """{reason}"""

    field = "operationName"


@dataclass(frozen=True)
class Document:
    """What was sent; with `errors` it is never executed."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()

    @cached_property
    def operations(self) -> dict[str, OperationDefinitionNode]:
        """By name, "" where it has none."""
        definitions = self.node.definitions if self.node else ()
        return {
            each.name.value if each.name else "": each
            for each in definitions
            if isinstance(each, OperationDefinitionNode)
        }

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """Raises OperationNameInvalid."""
        if name:
            if name not in self.operations:
                raise OperationNameInvalid(reason="The document has no operation of this name.")
            return self.operations[name]
        if len(self.operations) != 1:
            raise OperationNameInvalid(
                reason="The document has several operations; name one by operationName."
                if self.operations
                else "The document has no operation."
            )
        (only,) = self.operations.values()
        return only


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class NoIntrospection(ASTValidationRule):
    """Of production: clients have the schema from their build; a router composes from the file."""

    def enter_field(self, node: FieldNode, *_: object) -> None:
        if node.name.value in INTROSPECTION:
            refusal = IntrospectionOff()
            self.report_error(GraphQLError(str(refusal), node, original_error=refusal))


class Operations:
    """The documents of one schema, those used last."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool = True) -> None:
        self.schema = schema
        self.rules = [*specified_rules, *([] if introspection else [NoIntrospection])]
        self._kept: OrderedDict[str, Document] = OrderedDict()  # by the digest of the text
        self._trusted: dict[str, Document] = {}  # as well; for ever

    def trust(self, text: str) -> Document:
        """Keep a document of ours, whatever its size; one with errors is not kept."""
        document = self._read(text, limited=False)
        if not document.errors:
            self._trusted[digest_of(text)] = document
        return document

    def trusts(self, digest: str) -> bool:
        return digest in self._trusted

    def read(self, text: str) -> Document:
        """Broken or not, a document is read once."""
        digest = digest_of(text)
        document = self.known(digest)
        if document is None:
            document = self._read(text)
            if len(text) <= CHARACTERS_KEPT_MAX:
                self._kept[digest] = document
                if len(self._kept) > DOCUMENTS_KEPT:
                    self._kept.popitem(last=False)
        return document

    def known(self, digest: str) -> Document | None:
        """By the SHA-256 of its text in UTF-8, in hexadecimal; None if it is not kept any more."""
        if digest in self._trusted:
            return self._trusted[digest]
        document = self._kept.get(digest)
        if document is not None:
            self._kept.move_to_end(digest)
        return document

    def _read(self, text: str, *, limited: bool = True) -> Document:
        try:
            node = parse(text, max_tokens=TOKENS_MAX if limited else None)
        except GraphQLSyntaxError as error:
            return Document(None, (error,))
        try:
            if limited:
                check_size(node)
        except TooComplex as refusal:
            return Document(node, (GraphQLError(str(refusal), original_error=refusal),))
        errors = validate(
            self.schema, node, self.rules, max_errors=ERRORS_MAX, hide_suggestions=True
        )
        if limited and not errors:
            try:
                check_depth(node)
            except TooComplex as refusal:
                errors = [GraphQLError(str(refusal), original_error=refusal)]
        return Document(node, tuple(errors))


def check_size(document: DocumentNode) -> None:
    """Before anything costs more than a look at each node. Raises TooComplex."""
    aliases = directives = 0
    for selection in _selections(document):
        directives += len(selection.directives or ())
        aliases += isinstance(selection, FieldNode) and selection.alias is not None
    for definition in document.definitions:
        directives += len(getattr(definition, "directives", None) or ())
    if aliases > ALIASES_MAX:
        raise TooComplex(found=aliases, what="aliases", limit=ALIASES_MAX)
    if directives > DIRECTIVES_MAX:
        raise TooComplex(found=directives, what="directives", limit=DIRECTIVES_MAX)


Selection = FieldNode | InlineFragmentNode | FragmentSpreadNode


def _selections(document: DocumentNode) -> Iterator[Selection]:
    waiting: list[SelectionSetNode] = [
        definition.selection_set
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    while waiting:
        for selection in waiting.pop().selections:
            yield selection  # type: ignore[misc]  # there are only these three
            inner = getattr(selection, "selection_set", None)
            if inner is not None:
                waiting.append(inner)


def check_depth(document: DocumentNode) -> None:
    """Of a valid document: its fragments make no circle. Raises TooComplex."""
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    known: dict[str, int] = {}

    def depth(selections: SelectionSetNode) -> int:
        return max((below(each) for each in selections.selections), default=0)

    def below(selection: object) -> int:
        match selection:
            case FieldNode(name=name) if name.value.startswith("__"):
                return 0  # introspection is bounded by the schema
            case FieldNode(selection_set=SelectionSetNode() as inner):
                return 1 + depth(inner)
            case InlineFragmentNode(selection_set=inner):
                return depth(inner)
            case FragmentSpreadNode(name=name):
                if name.value not in known:
                    known[name.value] = depth(fragments[name.value].selection_set)
                return known[name.value]
        return 0

    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            found = depth(definition.selection_set)
            if found > DEPTH_MAX:
                raise TooComplex(found=found, what="levels", limit=DEPTH_MAX)
