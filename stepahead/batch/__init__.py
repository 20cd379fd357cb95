"""Forecast where the data are: in memory, or on Ray, Dask, Spark or DuckDB, without a service.

from stepahead import batch

batch.forecast("s3://lake/sales.parquet", "shops-3.tar", "ray", horizon=14, levels=[80])

It runs the service's own code on a version's files. The nodes need no TensorFlow, no database and
no service: ONNX Runtime, numpy, pydantic, narwhals and pyarrow beside the engine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from stepahead.batch.artifact import Artifact, read_artifact
from stepahead.batch.engines import ADAPTERS, Engine, engine_of
from stepahead.batch.forecaster import Forecaster, Names
from stepahead.batch.times import is_text, is_time

__all__ = ["Artifact", "forecast", "read_artifact"]

LEVELS = range(50, 100)
MAX_STEPS = 1000


def forecast(
    data: Any,  # noqa: ANN401 - a frame of any of the engines
    artifact: Artifact | str | Path,
    engine: Engine | None = None,
    *,
    horizon: int | None = None,
    levels: Sequence[int] = (),
    id_column: str = "unique_id",
    time_column: str = "ds",
    value_column: str = "y",
) -> Any:  # noqa: ANN401
    """Forecast all series of a frame.

    Args:
        data: a frame with a row per series and time, or the path of a Parquet or CSV file. Further
            columns are the version's other inputs, by name; others are ignored.
            Rows after a series' newest value plan its columns known ahead.
        artifact: a version's folder or archive.
        engine: that computes; left out, the one that the frame belongs to, or this process.
        horizon: steps ahead; left out, as many as the version was trained on.
        levels: of intervals, in % from 50 to 99.
        id_column: names the series.
        time_column: dates, times, ISO texts or whole numbers.
        value_column: the version's target.

    Returns:
        A frame of the engine: id, time, the forecasts in a column named after the model, their
        bounds in `NAME-lo-80` and `NAME-hi-80`, `warnings`, and `error`. A series that could not be
        forecast has one row, which says why in `error`. Ray, Dask and Spark compute it when it is
        used; DuckDB's is an Arrow table.

    Raises:
        ValueError: a column is missing or has the wrong type, or an option is not possible.
    """
    version = artifact if isinstance(artifact, Artifact) else read_artifact(artifact)
    if horizon is not None and not 1 <= horizon <= MAX_STEPS:
        raise ValueError(f"horizon must be from 1 to {MAX_STEPS}; it is {horizon}")
    if any(level not in LEVELS for level in levels):
        raise ValueError(f"levels must be whole % from 50 to 99; they are {list(levels)}")
    described = version.described
    if levels and described.intervals is None and not described.periods:
        why = described.intervals_missing or "it was trained before versions had them"
        raise ValueError(f"{version.name}@{version.number} has no intervals: {why}")
    names = Names(id_column, time_column, value_column)

    def made(schema: pa.Schema) -> Forecaster:
        forecaster = Forecaster(
            artifact=version,
            names=names,
            id_type=_type_in(schema, names.id),
            time_type=_type_in(schema, names.time),
            horizon=horizon,
            levels=tuple(sorted(set(levels))),
        )
        _check(schema, forecaster)
        return forecaster

    which = engine or engine_of(data)
    if which not in ADAPTERS:
        raise ValueError(f"there is no engine {which!r}; there are dask, duckdb, ray and spark")
    return ADAPTERS[which](data, made)


def _type_in(schema: pa.Schema, name: str) -> pa.DataType:
    if name not in schema.names:
        raise ValueError(f"the data have no column {name!r}; they have {', '.join(schema.names)}")
    kind = schema.field(name).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check(schema: pa.Schema, forecaster: Forecaster) -> None:
    """Raise unless all columns are there, with values and times that can be read."""
    kinds = {name: _type_in(schema, name) for name in forecaster.columns}
    if not is_time(forecaster.time_type):
        raise ValueError(f"{forecaster.names.time!r} has no times: it is {forecaster.time_type}")
    words = {category.name for category in forecaster.artifact.described.encodings}
    for name in (forecaster.names.value, *forecaster.further):
        kind = kinds[name]
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        is_number = is_number or pa.types.is_decimal(kind) or pa.types.is_boolean(kind)
        if name in words and not is_text(kind):
            raise ValueError(f"the column {name!r} is {kind}; the version reads words in it")
        if name not in words and not is_number:
            raise ValueError(f"the column {name!r} is {kind}; it must be numeric")
