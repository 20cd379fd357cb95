"""Copy tables from a snapshot into a backup, and from a backup into an empty database."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table

from app.backup.archive import CHUNK_BYTES, DamagedArchive, copied_text
from app.storage.migrate import metadata

ID_TIME_SHIFT = 80  # a version 7 UUID begins with 48 bits of milliseconds since 1970


def backed_up_tables() -> Sequence[Table]:
    """Return every table of the schema; a table follows the tables that it refers to.

    The queue's own tables are not included: unfinished jobs are queued again after a restore.
    """
    return metadata.sorted_tables


def columns_of(table: Table) -> list[str]:
    """Return the columns of a table, in the order in which its rows are copied."""
    return [column.name for column in table.columns]


def copy_out(connection: Connection, table: Table, path: Path) -> int:
    """Write a table's rows as compressed COPY text and return their number.

    Args:
        connection: in the transaction whose snapshot is backed up.
        table: the table.
        path: the file to write.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns_of(table)))
    # COPY reads a partitioned table (the log) only through a query, not by its name.
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(names, sql.Identifier(table.name))
    with driver(connection).cursor() as cursor:
        with cursor.copy(query) as rows, copied_text(path) as file:
            for piece in rows:
                file.write(piece)
        return cursor.rowcount


def copy_in(
    connection: psycopg.Connection, name: str, columns: Sequence[str], file: IO[bytes]
) -> int:
    """Load a table's rows and return their number.

    Raises:
        DamagedArchive: the rows cannot be unpacked, or the database refuses them.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), names)
    with connection.cursor() as cursor:
        try:
            with cursor.copy(query) as rows:
                for piece in unpacked(file, name):
                    rows.write(piece)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            reason = str(error).partition("\n")[0]
            raise DamagedArchive(f"the database refuses the rows of {name}: {reason}") from error
        return cursor.rowcount


def unpacked(file: IO[bytes], name: str) -> Iterator[bytes]:
    """Yield the COPY text of a compressed table, piece by piece.

    Raises:
        DamagedArchive: it cannot be unpacked.
    """
    try:
        with gzip.open(file) as text:
            while piece := text.read(CHUNK_BYTES):
                yield piece
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedArchive(f"the rows of {name} cannot be unpacked: {error}") from error


def days_of_log(file: IO[bytes], columns: Sequence[str]) -> set[date]:
    """Return the days (UTC) of a copied log; each needs a partition before its rows are loaded.

    Args:
        file: the compressed COPY text of the predictions.
        columns: names of its columns, including `id`.

    Raises:
        DamagedArchive: a row has no readable id.
    """
    place = columns.index("id")
    days = set()
    with gzip.open(file) as text:
        for number, line in enumerate(text, start=1):
            written = line.split(b"\t", place + 1)[place].strip()
            try:
                identifier = UUID(written.decode())
            except ValueError as error:
                raise DamagedArchive(
                    f"row {number} of predictions has the id {written[:40]!r}, which is not a UUID"
                ) from error
            moment = datetime.fromtimestamp((identifier.int >> ID_TIME_SHIFT) / 1000, tz=UTC)
            days.add(moment.date())
    return days


def driver(connection: Connection) -> psycopg.Connection:
    """Return the psycopg connection below SQLAlchemy's, which has no COPY of its own."""
    inner = connection.connection.driver_connection
    if not isinstance(inner, psycopg.Connection):
        raise TypeError(f"the engine's driver is not psycopg: {type(inner)}")
    return inner
