"""Turn wide tables into long ones: a series per row, a series per column, or a calendar matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from app.reading.arrays import Bools, Floats, Ints
from app.reading.columns.column_types import ReadColumn, ReadTable, read_column
from app.reading.content import Category
from app.reading.decisions import Candidate, Decision, settled, weigh
from app.reading.report import FileProblem
from app.reading.series.date_parts import row_parts
from app.reading.series.header_runs import HeaderRun, find_runs, moved
from app.reading.series.series_column import (
    FoundLabels,
    entity_points,
    find_labels,
    joined,
    one_series,
    told_labels,
)
from app.reading.series.time_candidates import date_rows, find_times
from app.reading.series.time_column import FoundTimes
from app.reading.table.table import Column
from app.reading.vocabulary import PARTS, TOTAL_WORDS, WEAK_WORDS, words_of

VALUE = "value"
_LONG = 28  # steps from which a header that counts is hardly one of measurements
_STATIC_WORDS = WEAK_WORDS - {"is", "has", "flag"}
_NEARLY_ALL = 0.9
# The length of the rows for the parts in a header.
_ROWS_OF = {
    "month": "year",
    "quarter": "year",
    "week": "year",
    "yearday": "year",
    "day": "month",
    "weekday": "day",
    "clock": "day",
}
Reading = tuple[HeaderRun, FoundTimes | None] | None


@dataclass(frozen=True, kw_only=True)
class Long:
    """A long table, converted or original."""

    layout: str
    columns: list[ReadColumn]  # of values
    rows: Ints  # row in the file of each long row
    times: FoundTimes | None
    labels: FoundLabels
    value_names: tuple[str, ...]  # columns of the file that the values come from
    decision: Decision
    # columns of words, and the place of each row's level
    words: list[tuple[Category, Floats]] = field(default_factory=list)


def find_wide(table: ReadTable) -> Long | None:
    """Turn a wide table into a long one; None if it already has a row for each time.

    Raises:
        FileProblem: `read` says that the table is wide, but its header has no sequence.
    """
    if table.options.layout == "table":
        return None
    if table.options.layout == "series_per_column":
        return _columns_as_series(table)
    best, decision = _layout(table)
    if best.value is None:
        return None
    run, times = best.value
    own = [table.columns[place] for place in run.places]
    for column in own:
        column.role = "values"
    others = table.of([column for column in table.columns if not column.role])
    if times is None:
        long_times, labels = _rows_as_series(others, run)
    else:
        long_times, labels = _unrolled(others, own, run, times)
    return Long(
        layout="matrix" if times else "series_per_row",
        columns=[_block(table, own)],
        rows=np.repeat(table.rows, len(run)),
        times=long_times,
        labels=replace(labels, series=np.repeat(labels.series, len(run))),
        value_names=tuple(column.name for column in own),
        decision=decision,
    )


def _layout(table: ReadTable) -> tuple[Candidate[Reading], Decision]:
    columns, options = table.columns, table.options
    usual = (1.5, "it is the usual layout")
    candidates: list[Candidate[Reading]] = [
        Candidate(None, "a row for each time", {"layout": "table"}, [usual])
    ]
    whole = replace(table, options=options.model_copy(update={"frequency": None}))  # of the cells
    for run in find_runs(table):
        own = [columns[place] for place in run.places]
        others = [column for at, column in enumerate(columns) if at not in run.places]
        times = find_times(whole.of([each for each in others if not _is_total(each, own)]))
        if times is not None and _fits(times, run):
            candidates.append(_matrix(run, times))
        elif times is None or run.role in {"time", "step"} or options.layout == "series_per_row":
            candidates.append(_per_row(run, times, others, own))
    told = [entry for entry in candidates if entry.read == {"layout": options.layout}]
    if options.layout is not None and not told:
        message = "the header holds neither times nor numbers in sequence, which this layout needs"
        raise FileProblem(message, field="read.layout")
    best, decision = weigh("layout", told or candidates)
    return best, settled("layout", best.name, "", told=True) if told else decision


def _fits(times: FoundTimes, run: HeaderRun) -> bool:
    """Return whether the rows have the length that the parts in the header suggest."""
    unit = {"year": "Y", "month": "M", "day": "D"}.get(_ROWS_OF.get(run.role, ""))
    dates = times.times[times.known].astype("datetime64[D]")
    if unit is None or not len(dates) or times.form != "date":
        return False
    return bool((dates == dates.astype(f"datetime64[{unit}]").astype("datetime64[D]")).all())


def _matrix(run: HeaderRun, times: FoundTimes) -> Candidate[Reading]:
    part = {"clock": "hour"}.get(run.role, run.role)
    dated = ", ".join(times.columns)
    reason = f"{len(run)} columns are named as {part}s, and {dated} dates the rows"
    name = f"a row for each {_ROWS_OF[run.role]} with a column for each {part}"
    return Candidate((run, times), name, {"layout": "matrix"}, [(4.0, reason)])


def _per_row(
    run: HeaderRun,
    times: FoundTimes | None,
    others: Sequence[ReadColumn],
    own: Sequence[ReadColumn],
) -> Candidate[Reading]:
    names = [column.name for column in own]
    shown = f"{names[0]} to {names[-1]}"
    labels = [column.source.texts() for column in others if column.type in {"label", "text"}]
    is_step = run.role != "time"
    plain = not is_step and all(name.isdigit() for name in names)
    measured = [
        column.name
        for column in others
        if column.type == "number" and _STATIC_WORDS.isdisjoint(words_of(column.name))
    ]
    dated = times is not None or any(column.type == "date" for column in others)
    rules = [
        (run.role == "time", 2.5, f"the columns {shown} are named by times"),
        (is_step, 0.5, f"the names of the columns {shown} are in sequence"),
        (is_step and run.is_named and len(run) >= _LONG, 1.0, f"there are {len(run)} of them"),
        (is_step and not dated, 0.75, "nothing gives the rows a date"),
        (
            any(len(set(cells)) == len(cells) > 1 for cells in labels),
            1.0,
            "a column names each row",
        ),
        (_unlike_lengths(own), 2.0, "the rows differ in length"),
        (dated, -3.0, "a column holds dates"),
        (plain and bool(measured), -1.25, f"{', '.join(measured[:3])} hold numbers too"),
        (is_step and not labels, -2.25, "no column names the rows"),
    ]
    holding = [(points, reason) for holds, points, reason in rules if holds]
    return Candidate((run, None), "a series in each row", {"layout": "series_per_row"}, holding)


def _unlike_lengths(own: Sequence[ReadColumn]) -> bool:
    """Return whether rows end early, each without a gap before."""
    there = np.stack([_is_there(column) for column in own], axis=1)
    lengths = there.sum(axis=1)  # (rows,)
    last = there.shape[1] - np.argmax(there[:, ::-1], axis=1)
    return bool(len(np.unique(lengths)) > 1 and (lengths == last).mean() > _NEARLY_ALL)


def _is_there(column: ReadColumn) -> Bools:
    if column.numbers is not None:
        return np.isfinite(column.numbers)
    return np.array([bool(cell and cell.strip()) for cell in column.source.texts()])


def _is_total(column: ReadColumn, own: Sequence[ReadColumn]) -> bool:
    """Return whether a column is the sum or the mean of a run's own columns, or is named so."""
    words = words_of(column.name)
    if column.numbers is None or (len(words) == 1 and PARTS.get(words[0]) == "year"):
        return False
    if not TOTAL_WORDS.isdisjoint(words):
        return True
    block = np.stack([_numbers(entry) for entry in own], axis=1)
    total, known = np.nansum(block, axis=1), np.isfinite(block).sum(axis=1)
    near = [
        np.abs(column.numbers - sums) <= 0.01 * np.abs(sums)  # because of rounding
        for sums in (total, total / np.maximum(known, 1))
    ]
    return max(float(each.mean()) for each in near) > _NEARLY_ALL


