"""Rows to judge from a dataset other than the one a version was trained on. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.errors import Unprocessable
from app.forecasting.histories import History, Reach, ahead_of
from app.judging.forecasts import Floats, Ids, JudgedSeries
from app.judging.notes import not_judged
from app.judging.series_judge import Judged
from app.reading.calendar_inputs import CalendarColumns, with_calendar_columns
from app.reading.content import DatasetContent, SeriesContent, times_iso
from app.reading.series.closures import with_closed_days
from app.reading.series.grid import MOST_MISSING_PER_ROW, gridded, places


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownSeries:
    """One series of the dataset that a version was trained on."""

    label: str
    inputs: Floats  # (rows, features)
    target: Floats  # (rows,)
    content: SeriesContent  # the same rows, to look up their times
    training: int  # how many of the first rows the network and the baselines may know


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """Which features are known ahead, and how far."""

    columns: tuple[int, ...] = ()
    horizon: int = 1


NOTHING_AHEAD = Ahead()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One series of the other dataset, after the known rows that come before it."""

    series: JudgedSeries
    rows: Ids  # (n,), which rows of the other dataset's series are forecast
    seen: NDArray[np.bool_]  # (n,), whether the network was fitted on them
    reached: int  # how many known rows the windows reach back into

    def named(self, number: int) -> "_Part":
        """Return the same rows under the number by which the graph knows the series."""
        return replace(self, series=replace(self.series, number=number))

    def without_seen(self) -> JudgedSeries:
        """Return the rows that are new to the network."""
        return _chosen(self.series, ~self.seen)


def other_rows(
    known: Sequence[KnownSeries],
    other: DatasetContent,
    *,
    features: tuple[str, ...],
    target: str,
    reach: Reach,
    ahead: Ahead = NOTHING_AHEAD,
    calendar: Sequence[CalendarColumns] = (),
    field: str = "test",
) -> Judged:
    """Prepare the rows of another dataset for judging.

    Each row but the last of each series is an origin, as in the chapter: the next row is forecast
    from it. Windows may reach back into the known rows before the first one. Rows whose times show
    that the network was fitted on them are left out, unless there are no others.

    Args:
        known: the series the version was trained on; empty if they are not available.
        other: the other dataset.
        features: input columns, in order.
        target: column to forecast.
        reach: how much of a history is read before each row.
        ahead: which columns of the rows after each are known.
        calendar: features that are computed from the times.
        field: which request field the other dataset came in, for errors.

    Raises:
        Unprocessable: it is a text, lacks a column, or has no row that can be forecast.
    """
    other = _checked(other, (*features, target), calendar, field)
    other = with_calendar_columns(gridded(other), calendar)
    by_label = {series.label: series for series in known}
    numbers = {series.label: number for number, series in enumerate(known, start=1)}
    alone = len(known) == len(other.labels) == 1
    parts = []
    for label, content in zip(other.labels, other.every_series(), strict=True):
        before = known[0] if alone else by_label.get(label)
        inputs = np.stack([_finite(content.column(name)) for name in features], axis=1)
        part = _part(content, inputs, _finite(content.column(target)), before, reach, ahead=ahead)
        parts.append(part.named(1 if alone else numbers.get(label, 0)))
    count = sum(len(part.rows) for part in parts)
    if not count:
        raise Unprocessable.at(
            field,
            f"none of its {len(other)} rows can be forecast from a complete window of "
            f"{reach.least} values before it; send more rows, or use a model with a smaller window",
        )
    counts = np.bincount(other.series, minlength=len(other.labels)).tolist()
    seen = sum(int(part.seen.sum()) for part in parts)
    notes = [_seen_note(seen, count)] if seen else []
    reached = max(part.reached for part in parts)
    if reached:
        notes.append(f"the first windows reach back into the last {reached} training rows")
    pairs = zip(other.labels, parts, counts, strict=True)
    if short := {label: rows for label, part, rows in pairs if not len(part.rows)}:
        notes.append(not_judged(short, of=len(parts), window=reach.least))
    all_seen = seen == count
    return Judged(
        parts=tuple(part.series if all_seen else part.without_seen() for part in parts),
        notes=tuple(notes),
        seen=all_seen,
    )


def _checked(
    other: DatasetContent,
    names: Sequence[str],
    calendar: Sequence[CalendarColumns],
    field: str,
) -> SeriesContent:
    """Return a dataset that has some columns, or the times that they are computed from.

    Raises:
        Unprocessable: it is a text, or has not.
    """
    if not isinstance(other, SeriesContent):
        raise Unprocessable.at(field, "is a text, and the model is for a series")
    computed = {name for each in calendar for name in each.columns}
    if computed and other.times is None:
        raise Unprocessable.at(field, "has no times, which inputs are computed from")
    for name in dict.fromkeys(names):
        if name not in (*other.columns, *computed):
            raise Unprocessable.at(
                field, f"has no column {name!r}; it has {', '.join(other.columns)}"
            )
    return other


