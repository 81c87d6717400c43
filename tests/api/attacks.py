"""Operations made up from the schema itself: any root field, any arguments, any selection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)

from api.schema import schema

SCHEMA = schema._schema
LEVELS_MAX = 4  # of selections; of the five that the API takes the last only repeats
AT_ONCE_MAX = 3  # root fields of an operation
BRANCHES_MAX = 2  # fields of an object that are followed further; of its leaves all are asked
OPTIONAL_SHARE = 0.25  # of what may be left out

# What to choose from: by "String region", the type and name of an argument, or by its type.
Values = Mapping[str, Sequence[Any]]


class Call(NamedTuple):
    """A root field as it is asked."""

    name: str
    arguments: dict[str, Any]


class Operation(NamedTuple):
    text: str
    variables: dict[str, Any]
    calls: dict[str, Call]  # by the key of its answer


def query(chance: Random, names: Sequence[str], values: Values) -> Operation:
    """Of some of these root fields. Valid by the schema; what it asks for may not be there."""
    writer, calls, asked = Writer(chance, values), {}, []
    for number in range(chance.randint(1, AT_ONCE_MAX)):
        name, key = chance.choice(names), f"a{number}"
        text, calls[key] = writer.call(name, SCHEMA.query_type.fields[name], LEVELS_MAX)
        asked.append(f"{key}: {text}")
    declared = f"({', '.join(writer.declared)})" if writer.declared else ""
    return Operation(f"query {declared} {{ {' '.join(asked)} }}", writer.variables, calls)


@dataclass
class Writer:
    chance: Random
    values: Values
    declared: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)

    def call(self, name: str, asked: GraphQLField, levels: int) -> tuple[str, Call]:
        passed = self.arguments(asked.args)
        given = ", ".join(f"{arg}: ${variable}" for arg, variable in passed.items())
        call = Call(name, {arg: self.variables[variable] for arg, variable in passed.items()})
        return f"{name}{given and f'({given})'}{self.selection(asked, levels)}", call

    def arguments(self, args: Mapping[str, GraphQLArgument]) -> dict[str, str]:
        """By the name of each that is given, its variable."""
        passed = {}
        for name, arg in args.items():
            if is_required_argument(arg) or self.chance.random() < OPTIONAL_SHARE:
                passed[name] = f"v{len(self.variables)}"
                self.declared.append(f"${passed[name]}: {arg.type}")
                self.variables[passed[name]] = self.value(arg.type, name)
        return passed

    def selection(self, asked: GraphQLField, levels: int) -> str:
        of = get_named_type(asked.type)
        if is_leaf_type(of):
            return ""
        if is_abstract_type(of):  # one of them: fields of the same name may differ in type
            one = self.chance.choice(SCHEMA.get_possible_types(of))
            return f" {{ __typename ... on {one.name} {{ {self.fields(one, levels)} }} }}"
        return f" {{ {self.fields(of, levels)} }}"

    def fields(self, of: GraphQLNamedType, levels: int) -> str:
        assert isinstance(of, GraphQLObjectType)
        branches = [name for name, each in of.fields.items() if not _is_leaf(each)]
        asked = [name for name, each in of.fields.items() if _is_leaf(each)]
        if branches and levels > 1:
            chosen = self.chance.sample(branches, min(BRANCHES_MAX, len(branches)))
            asked += [self.call(name, of.fields[name], levels - 1)[0] for name in chosen]
        return " ".join(["__typename", *asked])

    def value(self, of: GraphQLInputType, name: str) -> Any:
        if is_non_null_type(of):
            return self.value(of.of_type, name)
        if is_list_type(of):
            return [self.value(of.of_type, name) for _ in range(self.chance.randint(0, 3))]
        if isinstance(of, GraphQLInputObjectType):
            return {
                part: self.value(each.type, part)
                for part, each in of.fields.items()
                if is_required_input_field(each) or self.chance.random() < OPTIONAL_SHARE
            }
        if isinstance(of, GraphQLEnumType):
            return self.chance.choice(list(of.values))
        return self.chance.choice(self.values.get(f"{of} {name}") or self.values[f"{of}"])


def _is_leaf(asked: GraphQLField) -> bool:
    needed = any(is_required_argument(arg) for arg in asked.args.values())
    return is_leaf_type(get_named_type(asked.type)) and not needed
