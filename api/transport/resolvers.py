"""What a resolver is asked through: the same as strawberry's, put together once.

Strawberry finds out for each request how arguments are called in Python, what is made of them and
what wraps the field.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLResolveInfo,
    GraphQLSchema,
    get_nullable_type,
    is_leaf_type,
    is_object_type,
)
from graphql.execution import MiddlewareManager
from strawberry.extensions.field_extension import build_field_extension_resolvers
from strawberry.types.arguments import convert_argument
from strawberry.types.field import StrawberryField
from strawberry.types.info import Info

from api.transport.code import DEFINITION

Resolver = Callable[..., Any]
Convert = Callable[..., Any]


class Resolvers(MiddlewareManager):
    """Those of asynchronous fields, where graphql-core looks for strawberry's."""

    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self._of: dict[Resolver, Resolver] = {}
        for type_ in filter(is_object_type, schema.type_map.values()):
            for field in type_.fields.values():
                definition: StrawberryField | None = field.extensions.get(DEFINITION)
                if definition and _is_asked_here(definition):
                    self._of[field.resolve] = _put_together(schema, field, definition)

    def get_field_resolver(self, field_resolver: Resolver) -> Resolver:
        return self._of.get(field_resolver, field_resolver)


def _is_asked_here(definition: StrawberryField) -> bool:
    """A method that is awaited. Events of subscriptions come another way."""
    resolver = definition.base_resolver
    is_method = resolver is not None and resolver.self_parameter is not None
    return is_method and definition.is_async and not definition.is_subscription


def _put_together(
    schema: GraphQLSchema, field: GraphQLField, definition: StrawberryField
) -> Resolver:
    converted = _converters(schema, field, definition)
    wrapped: Resolver = reduce(
        lambda within, extension: partial(extension, within),
        build_field_extension_resolvers(definition),
        _bare(definition),
    )

    async def resolve(source: Any, raw: GraphQLResolveInfo[Any], **given: Any) -> Any:
        info: Info[Any, Any] = Info(raw, definition)
        arguments = {}
        for name, value in given.items():
            python_name, convert = converted[name]
            if convert is not None and value is not None:
                value = convert(value, info=info)
            arguments[python_name] = value
        return await wrapped(source, info, **arguments)

    return resolve


def _bare(definition: StrawberryField) -> Resolver:
    """What extensions wrap: the function that was written, given `info` if it asks for that."""
    resolver = definition.base_resolver
    assert resolver is not None, "only fields with a resolver are asked through one"  # noqa: S101
    ask: Resolver = resolver.wrapped_func  # type: ignore[assignment]  # a method of the type
    if resolver.info_parameter is None:
        return lambda source, info, **arguments: ask(source, **arguments)
    name = resolver.info_parameter.name
    return lambda source, info, **arguments: ask(source, **arguments, **{name: info})


def _converters(
    schema: GraphQLSchema, field: GraphQLField, definition: StrawberryField
) -> dict[str, tuple[str, Convert | None]]:
    """By name of an argument in GraphQL: its name in Python, and what makes its value there.

    None for a scalar or a word of an enum, which graphql-core has made already.
    """
    strawberry = schema._strawberry_schema  # type: ignore[attr-defined]  # put there by strawberry
    found: dict[str, tuple[str, Convert | None]] = {}
    for each in definition.arguments:
        name = strawberry.config.name_converter.from_argument(each)
        convert = None
        if not is_leaf_type(get_nullable_type(field.args[name].type)):
            convert = partial(
                convert_argument,
                type_=each.type,
                scalar_registry=strawberry.schema_converter.scalar_registry,
                config=strawberry.config,
                path=(name,),
            )
        found[name] = each.python_name, convert
    return found
