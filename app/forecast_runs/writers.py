"""Write a run's forecasts as JSON, CSV or Parquet, series after series."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from app.forecast_runs.forms import Form, Row
from app.predictions.logged.spreadsheet_cells import spreadsheet_cell

ROWS_PER_GROUP = 100_000


class Writer(Protocol):
    """Writes rows of a run."""

    def write(self, rows: Sequence[Row]) -> None:
        """Write the rows of one series."""

    def end(self, counts: Mapping[str, Any]) -> None:
        """Write what became of the run, where the form has a place for it."""


@contextmanager
def writer_of(
    form: Form, path: Path, levels: Sequence[int], *, run_id: str, model: str, version: int
) -> Iterator[Writer]:
    """Yield what writes rows to a file; it is complete when the context has ended."""
    if form == "parquet":
        yield from _parquet(path, columns_of(model, levels))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "csv":
            yield _Csv(file, columns_of(model, levels), len(levels))
        else:
            head = json.dumps(
                {"id": run_id, "model": model, "version": version}, ensure_ascii=False
            )
            file.write(f'{head[:-1]},"forecasts":[')
            yield _Json(file, levels)


def columns_of(model: str, levels: Sequence[int]) -> list[str]:
    """Return the columns of a table, named as statsforecast and Nixtla's client name them."""
    bounds = [f"{model}-{side}-{level}" for level in levels for side in ("lo", "hi")]
    return ["unique_id", "step", "ds", model, *bounds, "error"]


def _parquet(path: Path, columns: Sequence[str]) -> Iterator["_Parquet"]:
    kinds = {"unique_id": pa.string(), "step": pa.int32(), "ds": pa.string(), "error": pa.string()}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in columns])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        writer = _Parquet(file, schema)
        yield writer
        writer.flush()


def _cells(row: Row, levels: int) -> list[Any]:
    """Return a row's cells; past a version's intervals their bounds are empty."""
    bounds: list[float | None] = [bound for pair in row.intervals for bound in pair]
    bounds += [None] * (2 * levels - len(bounds))
    return [row.series, row.step, row.time, row.value, *bounds, row.error]


class _Parquet:
    def __init__(self, file: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._file = file
        self._schema = schema
        self._levels = (len(schema) - len(columns_of("", ()))) // 2
        self._rows: list[list[Any]] = []

    def write(self, rows: Sequence[Row]) -> None:
        self._rows += [_cells(row, self._levels) for row in rows]
        if len(self._rows) >= ROWS_PER_GROUP:
            self.flush()

    def end(self, counts: Mapping[str, Any]) -> None:
        del counts  # a table has no place for them

    def flush(self) -> None:
        if self._rows:
            arrays = [
                pa.array(values, kind.type)
                for values, kind in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._rows.clear()


class _Csv:
    def __init__(self, file: IO[str], columns: Sequence[str], levels: int) -> None:
        self._writer = csv.writer(file)
        self._levels = levels
        self._writer.writerow(columns)

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows([map(spreadsheet_cell, _cells(row, self._levels)) for row in rows])

    def end(self, counts: Mapping[str, Any]) -> None:
        del counts  # a table has no place for them


class _Json:
    def __init__(self, file: IO[str], levels: Sequence[int]) -> None:
        self._file = file
        self._levels = levels
        self._is_first = True

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._file.write("" if self._is_first else ",")
            self._is_first = False
            shown = {
                "unique_id": row.series,
                "step": row.step,
                "ds": row.time,
                "value": row.value,
                "intervals": [
                    {"level": level, "low": low, "high": high}
                    for level, (low, high) in zip(self._levels, row.intervals, strict=False)
                ],
                "error": row.error,
            }
            self._file.write(json.dumps(shown, ensure_ascii=False))

    def end(self, counts: Mapping[str, Any]) -> None:
        self._file.write(f"],{json.dumps(counts, ensure_ascii=False)[1:]}\n")
