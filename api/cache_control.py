"""How the schema says for how long the answer of a root field may be told again."""

import strawberry
from strawberry.schema_directive import Location


@strawberry.schema_directive(
    name="cacheControl",
    locations=[Location.FIELD_DEFINITION],
    description="For so many seconds equal questions of viewers with equal rights get one answer.",
)
class CacheControl:
    max_age: int


# Of statistics. Everybody who opens a board asks the same, and the network changes more often.
A_SECOND = CacheControl(max_age=1)
