"""Build a table from rows of cells in memory, as spreadsheets give them."""

from collections.abc import Sequence

import numpy as np

from app.reading.read_options import ReadOptions
from app.reading.table.delimiter import Choice, Record, Split
from app.reading.table.dialect import Dialect, dialect_of
from app.reading.table.table import SAMPLE_CELLS, Column, Table


def table_of_cells(records: Sequence[Record], options: ReadOptions) -> tuple[Table, Dialect] | None:
    """Build a table from rows of cells; None if there are none.

    Args:
        records: the rows as text.
        options: how to read the file.
    """
    width = max((len(record) for record in records), default=0)
    filled = [
        (place, record)
        for place, record in enumerate(records)
        if any(cell.strip() for cell in record)
    ]
    if not filled:
        return None
    sample = filled[:200]
    split = Split(
        delimiter=",",
        records=[record for _, record in sample],
        places=[place for place, _ in sample],
        width=width,
        consistent=1.0,
        clean=1.0,
    )
    dialect = dialect_of(Choice(split=split, decision=None), told=options.header)
    if dialect is None:
        return None
    body = records[dialect.skip :]
    columns = []
    for place, name in enumerate(dialect.names):
        cells = np.array(
            [record[place] if len(record) > place and record[place] else None for record in body],
            dtype=object,
        )
        written = tuple(dialect.column(place)[:SAMPLE_CELLS])
        columns.append(Column(name=name, cells=cells, sample=written))
    rows = np.arange(dialect.skip + 1, dialect.skip + 1 + len(body), dtype=np.int64)
    return Table(columns=tuple(columns), rows=rows), dialect
