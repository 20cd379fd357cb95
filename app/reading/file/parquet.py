"""Read Parquet files as tables."""

from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from app.reading.arrays import Objects, Times
from app.reading.content import offset_iso
from app.reading.decisions import settled
from app.reading.report import FileProblem
from app.reading.table.header import unique_names
from app.reading.table.table import Column, Table


def read_parquet(path: Path) -> Table:
    """Read a Parquet file; its rows are counted from 1, because it has no header line.

    Raises:
        FileProblem: it is damaged, or has no column that can be read.
    """
    try:
        with pa.OSFile(str(path)) as file:  # given a path, Arrow would show it in messages
            table = pq.read_table(file)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        # Arrow's message begins with the name '<Buffer>', which it gives to the file.
        reason = str(error).rpartition("'<Buffer>': ")[2]
        raise FileProblem(f"the Parquet file cannot be opened: {reason}") from error
    names = unique_names([str(name) for name in table.column_names])
    columns = [
        _column(name, table.column(place).combine_chunks()) for place, name in enumerate(names)
    ]
    if not columns:
        raise FileProblem("the Parquet file has no columns")
    rows = np.arange(1, table.num_rows + 1, dtype=np.int64)
    return Table(
        columns=tuple(columns), rows=rows, decisions=(settled("decimal", ".", "numbers are typed"),)
    )


def _column(name: str, values: pa.Array) -> Column:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
        kind = values.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        return Column(name=name, numbers=numbers)
    if pa.types.is_decimal(kind):
        return Column(name=name, numbers=values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return Column(name=name, cells=_times(values))
    texts = [None if cell is None else str(cell) for cell in values.to_pylist()]
    return Column(name=name, cells=np.array(texts, dtype=object))


def _times(values: pa.Array) -> Objects:
    """Return times as ISO text; zoned times in their local form, with the distance to UTC."""
    zoned = pa.types.is_timestamp(values.type) and values.type.tz is not None
    is_date = pa.types.is_date(values.type)
    try:
        local = pc.local_timestamp(values) if zoned else values
    except pa.ArrowInvalid as error:
        raise FileProblem(f"the zone of its times is unknown here: {error}") from error
    times = _micros(local)
    cells: Objects = np.datetime_as_string(times, unit="D" if is_date else "us").astype(object)
    if zoned:
        ahead = times.astype(np.int64) - _micros(values).astype(np.int64)  # 0 if missing
        offsets, place = np.unique(ahead // 60_000_000, return_inverse=True)
        cells = cells + np.array([offset_iso(int(each)) for each in offsets], dtype=object)[place]
    cells[np.isnat(times)] = None
    return cells


def _micros(values: pa.Array) -> Times:
    zone = values.type.tz if pa.types.is_timestamp(values.type) else None
    instants = values.cast(pa.timestamp("us", tz=zone), safe=False)
    times: Times = instants.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    return times
