"""Execution by graphql-core of all but what is plain (plans.py)."""

from collections import Counter
from collections.abc import Awaitable, Iterable
from inspect import isawaitable
from typing import Any

from graphql import GraphQLObjectType, GraphQLOutputType, GraphQLResolveInfo, is_non_null_type
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

from api.transport.plans import Plans, Seen


class CompiledExecutor(Executor[None]):
    """Counts in `counted` each answer of a plan, and why anything was left to graphql-core."""

    def __init__(self, *given: Any, plans: Plans, counted: Counter[str], **options: Any) -> None:
        super().__init__(*given, **options)
        self.plans = plans
        self.counted = counted
        self.seen = Seen(self.context_value)

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: None,
    ) -> Any:
        """A list whose items are plain, without a path and a frame for each."""
        of = item_type.of_type if is_non_null_type(item_type) else item_type
        if isinstance(of, GraphQLObjectType):
            plan, items = self.plans.of(of, field_details_list), list(items)
            if plan.answer is not None and not plan.rest:
                answer, seen, null = plan.answer, self.seen, of is item_type
                try:
                    answered = [None if null and i is None else answer(i, seen) for i in items]
                except Exception:
                    self.counted["raised"] += 1
                else:
                    self.counted["compiled"] += 1
                    return answered
        return super().complete_iterable_value(
            item_type, field_details_list, info, path, items, position_context
        )

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: None,
    ) -> Any:
        plan = self.plans.of(return_type, field_details_list)
        self.counted.update(plan.reasons)
        if plan.answer is not None:
            try:
                answered = plan.answer(result, self.seen)
            except Exception:
                self.counted["raised"] += 1
            else:
                self.counted["compiled"] += 1
                if not plan.rest:
                    return answered
                rest = self.execute_fields(return_type, result, path, plan.rest, None)
                return _filled(answered, rest) if isawaitable(rest) else answered | rest
        return super().complete_object_value(
            return_type, field_details_list, info, path, result, position_context
        )


async def _filled(answered: dict[str, Any], rest: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Each of the rest in its place."""
    return answered | await rest
