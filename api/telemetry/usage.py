"""Which client still asks for which field: counted by documents, told by fields.

An operation adds one to the counter of its client and document. The fields of a document are looked
for when the counters are stored, every few minutes.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import psycopg
from anyio import CapacityLimiter, to_thread
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    visit,
)
from psycopg_pool import ConnectionPool

from api.transport.operations import Document
from regions.field_usage import add_usage

STORE_SECONDS = 5 * 60
DOCUMENTS_MAX = (
    1_000  # between two stores; those of a client that never sends the same are left out
)

log = logging.getLogger(__name__)


class Usage:
    """Of one process, since it was stored last."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._documents: dict[str, DocumentNode] = {}  # by digest
        self._operations: Counter[tuple[str, str]] = Counter()  # by client and digest

    def count(self, client: str, document: Document) -> None:
        """One operation of a valid document."""
        digest = document.digest
        if digest not in self._documents:
            if document.node is None or len(self._documents) >= DOCUMENTS_MAX:
                return
            self._documents[digest] = document.node
        self._operations[client, digest] += 1

    async def keep(
        self, pool: ConnectionPool, clock: Callable[[], datetime], threads: CapacityLimiter
    ) -> None:
        """Store every few minutes until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(STORE_SECONDS)
                await to_thread.run_sync(self.store, pool, clock(), limiter=threads)
        finally:
            await to_thread.run_sync(self.store, pool, clock(), limiter=threads)

    def store(self, pool: ConnectionPool, now: datetime) -> None:
        """Begin anew; what cannot be stored is lost, for no figure rests on it."""
        counted = self.take()
        try:
            if counted:
                add_usage(pool, now.date(), counted)
        except psycopg.Error as error:
            log.warning("Usage of fields is lost: %s", type(error).__name__)

    def take(self) -> Counter[tuple[str, str]]:
        """Operations by client and field; counting begins anew."""
        documents, operations = self._documents, self._operations
        self._documents, self._operations = {}, Counter()
        fields = {digest: fields_of(self.schema, each) for digest, each in documents.items()}
        found: Counter[tuple[str, str]] = Counter()
        for (client, digest), times in operations.items():
            found.update({(client, field): times for field in fields[digest]})
        return found


def fields_of(schema: GraphQLSchema, document: DocumentNode) -> frozenset[str]:
    """As `Type.field`, without introspection. Of a valid document."""
    info, found = TypeInfo(schema), set()

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: object) -> None:
            parent = info.get_parent_type()
            if parent is not None and not f"{parent.name}{node.name.value}".count("__"):
                found.add(f"{parent.name}.{node.name.value}")

    visit(document, TypeInfoVisitor(info, Fields()))
    return frozenset(found)
