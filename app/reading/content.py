"""Define the content of a dataset, as every later step uses it. NumPy only.

A dataset is stored as the bytes of ``to_bytes``: an uncompressed ``.npz`` without pickle.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from app.reading.arrays import Codes, Floats, Ints, Offsets, Places, Times

TimeForm = Literal["date", "local", "zoned"]

FORMAT_VERSION = 1


OTHER_LEVEL = -1.0  # the place of a word that is none of the levels
OTHER = "(other)"  # in place of such a word


class BrokenContentError(ValueError):
    """The stored bytes of a dataset were not written by ``to_bytes``."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """A column of words, whose values are the places of its levels."""

    name: str
    levels: tuple[str, ...]  # the most frequent first


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesContent:
    """One or several series with the same columns.

    Rows are ordered by (series, time), oldest first; zoned times are ordered by instant.
    """

    columns: tuple[str, ...]  # the numeric columns, in the order of the file
    # (rows, columns + categories), NaN where the file has no value; of categories the place of the
    # level, or OTHER_LEVEL
    values: Floats
    times: Times | None  # (rows,) civil time as given, never shifted; None: the file has no times
    offsets: Offsets | None  # (rows,) minutes east of UTC; only for zoned times
    time_form: TimeForm | None
    frequency: str | None  # see app.reading.series.frequency; None: irregular, or no times
    calendar: str | None = None  # see app.reading.series.calendar; None: as the frequency says
    labels: tuple[str, ...]  # names of the series; ("",) for a single series without a name
    series: Codes  # (rows,) index into labels
    categories: tuple[Category, ...] = ()  # the columns of words

    @property
    def category_names(self) -> tuple[str, ...]:
        """Return the names of the columns of words."""
        return tuple(category.name for category in self.categories)

    def levels_of(self, name: str) -> tuple[str, ...]:
        """Return the levels of a category."""
        return self.categories[self.category_names.index(name)].levels

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeriesContent) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash((self.columns, self.labels, self.values.shape))

    def column(self, name: str) -> Floats:
        """Return the values of one column, (rows,); of a category, the places of its levels.

        Raises:
            KeyError: there is no such column.
        """
        names = (*self.columns, *self.category_names)
        if name not in names:
            raise KeyError(f"no column {name!r}; there are {', '.join(names)}")
        return self.values[:, names.index(name)]

    def cells(self, name: str) -> list[float] | list[str]:
        """Return the values of one column, and words where it is a category, (rows,).

        A word that is none of the levels is OTHER, and a missing one is empty.

        Raises:
            KeyError: there is no such column.
        """
        values = self.column(name)
        if name in self.columns:
            numbers: list[float] = values.tolist()
            return numbers
        words = (*self.levels_of(name), "", OTHER)
        places = np.where(np.isnan(values), len(words) - 2, values).astype(np.int64)
        return [words[place] for place in places.tolist()]

    def of_series(self, label: str) -> Self:
        """Return the rows of one series.

        Raises:
            KeyError: there is no such series.
        """
        if label not in self.labels:
            raise KeyError(f"no series {label!r}")
        start, stop = np.searchsorted(
            self.series, [self.labels.index(label), self.labels.index(label) + 1]
        )
        part = self.take(np.arange(start, stop))
        return replace(part, labels=(label,), series=np.zeros(len(part), dtype=np.int32))

    def every_series(self) -> Iterator[Self]:
        """Yield the rows of each series, in the order of the labels, as views."""
        edges = np.searchsorted(self.series, np.arange(len(self.labels) + 1))
        for label, (start, stop) in zip(self.labels, pairwise(edges.tolist()), strict=True):
            rows = slice(start, stop)
            yield replace(
                self,
                values=self.values[rows],
                times=None if self.times is None else self.times[rows],
                offsets=None if self.offsets is None else self.offsets[rows],
                labels=(label,),
                series=np.zeros(stop - start, dtype=np.int32),
            )

    def some_series(self, most: int) -> Self:
        """Return all series, or this many of them, evenly spread over the labels."""
        if len(self.labels) <= most:
            return self
        chosen = np.linspace(0, len(self.labels) - 1, most).round().astype(np.int64)
        number = np.full(len(self.labels), -1, dtype=np.int32)
        number[chosen] = np.arange(most)
        part = self.take(np.flatnonzero(number[self.series] >= 0))
        labels = tuple(self.labels[place] for place in chosen)
        return replace(part, labels=labels, series=number[part.series])

    def with_calendar_of(self, frequency: str | None, calendar: str | None) -> Self:
        """Return the content with the calendar of a version, if it has the version's frequency."""
        return replace(self, calendar=calendar) if self.frequency == frequency else self

    def tail(self, count: int) -> Self:
        """Return the last ``count`` rows of each series, or all that it has."""
        ends = np.searchsorted(self.series, np.arange(len(self.labels)), side="right")
        from_end = ends[self.series] - np.arange(len(self))
        return self.take(np.flatnonzero(from_end <= count))

    def complete(self, names: tuple[str, ...]) -> Self:
        """Return the rows that have a number in each of these columns.

        Raises:
            KeyError: there is no such column.
        """
        there = np.ones(len(self), dtype=bool)
        for name in names:
            there &= np.isfinite(self.column(name))
        return self.take(np.flatnonzero(there))

    def row_times_iso(self) -> list[str]:
        """Return the time of each row in ISO 8601, in the file's form; [] without times."""
        if self.times is None:
            return []
        return times_iso(self.times, self.time_form, self.offsets)

    def time_iso(self, row: int) -> str | None:
        """Return the time of one row in ISO 8601; None without times."""
        one = self.take(np.array([row]))
        return one.row_times_iso()[0] if self.times is not None else None

    def instants(self) -> Ints:
        """Return microseconds since 1970 of each row's time, in UTC if the times are zoned.

        Raises:
            ValueError: the series has no times.
        """
        if self.times is None:
            raise ValueError("the series has no times")
        micros = self.times.astype(np.int64)
        if self.offsets is None:
            return micros
        return micros - self.offsets.astype(np.int64) * 60_000_000

    def to_bytes(self) -> bytes:
        """Return the bytes to store; equal contents give equal bytes."""
        header: dict[str, object] = {
            "format": FORMAT_VERSION,
            "kind": "series",
            "columns": self.columns,
            "time_form": self.time_form,
            "frequency": self.frequency,
            "labels": self.labels,
        }
        # omitted, so that contents without them keep their bytes
        if self.calendar is not None:
            header["calendar"] = self.calendar
        if self.categories:
            header["categories"] = [[each.name, *each.levels] for each in self.categories]
        # normalises the different NaNs
        values = np.where(np.isnan(self.values), np.nan, self.values)
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "values": np.ascontiguousarray(values, dtype="<f8"),
            "series": np.ascontiguousarray(self.series, dtype="<i4"),
        }
        if self.times is not None:
            arrays["times"] = np.ascontiguousarray(self.times, dtype="<M8[us]")
        if self.offsets is not None:
            arrays["offsets"] = np.ascontiguousarray(self.offsets, dtype="<i2")
        return _npz(header, arrays)

    def take(self, rows: Places) -> Self:
        """Return only these rows, in this order."""
        return replace(
            self,
            values=self.values[rows],
            times=None if self.times is None else self.times[rows],
            offsets=None if self.offsets is None else self.offsets[rows],
            series=self.series[rows],
        )


