"""How the schema says what a field may cost: IBM's GraphQL Cost Directives.

https://ibm.github.io/graphql-specs/cost-spec.html. Sizes and weights are those of the Russian
network with a million incidents, as the benches measure them, in points of some 20 microseconds.
"""

import strawberry
from strawberry import UNSET
from strawberry.schema_directive import Location


@strawberry.schema_directive(
    name="cost",
    locations=[Location.FIELD_DEFINITION, Location.ARGUMENT_DEFINITION],
    description="Points that it costs besides what is selected below it; an argument, once it is "
    "given and not false.",
)
class Cost:
    weight: str = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    name="listSize",
    locations=[Location.FIELD_DEFINITION],
    description="How many a list may have: as many as a slicing argument says, else the assumed "
    "size. `sizedFields`: the lists below the field that it is said of.",
)
class ListSize:
    assumed_size: int | None = UNSET
    slicing_arguments: list[str] | None = UNSET
    sized_fields: list[str] | None = UNSET
