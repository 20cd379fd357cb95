"""Wide tables made long: a series per row under a header of times, or a series per column."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from app.reading.columns.cell_types import cell_kind
from app.reading.columns.column_types import ReadColumn
from app.reading.columns.date_patterns import MONTH_NUMBERS
from app.reading.report import FileProblem
from app.reading.table.table import Column, Objects, Table

SERIES = "series"  # the column that names the series, in the long table
VALUE = "value"
TIME = "time"

_FEWEST_TIMES = 3  # columns named by times, from which a header is one of times


def times_in_header(columns: list[ReadColumn], *, told: bool) -> list[int]:
    """Which columns are named by times that run on; [] when the header is not one of times.

    Args:
        columns: as read.
        told: the user said so; else other columns of numbers speak against names such as 2017.
    """
    places = [
        place
        for place, column in enumerate(columns)
        if column.type in {"number", "empty"} and _is_time(column.name)
    ]
    others = [column for place, column in enumerate(columns) if place not in places]
    names = [columns[place].name for place in places]
    plain = all(name.isdigit() for name in names)
    against = {"date", "number"} if plain else {"date"}
    if len(places) < _FEWEST_TIMES:
        return []
    if not told and any(column.type in against for column in others):
        return []
    if plain:
        numbers = [int(name) for name in names]
        steps = {after - before for before, after in pairwise(numbers)}
        if len(steps) > 1 and min(steps) <= 0:
            return []
    return places


def rows_as_series(table: Table, columns: list[ReadColumn], places: list[int]) -> Table:
    """A long table of one that has a series per row.

    Args:
        table: the wide table.
        columns: its columns as read.
        places: the columns that are named by times.
    """
    values = np.full((len(table.rows), len(places)), np.nan)  # (series, times)
    for at, place in enumerate(places):
        numbers = columns[place].numbers
        if numbers is not None:
            values[:, at] = numbers
    names = np.array([columns[place].name for place in places], dtype=object)
    others = [column for at, column in enumerate(columns) if at not in places]
    labels = _row_labels(others, table)
    months = [MONTH_NUMBERS.get(str(label).strip().lower().rstrip(".")) for label in labels]
    if all(months) and all(str(name).isdigit() for name in names):
        # Months down, years across: one monthly series and not twelve yearly ones.
        times = [f"{year}-{month:02d}" for month in months for year in names]
        return replace(
            table,
            columns=(
                Column(name=TIME, cells=np.array(times, dtype=object)),
                Column(name=VALUE, numbers=values.ravel()),
            ),
            rows=np.repeat(table.rows, len(places)),
        )
    return replace(
        table,
        columns=(
            Column(name=SERIES, cells=np.repeat(labels, len(places))),
            Column(name=TIME, cells=np.tile(names, len(table.rows))),
            Column(name=VALUE, numbers=values.ravel()),  # (series · times,)
        ),
        rows=np.repeat(table.rows, len(places)),
    )


def columns_as_series(table: Table, columns: list[ReadColumn], times: tuple[str, ...]) -> Table:
    """A long table of one that has a series per column of numbers.

    Args:
        table: the wide table.
        columns: its columns as read.
        times: the columns that hold the times.

    Raises:
        FileProblem: no column holds numbers.
    """
    wide = [column for column in columns if column.type == "number" and column.name not in times]
    if not wide:
        raise FileProblem("no column holds numbers, so none can be a series")
    values = np.concatenate([column.numbers for column in wide if column.numbers is not None])
    names = np.array([column.name for column in wide], dtype=object)
    long = [Column(name=SERIES, cells=np.repeat(names, len(table.rows)))]
    for column in table.columns:
        if column.name not in times:
            continue
        if column.numbers is not None:
            long.append(Column(name=column.name, numbers=np.tile(column.numbers, len(wide))))
        else:
            long.append(Column(name=column.name, cells=np.tile(column.texts(), len(wide))))
    long.append(Column(name=VALUE, numbers=values))
    return replace(table, columns=tuple(long), rows=np.tile(table.rows, len(wide)))


def _is_time(name: str) -> bool:
    text = name.strip()
    if text.isdigit():
        return len(text) in {4, 6, 8} and text[:2] in {"15", "16", "17", "18", "19", "20", "21"}
    return cell_kind(text) == "date"


def _row_labels(others: list[ReadColumn], table: Table) -> Objects:
    """A name for each row: from the first column that tells the rows apart, or from several."""
    texts = [column.source.texts() for column in others if column.type != "empty"]
    for cells in texts:
        if len({str(cell) for cell in cells}) == len(cells):
            return cells
    joined = [
        ", ".join(str(cell).strip() for cell in row if cell) for row in zip(*texts, strict=True)
    ]
    if len(joined) != len(table.rows):
        joined = [f"row {row}" for row in table.rows]
    return np.array(joined, dtype=object)