def _numbers(column: ReadColumn) -> Floats:
    return np.full(len(column.source.texts()), np.nan) if column.numbers is None else column.numbers


def _block(table: ReadTable, own: Sequence[ReadColumn]) -> ReadColumn:
    """Return the cells of a run's own columns as one column, row by row, read together."""
    if all(column.type in {"number", "empty"} and not column.bad for column in own):
        values = np.stack([_numbers(column) for column in own], axis=1)  # (rows, times)
        read = read_column(Column(name=VALUE, numbers=values.ravel()), ".")
        read.units = tuple(dict.fromkeys(unit for column in own for unit in column.units))
        return read
    cells = np.stack([column.source.texts() for column in own], axis=1)
    whole = Column(name=VALUE, cells=cells.ravel())
    return read_column(whole, table.decimal, table.options.missing)


def _rows_as_series(others: ReadTable, run: HeaderRun) -> tuple[FoundTimes | None, FoundLabels]:
    """Make a series of each row; months down and years across become one series."""
    count, across = len(others.rows), run.times
    is_open = across is not None and others.options.series is None
    down = row_parts(others.columns) if is_open else None
    if across is not None and down is not None:
        part, role, numbers = down
        turned = HeaderRun(role=role, places=tuple(range(count)), numbers=numbers)
        micros, valid = moved(across, turned)  # (times, rows)
        part.role = "time"
        times = replace(
            across,
            columns=("header", part.name),
            times=micros.T.ravel().astype("datetime64[us]"),
            known=valid.T.ravel(),
            form="local" if role == "clock" else "date",
        )
        return times, one_series(count)
    labels = _row_labels(others)
    return None if across is None else _tiled(replace(across, columns=("header",)), count), labels


