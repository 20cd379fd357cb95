"""Data frames of series: `unique_id`, `ds`, `y`, one row per time, as in Nixtla's libraries.

pandas, polars and whatever else narwhals knows; each call returns the kind it was given.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw

ID, TIME, VALUE = "unique_id", "ds", "y"


class Series(NamedTuple):
    """One series of a frame, oldest row first."""

    id: object  # None: the only one of a frame without ids
    times: list[Any]  # datetimes, dates, texts or whole numbers
    columns: dict[str, list[float]]  # `y` first

    @property
    def has_steps(self) -> bool:
        """Whether its times are whole numbers, which the service does not know."""
        return isinstance(self.times[-1], int)

    def timestamps(self) -> list[str] | None:
        """Return its times in ISO form; None if they are whole numbers."""
        return None if self.has_steps else iso_times(self.times)


def read(frame: object) -> nw.DataFrame[Any]:
    """Return a frame with its rows in order.

    Raises:
        ValueError: a column is missing.
    """
    known: nw.DataFrame[Any] = nw.from_native(frame, eager_only=True)
    for name in (TIME, VALUE):
        if name not in known.columns:
            raise ValueError(
                f"the frame has no column {name!r}: it needs {TIME!r} and {VALUE!r}, and "
                f"{ID!r} for several series; it has {', '.join(known.columns)}"
            )
    return known.sort(*([ID] if ID in known.columns else []), TIME)


def series_in(frame: nw.DataFrame[Any]) -> Iterator[Series]:
    """Yield the series of a sorted frame; rows without a value are left for the service to fill.

    Raises:
        ValueError: a column is not numeric, a time is missing, or a value is missing where the
            times are whole numbers.
    """
    names = [VALUE, *(name for name in frame.columns if name not in {ID, TIME, VALUE})]
    for name in names:
        if not frame[name].dtype.is_numeric():
            raise ValueError(f"the column {name!r} is {frame[name].dtype}; it must be numeric")
    ids = frame[ID].to_list() if ID in frame.columns else [None] * len(frame)
    columns = [frame[name].to_list() for name in names]
    rows = zip(ids, frame[TIME].to_list(), *columns, strict=True)
    for name, group in itertools.groupby(rows, key=lambda row: row[0]):
        times: list[Any] = []
        values: list[Sequence[float]] = []
        for _, moment, *cells in group:
            if moment is None or moment != moment:  # noqa: PLR0124 - pandas' NaT
                raise ValueError(f"series {name!r}: a row has no time in {TIME!r}")
            if any(cell is None or math.isnan(cell) for cell in cells):
                if isinstance(moment, int):
                    raise ValueError(f"series {name!r}: there is no value at {TIME} {moment}")
                continue
            times.append(moment)
            values.append([float(cell) for cell in cells])
        if not times:
            raise ValueError(f"series {name!r} has no row with values")
        by_column = zip(names, zip(*values, strict=True), strict=True)
        yield Series(name, times, {column: list(cells) for column, cells in by_column})


def iso_times(times: Sequence[Any]) -> list[str]:
    """Return times in ISO form: dates if none of them has a time of day."""
    if isinstance(times[0], str):
        return list(times)
    if all(_is_date(moment) for moment in times):
        return [moment.strftime("%Y-%m-%d") for moment in times]
    return [moment.isoformat() for moment in times]


def _is_date(moment: date) -> bool:
    if not isinstance(moment, datetime):
        return True
    return moment.tzinfo is None and moment.time() == time.min


def write(rows: Mapping[str, list[Any]], like: nw.DataFrame[Any] | None) -> Any:  # noqa: ANN401 - of the caller's kind
    """Return forecasts as a frame of the caller's kind.

    Args:
        rows: columns by name; times in ISO form, or whole numbers.
        like: the frame that the forecasts continue; None: a pandas frame is made.
    """
    has_ids = any(name is not None for name in rows[ID]) if like is None else ID in like.columns
    columns = {name: values for name, values in rows.items() if has_ids or name != ID}
    if like is None:
        return nw.from_dict(columns, backend="pandas").to_native()
    dtype = like[TIME].dtype
    if dtype.is_temporal():
        columns[TIME] = [None if text is None else _moment(text, dtype) for text in columns[TIME]]
    made = nw.from_dict(columns, backend=like.implementation)
    if dtype.is_temporal() and made[TIME].dtype != dtype:
        made = made.with_columns(nw.col(TIME).cast(dtype))
    return made.to_native()


def _moment(text: str, dtype: object) -> date:
    moment = datetime.fromisoformat(text)
    return moment.date() if dtype == nw.Date else moment