def _seen_note(seen: int, count: int) -> str:
    if seen == count:
        return (
            f"all {count} rows lie in the version's training range: the figures are on rows the "
            "network was trained on"
        )
    return f"{seen} of {count} rows lie in the version's training range and were left out"


def _part(
    content: SeriesContent,
    inputs: Floats,
    target: Floats,
    before: KnownSeries | None,
    reach: Reach,
    *,
    ahead: Ahead,
) -> _Part:
    context = 0 if before is None else _rows_before(before, content)
    values = target
    if before is not None and context:
        gap = _gap(before.content, context - 1, content)
        missing = np.full((gap, inputs.shape[1]), np.nan)
        inputs = np.concatenate([before.inputs[:context], missing, inputs])
        values = np.concatenate([before.target[:context], np.full(gap, np.nan), target])
        context += gap
    history = History.of(inputs, reach)
    first = history.origins(context + 1)  # the first row is there to forecast from
    first = first[first < len(values)]
    first = first[np.isfinite(values[first])]
    rows = first - context  # (n,), in the other dataset
    return _Part(
        series=JudgedSeries(
            label=content.labels[0],
            inputs=history.windows(first),
            values=values,
            first=first,
            training=np.empty(0) if before is None else before.target[: before.training],
            times=tuple(_times(content, rows)),
            future=ahead_of(inputs[:, list(ahead.columns)], first, ahead.horizon)
            if ahead.columns
            else None,
        ),
        rows=rows,
        seen=np.zeros(len(rows), bool) if before is None else _seen(before, content)[rows],
        reached=min(context, reach.window - 1),
    )


def _gap(before: SeriesContent, row: int, after: SeriesContent) -> int:
    """Return how many steps are missing between a known row and the first of the others."""
    if before.times is None or after.times is None or before.frequency is None:
        return 0
    offsets = before.offsets, after.offsets
    times = np.array([before.times[row], after.times[0]])
    steps = places(
        times,
        None
        if offsets[0] is None or offsets[1] is None
        else np.array([offsets[0][row], offsets[1][0]]),
        frequency=before.frequency,
        calendar=with_closed_days(times, before.frequency, before.calendar),
    )
    return max(0, min(int(steps[0]) - 1, MOST_MISSING_PER_ROW * len(before)))


def _rows_before(known: KnownSeries, content: SeriesContent) -> int:
    """Return how many of the known rows come before the first of the others."""
    if not len(known.content) or not len(content):
        return 0
    if known.content.times is None and content.times is None:
        return 0 if _same_rows(known, content) else len(known.content)
    if not _comparable(known.content, content):
        return 0
    return int(np.searchsorted(known.content.instants(), content.instants()[0]))


def _seen(known: KnownSeries, content: SeriesContent) -> NDArray[np.bool_]:
    """Return whether the network was fitted on each row (rows,), as far as that can be known."""
    seen = np.zeros(len(content), dtype=bool)
    if not known.training:
        return seen
    if known.content.times is None and content.times is None:
        seen[: known.training] = _same_rows(known, content)
    elif _comparable(known.content, content):
        fitted = known.content.instants()[: known.training]
        instants = content.instants()
        seen = (instants >= fitted[0]) & (instants <= fitted[-1])
    return seen


def _same_rows(known: KnownSeries, content: SeriesContent) -> bool:
    return np.array_equal(known.content.values, content.values, equal_nan=True)


def _comparable(one: SeriesContent, other: SeriesContent) -> bool:
    """Return whether both have times, and both or neither have UTC offsets."""
    return (
        one.times is not None
        and other.times is not None
        and (one.offsets is None) == (other.offsets is None)
    )


def _times(content: SeriesContent, rows: Ids) -> list[str | None]:
    if content.times is None:
        return [None] * len(rows)
    offsets = None if content.offsets is None else content.offsets[rows]
    return [*times_iso(content.times[rows], content.time_form, offsets)]


def _chosen(series: JudgedSeries, chosen: NDArray[np.bool_]) -> JudgedSeries:
    if chosen.all():
        return series
    times = np.array(series.times, dtype=object)[chosen]
    return replace(
        series,
        inputs=series.inputs[chosen],
        first=series.first[chosen],
        future=None if series.future is None else series.future[chosen],
        times=tuple(times.tolist()),
    )


def _finite(values: Floats) -> Floats:
    """Return values with NaN in place of infinite ones."""
    return np.where(np.isfinite(values), values, np.nan)
