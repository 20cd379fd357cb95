"""Write the log to standard output as CSV or Parquet, for `app.predictions.logged.export`.

One transaction and a server-side cursor give a snapshot of the log, of which only some rows are in
memory at a time, whatever its size. When the pipe closes, this process ends.
"""

import csv
import io
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, NamedTuple
from uuid import UUID

from sqlalchemy import Text, cast, select

from app.predictions.logged.export import ExportRequest
from app.predictions.logged.schemas import LogFilter
from app.predictions.logged.spreadsheet_cells import spreadsheet_cell
from app.predictions.logged.store import conditions
from app.process.cpu_priority import GIVES_WAY, give_way
from app.storage.engine import make_engine
from app.storage.tables import Prediction

ROWS_AT_ONCE = 200  # histories may be long
BUFFER_BYTES = 1 << 18
# Of a Parquet file: what a reader loads at once, and what is kept here.
GROUP_ROWS = 20_000
GROUP_BYTES = 16 << 20


class LogRow(NamedTuple):
    """A row in the form in which it is written."""

    id: UUID
    created_at: datetime
    request_id: str
    model: str
    version: int
    alias: str | None
    kind: str
    series: str | None
    request: str  # the original JSON
    response: str
    key: str | None


COLUMNS = (
    Prediction.id,
    Prediction.created_at,
    Prediction.request_id,
    Prediction.model,
    Prediction.version,
    Prediction.alias,
    Prediction.kind,
    Prediction.series,
    # As text, so that JSON is passed on unparsed.
    cast(Prediction.request, Text),
    cast(Prediction.response, Text),
    Prediction.key,
)
NAMES = LogRow._fields


def main() -> None:
    """Write what standard input requests."""
    give_way(GIVES_WAY)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader is gone
    request = ExportRequest.model_validate_json(sys.stdin.buffer.read())
    rows = read_rows(request.database_url, request.query)
    write = {"csv": write_csv, "parquet": write_parquet}[request.query.format]
    # Not sys.stdout.buffer, which PYTHONUNBUFFERED makes a bare file.
    with open(sys.stdout.fileno(), "wb", buffering=BUFFER_BYTES, closefd=False) as output:
        write(rows, output)


def read_rows(url: str, which: LogFilter) -> Iterator[LogRow]:
    """Yield the rows that match a filter, oldest first."""
    engine = make_engine(url, pool_size=1)
    query = select(*COLUMNS).where(*conditions(which)).order_by(Prediction.id)
    with engine.connect() as connection:
        found = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
        yield from map(LogRow._make, found)


def write_csv(rows: Iterator[LogRow], to: IO[bytes]) -> None:
    """Write a header and a line per row; times in ISO form, requests and responses as JSON."""
    text = io.TextIOWrapper(to, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text)
    writer.writerow(NAMES)
    for identifier, created_at, *rest in rows:
        cells = map(spreadsheet_cell, rest)
        writer.writerow((identifier, created_at.astimezone(UTC).isoformat(), *cells))
    text.flush()
    text.detach()


def write_parquet(rows: Iterator[LogRow], to: IO[bytes]) -> None:
    """Write row groups of a size that fits into memory, here and in the reader."""
    # 40 MB that a CSV does not need; it ships no types.
    import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415
    import pyarrow.parquet as pq  # type: ignore[import-untyped]  # noqa: PLC0415

    kinds = {"created_at": pa.timestamp("ms", tz="UTC"), "version": pa.int32()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in NAMES])
    with pq.ParquetWriter(pa.PythonFile(Counted(to), mode="w"), schema, compression="zstd") as file:
        for group in groups(rows):
            columns = dict(zip(NAMES, zip(*group, strict=True), strict=True))
            columns["id"] = tuple(str(identifier) for identifier in columns["id"])
            file.write_table(pa.table(columns, schema=schema))


def groups(rows: Iterator[LogRow]) -> Iterator[list[LogRow]]:
    """Yield rows in row groups."""
    group: list[LogRow] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row.request) + len(row.response)
        if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


class Counted:
    """A pipe that counts its bytes, because Parquet records the positions of its parts."""

    closed = False

    def __init__(self, to: IO[bytes]) -> None:
        self._to = to
        self._written = 0

    def write(self, data: bytes) -> int:
        """Write to the pipe."""
        self._to.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._written

    def flush(self) -> None:
        """Flush the pipe."""
        self._to.flush()

    def close(self) -> None:
        """Do nothing: the pipe's owner closes it."""


if __name__ == "__main__":
    main()
