"""Documents as clients send them: read, limited and validated once, then kept."""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    FieldsOnCorrectTypeRule,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    KnownArgumentNamesRule,
    KnownTypeNamesRule,
    OperationDefinitionNode,
    SelectionSetNode,
    Token,
    TokenKind,
    parse,
    specified_rules,
    validate,
)

from api.transport.plans import Plans
from domain.errors import InvalidInput

# An operation beyond these is an attack or a mistake: our own largest has two fifths of each.
CHARACTERS_MAX = 40_000  # twice the longest text
TOKENS_MAX = 1_000
# As the parser says it, which counts them.
TOO_MANY_TOKENS = f"Document contains more than {TOKENS_MAX} tokens. Parsing aborted."
DEPTH_MAX = 5  # one more, and regions in municipalities in regions are millions
ALIASES_MAX = 20
SIZES_MAX = {
    "aliases": ALIASES_MAX,
    "directives": 20,
    "repeated fields": 20,
    "fragments": 20,
    "colons": 150,  # arguments and input fields; an error shows an object whole
}
ERRORS_MAX = 2  # of a document; the rest of a broken one tells nothing more
CHARACTERS_KEPT = 1_000_000  # of documents, each some 80 bytes of memory
# Rules that are asked before the dear ones.
NAMES = (FieldsOnCorrectTypeRule, KnownArgumentNamesRule, KnownTypeNamesRule)
INTROSPECTION = frozenset({"__schema", "__type", "_service"})


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
    digest: str = ""  # of its text: SHA-256, in hexadecimal
    plans: Plans | None = None
    costs: dict[tuple[object, ...], int] = field(default_factory=dict, compare=False)  # cost.py
    # Of a field by its identity: itself, so that no other has that, and what api/types/asked.py
    # finds below it.
    asked: dict[int, tuple[FieldNode, frozenset[str]]] = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        return self.node.loc.source.body if self.node and self.node.loc else ""

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
        self._by_text: dict[str, Document] = {}  # the same, not to digest each text that comes
        self._characters = 0  # of these
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
        """A document is read once; a broken one each time, or garbage would crowd out others."""
        kept = self._by_text.get(text)
        if kept is not None:
            self._kept.move_to_end(kept.digest)
            return kept
        digest = digest_of(text)
        document = self.known(digest)
        if document is None:
            document = replace(self._read(text), digest=digest)
            if not document.errors:
                self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        self._kept[document.digest] = self._by_text[text] = document
        self._characters += len(text)
        while self._characters > CHARACTERS_KEPT:
            _, forgotten = self._kept.popitem(last=False)
            del self._by_text[forgotten.text]
            self._characters -= len(forgotten.text)

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
            if limited:
                check_text(text)
            node = parse(text, max_tokens=TOKENS_MAX if limited else None)
            if limited:
                check_size(node)
        except GraphQLSyntaxError as error:
            if error.description != TOO_MANY_TOKENS:
                return Document(None, (error,))
            refusal = TooComplex(found=f"over {TOKENS_MAX}", what="tokens", limit=TOKENS_MAX)
            return Document(None, (GraphQLError(str(refusal), original_error=refusal),))
        except TooComplex as refusal:
            return Document(None, (GraphQLError(str(refusal), original_error=refusal),))
        errors = self._errors(node, NAMES) or self._errors(node, self.rules)
        if limited and not errors:
            try:
                check_depth(node)
            except TooComplex as refusal:
                errors = [GraphQLError(str(refusal), original_error=refusal)]
        return Document(node, tuple(errors), plans=Plans(self.schema, node))

    def _errors(
        self, node: DocumentNode, rules: Sequence[type[ASTValidationRule]]
    ) -> list[GraphQLError]:
        return validate(self.schema, node, rules, max_errors=ERRORS_MAX, hide_suggestions=True)


def check_text(text: str) -> None:
    """Before it is read: the lexer spends as much on the characters of one literal as on tokens.

    Raises TooComplex.
    """
    if len(text) > CHARACTERS_MAX:
        raise TooComplex(found=len(text), what="characters", limit=CHARACTERS_MAX)


def check_size(document: DocumentNode) -> None:
    """Before anything costs more than a look at each node. Raises TooComplex."""
    found = Counter(colons=sum(token.kind is TokenKind.COLON for token in _tokens(document)))
    for definition in document.definitions:
        found["fragments"] += isinstance(definition, FragmentDefinitionNode)
        found["directives"] += len(getattr(definition, "directives", None) or ())
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            _count(definition.selection_set, found)
    for what, limit in SIZES_MAX.items():
        if found[what] > limit:
            raise TooComplex(found=found[what], what=what, limit=limit)


def _tokens(document: DocumentNode) -> Iterator[Token]:
    token = document.loc.start_token if document.loc else None
    while token is not None:
        yield token
        token = token.next


def _count(selections: SelectionSetNode, found: Counter[str]) -> None:
    """Whether fields that are answered as one agree is asked pair by pair: few may be repeated."""
    waiting: list[tuple[SelectionSetNode, str, set[tuple[str, str]]]] = [(selections, "", set())]
    while waiting:
        inside, condition, seen = waiting.pop()
        for selection in inside.selections:
            found["directives"] += len(selection.directives or ())
            if isinstance(selection, InlineFragmentNode):
                named = selection.type_condition
                of = named.name.value if named else condition
                waiting.append((selection.selection_set, of, seen))
                continue
            key = selection.name.value  # type: ignore[attr-defined]  # there are only these three
            if isinstance(selection, FieldNode):
                if selection.alias is not None:
                    found["aliases"] += 1
                    key = selection.alias.value
                if selection.selection_set is not None:
                    waiting.append((selection.selection_set, "", set()))
            found["repeated fields"] += (condition, key) in seen
            seen.add((condition, key))


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
