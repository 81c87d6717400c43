"""Tables as Apache Parquet. Its library takes 49 MiB: only who writes such a file imports this."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC

import pyarrow
from pyarrow import parquet

from projections.views.columns import Kind
from projections.views.tables import Row, Table, Told
from workers.sink import Sink, Write

ARROW_TYPES = {
    Kind.TEXT: pyarrow.string(),
    Kind.WHOLE: pyarrow.int64(),
    Kind.NUMBER: pyarrow.float64(),
    Kind.FLAG: pyarrow.bool_(),
    Kind.MOMENT: pyarrow.timestamp("us", tz="UTC"),
    Kind.DAY: pyarrow.date32(),
}


@contextmanager
def written(sink: Sink, table: Table) -> Iterator[Write]:
    """Each page is a row group; what it tells of is in the metadata of the schema."""
    schema = pyarrow.schema(
        [(column.name, ARROW_TYPES[column.kind]) for column in table.columns],
        metadata=_metadata(table.told),
    )
    with parquet.ParquetWriter(pyarrow.PythonFile(sink, mode="w"), schema) as file:

        def write(rows: Sequence[Row]) -> None:
            arrays = [
                pyarrow.array(cells, type)
                for cells, type in zip(zip(*rows, strict=True), schema.types, strict=True)
            ]
            file.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))

        yield write


def _metadata(told: Told) -> dict[str, str]:
    known = {
        "at": told.at.astimezone(UTC).isoformat(),
        "positions": " ".join(told.positions),
        "period": f"{told.period.first}/{told.period.last}" if told.period else None,
        "method": told.method,
        "provisional": None if told.provisional is None else str(told.provisional).lower(),
    }
    return {f"tsur.{name}": value for name, value in known.items() if value is not None}