@dataclass(frozen=True, kw_only=True)
class TextContent:
    """A text, decoded; every line ends with a single line feed."""

    text: str

    @property
    def lines(self) -> int:
        """The number of lines; the last one need not end with a line feed."""
        return self.text.count("\n") + (not self.text.endswith("\n") and bool(self.text))

    def to_bytes(self) -> bytes:
        """Return the bytes to store; equal texts give equal bytes."""
        data = np.frombuffer(self.text.encode(), dtype=np.uint8)
        return _npz({"format": FORMAT_VERSION, "kind": "text"}, {"text": data})


DatasetContent = SeriesContent | TextContent


def times_iso(times: Times, form: TimeForm | None, offsets: Offsets | None) -> list[str]:
    """Return times in ISO 8601: ``2017-01-03``, ``2017-01-03T09:30:00`` or that with ``+01:00``."""
    if form == "date":
        return [str(time) for time in np.datetime_as_string(times, unit="D")]
    whole = bool(np.all(times.astype(np.int64) % 1_000_000 == 0))
    texts = [str(time) for time in np.datetime_as_string(times, unit="s" if whole else "us")]
    if offsets is None:
        return texts
    names = {int(offset): offset_iso(int(offset)) for offset in np.unique(offsets)}
    return [text + names[int(offset)] for text, offset in zip(texts, offsets, strict=True)]


def known_ahead(
    content: SeriesContent, *, features: tuple[str, ...], known: tuple[str, ...], rows: int
) -> dict[str, list[float] | list[str]]:
    """Return the values of known columns in the rows after a series' last complete one.

    Args:
        content: of one series.
        features: columns in which a complete row has numbers.
        known: columns known ahead; a row counts if it has numbers in all of them.
        rows: maximum number of rows.
    """
    there = np.isfinite(np.stack([content.column(name) for name in features]))  # (features, rows)
    complete = np.flatnonzero(there.all(axis=0))
    first = int(complete[-1]) + 1 if len(complete) else len(content)
    columns = {name: content.column(name)[first : first + rows] for name in known}
    there = np.isfinite(np.stack(list(columns.values())))  # (known, rows)
    gaps = np.flatnonzero(~there.all(axis=0))
    count = int(gaps[0]) if len(gaps) else there.shape[1]
    ahead = content.take(np.arange(first, first + count))
    return {name: ahead.cells(name) for name in known}


def content_from_bytes(data: bytes) -> DatasetContent:
    """Read what ``to_bytes`` wrote.

    Raises:
        BrokenContentError: the bytes are not a stored dataset.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays["header"].tobytes())
        return _content(header, arrays)
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        TypeError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise BrokenContentError(f"these bytes are not a stored dataset: {error}") from error


def _content(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> DatasetContent:
    if header["format"] != FORMAT_VERSION:
        raise BrokenContentError(f"its format is {header['format']}, not {FORMAT_VERSION}")
    if header["kind"] == "text":
        return TextContent(text=arrays["text"].tobytes().decode())
    return SeriesContent(
        columns=tuple(header["columns"]),
        values=arrays["values"],
        times=arrays.get("times"),
        offsets=arrays.get("offsets"),
        time_form=header["time_form"],
        frequency=header["frequency"],
        calendar=header.get("calendar"),
        labels=tuple(header["labels"]),
        series=arrays["series"],
        categories=tuple(
            Category(name=name, levels=tuple(levels))
            for name, *levels in header.get("categories", [])
        ),
    )


def offset_iso(minutes: int) -> str:
    """Return minutes east of UTC in ISO 8601: ``+01:00``."""
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _npz(header: dict[str, object], arrays: dict[str, npt.NDArray[np.generic]]) -> bytes:
    text = json.dumps(header, ensure_ascii=True, separators=(",", ":"))
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(text.encode(), dtype=np.uint8),
        **arrays,
    )
    return buffer.getvalue()