def _unrolled(
    others: ReadTable, own: Sequence[ReadColumn], run: HeaderRun, rows: FoundTimes
) -> tuple[FoundTimes, FoundLabels]:
    """Unroll a calendar matrix: the row gives the year or the day, the column the rest."""
    micros, valid = moved(rows, run)
    times = replace(
        rows,
        columns=(*rows.columns, "header"),
        times=micros.ravel().astype("datetime64[us]"),
        known=valid.ravel(),
        form="local" if run.role == "clock" else "date",
        left_out=[(np.repeat(mask, len(run)), reason) for mask, reason in rows.left_out],
    )
    for column in others.columns:
        if column.name in rows.columns:
            column.role = "time"
        elif _is_total(column, own):
            column.role = "total"
            column.notes.append("a total of the row, which is left out")
    keys = others.of([column for column in others.columns if not column.role])
    return times, find_labels(keys, rows)


def _tiled(times: FoundTimes, count: int) -> FoundTimes:
    return replace(
        times,
        times=np.tile(times.times, count),
        known=np.tile(times.known, count),
        offsets=None if times.offsets is None else np.tile(times.offsets, count),
        left_out=[(np.tile(mask, count), reason) for mask, reason in times.left_out],
    )


def _row_labels(others: ReadTable) -> FoundLabels:
    """Return a name for each row, from the columns that tell the rows apart."""
    told = told_labels(others) if others.options.series else None
    if told is not None:
        return told
    texts = [column for column in others.columns if column.type in {"label", "text", "date"}]
    for column in sorted(texts, key=lambda column: -entity_points(column.name)):
        cells = column.source.texts()
        if all(cells) and len(set(cells)) == len(cells):
            return joined([column], settled("series", column.name, "it names each row"))
    used: list[str] = []
    labels = [""] * len(others.rows)
    for column in texts:  # joined without blanks
        longer = [
            ", ".join(filter(None, [label, (cell or "").strip()]))
            for label, cell in zip(labels, column.source.texts(), strict=True)
        ]
        if len({*longer} - {""}) > len({*labels} - {""}):
            labels, used = longer, [*used, column.name]
    reason = "together they name each row"
    if len(set(labels)) < len(labels):
        reason = "no column names each row by itself"
        labels = [
            f"{label} row {row}".strip() for label, row in zip(labels, others.rows, strict=True)
        ]
    return FoundLabels(
        columns=tuple(used),
        labels=tuple(labels),
        series=np.arange(len(labels), dtype=np.int32),
        decision=settled("series", ", ".join(used) or "the numbers of the rows", reason),
    )


def _columns_as_series(table: ReadTable) -> Long:
    """Make a series of each numeric column, as `read` says.

    Raises:
        FileProblem: no column contains numbers.
    """
    times = date_rows(table)
    names = () if times is None else times.columns
    wide = [column for column in table.without(names).columns if column.numbers is not None]
    if not wide:
        raise FileProblem("no column holds numbers, so none can be a series")
    for column in table.columns:
        column.role = "time" if column.name in names else "values" if column in wide else ""
    value = Column(name=VALUE, numbers=np.concatenate([_numbers(column) for column in wide]))
    own = tuple(column.name for column in wide)
    return Long(
        layout="series_per_column",
        columns=[read_column(value, ".")],
        rows=np.tile(table.rows, len(wide)),
        times=None if times is None else _tiled(times, len(wide)),
        labels=FoundLabels(
            columns=(),
            labels=own,
            series=np.repeat(np.arange(len(wide), dtype=np.int32), len(table.rows)),
            decision=settled("series", "the columns", "each is a series"),
        ),
        value_names=own,
        decision=settled("layout", "a series in each column", "", told=True),
    )
