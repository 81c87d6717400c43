"""Execution by graphql-core of all but what is plain (plans.py), and the one field most ask for."""

from collections.abc import Awaitable, Iterable
from inspect import isawaitable
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    get_argument_values,
    is_non_null_type,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

from api.telemetry.observing import Numbers
from api.transport.code import Seen
from api.transport.plans import Only, Plans
from api.types.backed import OfRows


class CompiledExecutor(Executor[None]):
    """Counts in `counted` each answer of a plan, and why anything was left to graphql-core."""

    def __init__(self, *given: Any, plans: Plans, counted: Numbers, **options: Any) -> None:
        super().__init__(*given, **options)
        self.plans = plans
        self.counted = counted
        self.seen = Seen(self.context_value)

    def execute_operation(self, serially: bool | None = None) -> Any:
        """A query of one awaited field goes without the gathering of many."""
        only = self.plans.only(self.operation)
        return super().execute_operation(serially) if only is None else self._answered(only)

    async def _answered(self, only: Only) -> Any:
        path = Path(None, only.name, only.of.name)
        info = self.build_resolve_info(only.field, only.nodes, only.of, path)
        try:
            answer = await self.complete_awaitable_value(
                only.field.type, only.at, info, path, self._resolved(only, info), None
            )
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return self.build_response(None)
        return self.build_response({only.name: answer})

    async def _resolved(self, only: Only, info: GraphQLResolveInfo[Any]) -> Any:
        first = only.at[0]
        arguments = get_argument_values(
            only.field,
            first.node,
            self.variable_values,
            first.fragment_variable_values,
            self.hide_suggestions,
        )
        resolve = only.resolve
        if self.middleware_manager:
            resolve = self.middleware_manager.get_field_resolver(resolve)
        return await resolve(self.root_value, info, **arguments)

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
            plan = self.plans.of(of, field_details_list)
            if plan.answer is not None and plan.each is not None:
                items = items if isinstance(items, OfRows) else list(items)
                answer, seen = plan.answer, self.seen
                try:
                    answered: list[Any] = (
                        [None if i is None else answer(i, seen) for i in items]
                        if of is item_type
                        else plan.each(items, seen)
                    )
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
        for reason in plan.reasons:
            self.counted[reason] += 1
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
