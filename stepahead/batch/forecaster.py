"""Forecast the series of an Arrow table with a version, by the service's own code.

Each table holds whole series. The result has a row for each step, or one row that says why a series
could not be forecast.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from numpy.typing import NDArray

from app.errors import StepaheadError, Unprocessable
from app.predictions import series
from app.predictions.many_series import answered, problem_of, request_of
from app.predictions.questions import Question
from app.predictions.universal import asking as universal
from stepahead.batch.artifact import Artifact
from stepahead.batch.times import from_iso, is_steps, iso_texts

Floats = NDArray[np.float64]
Answer = Mapping[str, Any]
WARNINGS, ERROR = "warnings", "error"
AT_ONCE = 256  # questions that are answered together
NO_ID = "the rows have no id"


class Names(NamedTuple):
    """Names of a frame's columns."""

    id: str
    time: str
    value: str


class OneSeries(NamedTuple):
    """A series as it is asked about, or why it cannot be."""

    first: int  # row of the sorted table
    last_time: Any  # of the newest value; the type of the column
    planned: Sequence[str]  # ISO times of the rows with columns known ahead
    question: Question | StepaheadError


@dataclass(frozen=True, kw_only=True)
class Forecaster:
    """What each process needs to forecast its part of the series."""

    artifact: Artifact
    names: Names
    id_type: pa.DataType
    time_type: pa.DataType
    horizon: int | None
    levels: tuple[int, ...]

    @property
    def further(self) -> tuple[str, ...]:
        """The columns that the version reads beside the value."""
        described = self.artifact.described
        if described.periods:
            return ()
        asked = described.asked([feature.name for feature in described.features])
        return tuple(name for name in asked if name != described.target)

    @property
    def columns(self) -> list[str]:
        """All columns that are read."""
        return [*self.names, *self.further]

    @property
    def schema(self) -> pa.Schema:
        """The columns of the result."""
        name = self.artifact.name
        ends = [f"{name}-{end}-{level}" for level in self.levels for end in ("lo", "hi")]
        return pa.schema(
            [
                (self.names.id, self.id_type),
                (self.names.time, self.time_type),
                *[(column, pa.float64()) for column in (name, *ends)],
                (WARNINGS, pa.string()),
                (ERROR, pa.string()),
            ]
        )

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the forecasts of whole series."""
        if not len(table):
            return self.schema.empty_table()
        order = [(self.names.id, "ascending"), (self.names.time, "ascending")]
        ordered = table.select(self.columns).sort_by(order).combine_chunks()
        asked = list(self._asked(ordered))
        return self._written(ordered[self.names.id], asked, _answers(asked))

    def _asked(self, table: pa.Table) -> Iterator[OneSeries]:
        """Yield the series of a sorted table."""
        times = table[self.names.time].combine_chunks()
        values = numbers_of(table[self.names.value])
        further = {name: cells_of(table[name]) for name in self.further}
        known = ~np.isnan(values)
        whole = known & np.logical_and.reduce([filled_in(each) for each in further.values()])
        ids = table[self.names.id]
        for start, end in _bounds(ids):
            if not ids[start].is_valid:
                yield OneSeries(start, None, (), Unprocessable(NO_ID))
                continue
            valued = np.flatnonzero(known[start:end])
            if not len(valued) or times[start:end].null_count:
                problem = "a row has no time" if len(valued) else "no row has a value"
                yield OneSeries(start, None, (), Unprocessable(problem))
                continue
            last = start + int(valued[-1])
            rows = start + np.flatnonzero(whole[start : last + 1])
            ahead = range(last + 1, end)
            yield self._one(str(ids[start].as_py()), start, (rows, ahead), (times, values, further))

    def _one(
        self,
        name: str,
        first: int,
        rows: tuple[NDArray[np.int64], range],
        columns: tuple[pa.Array, Floats, dict[str, Any]],
    ) -> OneSeries:
        """Ask about one series: its rows of the past, and those of columns known ahead."""
        (past, ahead), (times, values, further) = rows, columns
        version, described = self.artifact.version, self.artifact.described
        past = past[-max(version.reach.window, version.manifest.min_history) :]
        history: dict[str, list[Any]] = {described.target: values[past].tolist()}
        history |= {column: cells[past].tolist() for column, cells in further.items()}
        request: dict[str, Any] = {
            "model": version.model,
            "history": history if further else history[described.target],
            "series": name,
            "horizon": self.horizon,
            "levels": list(self.levels) or None,
        }
        if not is_steps(times.type) and len(past):
            request["timestamps"] = iso_texts(times.take(pa.array(past)))
        planned: list[str] = []
        if described.known and ahead:
            given = {
                column: further[column][ahead.start : ahead.stop]
                for column in described.asked(described.known)
            }
            count = _leading(given.values(), len(ahead))
            request["future"] = {column: cells[:count].tolist() for column, cells in given.items()}
            if not is_steps(times.type):
                planned = iso_texts(times[ahead.start : ahead.start + count])
            if not count:
                del request["future"]
        last_time = times[int(past[-1])].as_py() if len(past) and is_steps(times.type) else None
        ask = universal.ask if described.periods else series.ask
        try:
            return OneSeries(first, last_time, planned, ask(version, request_of(request)))
        except StepaheadError as error:
            return OneSeries(first, None, (), error)

    def _written(
        self, ids: pa.ChunkedArray, asked: Sequence[OneSeries], answers: Iterator[Answer]
    ) -> pa.Table:
        """Return the result."""
        name = self.artifact.name
        firsts: list[int] = []
        times: list[Any] = []
        columns: dict[str, list[Any]] = {field: [] for field in self.schema.names[2:]}
        for one, answer in zip(asked, answers, strict=True):
            steps = answer.get("predictions", [{}])
            error = answer.get(ERROR) or _misplaced(one, steps)
            if error:
                steps = [{}]
            told = "; ".join(answer.get(WARNINGS, ())) or None
            for step in steps:
                firsts.append(one.first)
                at = step.get("timestamp")
                times.append(at if one.last_time is None else one.last_time + step["step"])
                bounds = {each["level"]: each for each in step.get("intervals") or ()}
                columns[name].append(step.get("value"))
                for level in self.levels:
                    own = bounds.get(level, {})
                    columns[f"{name}-lo-{level}"].append(own.get("low"))
                    columns[f"{name}-hi-{level}"].append(own.get("high"))
                columns[WARNINGS].append(None if error else told)
                columns[ERROR].append(error)
        moments = (
            pa.array(times, self.time_type)
            if is_steps(self.time_type)
            else from_iso(times, self.time_type)
        )
        found = [ids.take(pa.array(firsts, pa.int64())).cast(self.id_type), moments]
        rest = [pa.array(cells, self.schema.field(key).type) for key, cells in columns.items()]
        return pa.table([*found, *rest], schema=self.schema)


def _answers(asked: Sequence[OneSeries]) -> Iterator[Answer]:
    """Yield the answers in order; `error` says why there is none."""
    for start in range(0, len(asked), AT_ONCE):
        questions = [one.question for one in asked[start : start + AT_ONCE]]
        for outcome in answered(questions):
            yield {ERROR: problem_of(outcome)} if isinstance(outcome, StepaheadError) else outcome


def _misplaced(one: OneSeries, steps: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what is wrong if rows with columns known ahead are not those of the steps."""
    for planned, step in zip(one.planned, steps, strict=False):
        at = step["timestamp"]
        if at is not None and np.datetime64(planned[:26]) != np.datetime64(at[:26]):
            return (
                f"step {step['step']} is {at}, and the row with columns known ahead is {planned}: "
                "there must be a row for each step"
            )
    return None


def _bounds(ids: pa.ChunkedArray) -> list[tuple[int, int]]:
    """Return first row and end of each series of sorted ids; those without an id are one."""
    codes = ids.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()
    starts = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist()]
    return list(zip(starts, [*starts[1:], len(codes)], strict=True))


def numbers_of(column: pa.ChunkedArray) -> Floats:
    """Return a column of numbers, NaN for missing ones."""
    numbers: Floats = pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy()
    return numbers


def cells_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column of numbers, or of words, with NaN or None for missing ones."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return numbers_of(column)
    return np.array([*column.to_pylist(), None], dtype=object)[:-1]


def filled_in(cells: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which cells hold something."""
    if cells.dtype == object:
        return np.array([cell is not None for cell in cells], dtype=bool)
    found: NDArray[np.bool_] = ~np.isnan(cells)
    return found


def _leading(columns: Iterator[NDArray[Any]] | Any, rows: int) -> int:  # noqa: ANN401
    """Return how many of the first rows have a value in all columns."""
    whole = np.logical_and.reduce([filled_in(cells) for cells in columns])
    missing = np.flatnonzero(~whole)
    return int(missing[0]) if len(missing) else rows
