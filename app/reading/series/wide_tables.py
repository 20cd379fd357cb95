"""Turn wide tables into long ones: a series per row, a series per column, or a calendar matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.errors import FieldError
from app.reading.columns.column_types import ReadColumn, read_column
from app.reading.columns.dates import Ints
from app.reading.decisions import Candidate, Decision, settled, weigh
from app.reading.read_options import ReadOptions
from app.reading.report import FileProblem
from app.reading.series.date_parts import row_parts
from app.reading.series.header_runs import HeaderRun, find_runs, moved
from app.reading.series.series_column import (
    FoundLabels,
    entity_points,
    find_labels,
    joined,
    one_series,
)
from app.reading.series.time_candidates import date_rows, find_times
from app.reading.series.time_column import Bools, FoundTimes, columns_named
from app.reading.table.table import Column, Floats, Table
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


def find_wide(
    table: Table, columns: list[ReadColumn], options: ReadOptions, *, european: bool
) -> Long | None:
    """Turn a wide table into a long one; None if it already has a row for each time.

    Raises:
        FileProblem: `read` says that the table is wide, but its header has no sequence.
    """
    if options.layout == "table":
        return None
    if options.layout == "series_per_column":
        return _columns_as_series(table, columns, options, european=european)
    best, decision = _layout(table, columns, options, european=european)
    if best.value is None:
        return None
    run, times = best.value
    values, role = _block(table, columns, run, options), "matrix" if times else "series_per_row"
    for place in run.places:
        columns[place].role = "values"
    own = [column for at, column in enumerate(columns) if at not in run.places]
    if times is None:
        long_times, labels = _rows_as_series(table, own, run, options)
    else:
        long_times, labels = _unrolled(table, own, columns, run, times, options)
    return Long(
        layout=role,
        columns=[values],
        rows=np.repeat(table.rows, len(run)),
        times=long_times,
        labels=labels,
        value_names=tuple(columns[place].name for place in run.places),
        decision=decision,
    )


def _layout(
    table: Table, columns: list[ReadColumn], options: ReadOptions, *, european: bool
) -> tuple[Candidate[Reading], Decision]:
    usual = (1.5, "it is the usual layout")
    candidates: list[Candidate[Reading]] = [
        Candidate(None, "a row for each time", {"layout": "table"}, [usual])
    ]
    whole = options.model_copy(update={"frequency": None})  # that of the cells
    for run in find_runs(columns, options):
        others = [column for at, column in enumerate(columns) if at not in run.places]
        rest = [column for column in others if not _is_total(column, columns, run)]
        times = find_times(rest, table.rows, whole, european=european)
        if times is not None and _fits(times, run):
            candidates.append(_matrix(run, times))
        elif times is None or run.role in {"time", "step"} or options.layout == "series_per_row":
            candidates.append(_per_row(run, times, others, columns))
    told = [entry for entry in candidates if entry.read == {"layout": options.layout}]
    if options.layout is not None and not told:
        message = "the header holds neither times nor numbers in sequence, which this layout needs"
        raise FileProblem(message, FieldError(field="read.layout", message=message))
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
    columns: Sequence[ReadColumn],
) -> Candidate[Reading]:
    names = [columns[place].name for place in run.places]
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
        (_unlike_lengths(columns, run), 2.0, "the rows differ in length"),
        (dated, -3.0, "a column holds dates"),
        (plain and bool(measured), -1.25, f"{', '.join(measured[:3])} hold numbers too"),
        (is_step and not labels, -2.25, "no column names the rows"),
    ]
    holding = [(points, reason) for holds, points, reason in rules if holds]
    return Candidate((run, None), "a series in each row", {"layout": "series_per_row"}, holding)


def _unlike_lengths(columns: Sequence[ReadColumn], run: HeaderRun) -> bool:
    """Return whether rows end early, each without a gap before."""
    there = np.stack([_is_there(columns[place]) for place in run.places], axis=1)
    lengths = there.sum(axis=1)  # (rows,)
    last = there.shape[1] - np.argmax(there[:, ::-1], axis=1)
    return bool(len(np.unique(lengths)) > 1 and (lengths == last).mean() > _NEARLY_ALL)


def _is_there(column: ReadColumn) -> Bools:
    if column.numbers is not None:
        return np.isfinite(column.numbers)
    return np.array([bool(cell and cell.strip()) for cell in column.source.texts()])


def _is_total(column: ReadColumn, columns: Sequence[ReadColumn], run: HeaderRun) -> bool:
    """Return whether a column is the sum of the run, or is named so."""
    words = words_of(column.name)
    if column.numbers is None or (len(words) == 1 and PARTS.get(words[0]) == "year"):
        return False
    if not TOTAL_WORDS.isdisjoint(words):
        return True
    block = np.stack([_numbers(columns[place]) for place in run.places], axis=1)
    total, known = np.nansum(block, axis=1), np.isfinite(block).sum(axis=1)
    near = [
        np.abs(column.numbers - sums) <= 0.01 * np.abs(sums)  # because of rounding
        for sums in (total, total / np.maximum(known, 1))
    ]
    return max(float(each.mean()) for each in near) > _NEARLY_ALL


def _numbers(column: ReadColumn) -> Floats:
    return np.full(len(column.source.texts()), np.nan) if column.numbers is None else column.numbers


def _block(
    table: Table, columns: list[ReadColumn], run: HeaderRun, options: ReadOptions
) -> ReadColumn:
    """Return the cells of the run as one column, row by row, read together."""
    own = [columns[place] for place in run.places]
    if all(column.type in {"number", "empty"} and not column.bad for column in own):
        values = np.stack([_numbers(column) for column in own], axis=1)  # (rows, times)
        read = read_column(Column(name=VALUE, numbers=values.ravel()), ".")
        read.units = tuple(dict.fromkeys(unit for column in own for unit in column.units))
        return read
    cells = np.stack([column.source.texts() for column in own], axis=1)
    whole = Column(name=VALUE, cells=cells.ravel())
    return read_column(whole, "," if table.decimal == "," else ".", options.missing)


def _rows_as_series(
    table: Table, others: list[ReadColumn], run: HeaderRun, options: ReadOptions
) -> tuple[FoundTimes | None, FoundLabels]:
    """Make a series of each row; months down and years across become one series."""
    count, across = len(table.rows), run.times
    down = row_parts(others) if across is not None and options.series is None else None
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
        return times, one_series(count * len(run))
    labels = _repeated(_row_labels(others, options, table), len(run))
    return None if across is None else _tiled(replace(across, columns=("header",)), count), labels


def _unrolled(  # noqa: PLR0917  private, and each of its arguments has a type of its own
    table: Table,
    others: list[ReadColumn],
    columns: list[ReadColumn],
    run: HeaderRun,
    rows: FoundTimes,
    options: ReadOptions,
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
    for column in others:
        if column.name in rows.columns:
            column.role = "time"
        elif _is_total(column, columns, run):
            column.role = "total"
            column.notes.append("a total of the row, which is left out")
    keys = [column for column in others if not column.role]
    return times, _repeated(find_labels(keys, rows, options, table.rows), len(run))


def _repeated(labels: FoundLabels, count: int) -> FoundLabels:
    return replace(labels, series=np.repeat(labels.series, count))


def _tiled(times: FoundTimes, count: int) -> FoundTimes:
    return replace(
        times,
        times=np.tile(times.times, count),
        known=np.tile(times.known, count),
        offsets=None if times.offsets is None else np.tile(times.offsets, count),
        left_out=[(np.tile(mask, count), reason) for mask, reason in times.left_out],
    )


def _row_labels(others: list[ReadColumn], options: ReadOptions, table: Table) -> FoundLabels:
    """Return a name for each row, from the columns that tell the rows apart."""
    if options.series:
        named = columns_named(others, options.series, "series")
        return joined(
            named, settled("series", ", ".join(each.name for each in named), "", told=True)
        )
    texts = [column for column in others if column.type in {"label", "text", "date"}]
    for column in sorted(texts, key=lambda column: -entity_points(column.name)):
        cells = column.source.texts()
        if all(cells) and len(set(cells)) == len(cells):
            return joined([column], settled("series", column.name, "it names each row"))
    used: list[str] = []
    labels = [""] * len(table.rows)
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
            f"{label} row {row}".strip() for label, row in zip(labels, table.rows, strict=True)
        ]
    return FoundLabels(
        columns=tuple(used),
        labels=tuple(labels),
        series=np.arange(len(labels), dtype=np.int32),
        decision=settled("series", ", ".join(used) or "the numbers of the rows", reason),
    )


def _columns_as_series(
    table: Table, columns: list[ReadColumn], options: ReadOptions, *, european: bool
) -> Long:
    """Make a series of each numeric column, as `read` says.

    Raises:
        FileProblem: no column contains numbers.
    """
    times = date_rows(columns, table.rows, options, european=european)
    names = () if times is None else times.columns
    wide = [column for column in columns if column.numbers is not None and column.name not in names]
    if not wide:
        raise FileProblem("no column holds numbers, so none can be a series")
    for column in columns:
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
