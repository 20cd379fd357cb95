"""Bring a function of Arrow tables to the engine that holds the data.

Each adapter brings all rows of a series to the same place, and calls the function with many series
at once. Fugue would have done this, but its newest version (0.9.7) refuses pandas 3.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.csv  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]

from stepahead.batch.forecaster import Forecaster

if TYPE_CHECKING:
    Made = Callable[[pa.Schema], Forecaster]

Engine = Literal["dask", "duckdb", "ray", "spark"]
BUCKET = "stepahead_bucket"
BUCKETS_PER_CPU = 4  # so that those that finish early take more of them
ROWS_PER_READ = 100_000


def engine_of(data: object) -> Engine | None:
    """Return the engine that a frame belongs to; None for one in memory."""
    module = type(data).__module__
    for prefix, engine in _PREFIXES.items():
        if module == prefix or module.startswith(f"{prefix}."):
            return engine
    return None


_PREFIXES: dict[str, Engine] = {
    "dask": "dask",
    "duckdb": "duckdb",
    "_duckdb": "duckdb",
    "ray.data": "ray",
    "pyspark.sql": "spark",
}


def in_memory(data: Any, made: "Made") -> Any:  # noqa: ANN401
    """Forecast a frame of pandas, polars or pyarrow, or a file; return the same kind."""
    if isinstance(data, str | Path):
        data = _read(str(data))
    frame: nw.DataFrame[Any] = nw.from_native(data, eager_only=True)
    table = frame.to_arrow()
    found = made(table.schema)(table)
    return nw.from_arrow(found, backend=frame.implementation).to_native()


def on_ray(data: Any, made: "Made") -> Any:  # noqa: ANN401
    """Forecast a Ray dataset; return another, which is computed when it is used."""
    import ray.data

    if isinstance(data, str | Path):
        data = ray.data.read_csv(str(data)) if _is_csv(data) else ray.data.read_parquet(str(data))
    elif engine_of(data) != "ray":
        data = ray.data.from_arrow(_table(data))
    schema = data.schema().base_schema
    forecaster = made(schema if isinstance(schema, pa.Schema) else _schema_of_pandas(data))
    buckets = BUCKETS_PER_CPU * max(1, int(ray.cluster_resources().get("CPU", 1)))
    return (
        data.select_columns(forecaster.columns)
        .map_batches(
            partial(with_buckets, forecaster.names.id, buckets),
            batch_format="pyarrow",
            zero_copy_batch=True,
        )
        .groupby(BUCKET, num_partitions=buckets)
        .map_groups(_group, batch_format="pyarrow", fn_kwargs={"forecaster": forecaster})
    )


def on_dask(data: Any, made: "Made") -> Any:  # noqa: ANN401
    """Forecast a Dask frame; return another, which is computed when it is used."""
    import dask.dataframe as dd

    if isinstance(data, str | Path):
        data = dd.read_csv(str(data)) if _is_csv(data) else dd.read_parquet(str(data))
    elif engine_of(data) != "dask":
        frame = _table(data).to_pandas()
        data = dd.from_pandas(frame, npartitions=max(1, len(frame) // ROWS_PER_READ))
    kinds = data._meta_nonempty  # noqa: SLF001 - there is no other way to types without rows
    forecaster = made(pa.Schema.from_pandas(kinds, preserve_index=False))
    empty = forecaster.schema.empty_table().to_pandas()
    return (
        data[forecaster.columns]
        .shuffle(on=forecaster.names.id)
        .map_partitions(partial(_pandas_part, forecaster), meta=empty)
    )


def on_spark(data: Any, made: "Made") -> Any:  # noqa: ANN401
    """Forecast a Spark frame; return another, which is computed when it is used."""
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

    if engine_of(data) != "spark":
        session = SparkSession.builder.getOrCreate()
        if not isinstance(data, str | Path):
            data = session.createDataFrame(_table(data).to_pandas())
        elif _is_csv(data):
            data = session.read.csv(str(data), header=True, inferSchema=True)
        else:
            data = session.read.parquet(str(data))
    zone = data.sparkSession.conf.get("spark.sql.session.timeZone")
    forecaster = made(to_arrow_schema(data.schema, timezone=zone))
    return (
        data.select(forecaster.columns)
        .repartition(forecaster.names.id)
        .mapInArrow(partial(_arrow_parts, forecaster), from_arrow_schema(forecaster.schema))
    )


def on_duckdb(data: Any, made: "Made") -> pa.Table:  # noqa: ANN401
    """Forecast a DuckDB relation, which may be larger than memory; return an Arrow table."""
    import duckdb

    if isinstance(data, str | Path):
        data = duckdb.read_csv(str(data)) if _is_csv(data) else duckdb.read_parquet(str(data))
    elif engine_of(data) != "duckdb":
        data = duckdb.from_arrow(_table(data))
    forecaster = made(data.limit(0).to_arrow_table().schema)
    quoted = [_quoted(name) for name in forecaster.columns]
    ordered = data.project(", ".join(quoted)).order(", ".join(quoted[:2]))
    parts = whole_series(ordered.to_arrow_reader(ROWS_PER_READ), forecaster.names.id)
    return pa.concat_tables(
        [forecaster.schema.empty_table(), *(forecaster(part) for part in parts)]
    )


ADAPTERS: dict[Engine | None, Callable[[Any, "Made"], Any]] = {
    None: in_memory,
    "dask": on_dask,
    "duckdb": on_duckdb,
    "ray": on_ray,
    "spark": on_spark,
}


def whole_series(batches: Iterator[pa.RecordBatch] | Any, key: str) -> Iterator[pa.Table]:  # noqa: ANN401
    """Yield tables of whole series, from batches ordered by series."""
    kept: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        newest = batch[key][batch.num_rows - 1]
        same = pc.equal(batch[key], newest) if newest.is_valid else batch[key].is_null()
        rows = np.flatnonzero(~np.asarray(pc.fill_null(same, False)))
        start = int(rows[-1]) + 1 if len(rows) else 0  # of the newest series, which may go on
        if start or (kept and kept[-1][key][kept[-1].num_rows - 1] != newest):
            yield pa.Table.from_batches([*kept, batch.slice(0, start)])
            kept = []
        kept.append(batch.slice(start))
    if kept:
        yield pa.Table.from_batches(kept)


def with_buckets(key: str, buckets: int, table: pa.Table) -> pa.Table:
    """Return a table with a number for each row, the same for all rows of a series."""
    ids = table[key].combine_chunks().dictionary_encode(null_encoding="encode")
    numbers = [zlib.crc32(str(name).encode()) % buckets for name in ids.dictionary.to_pylist()]
    return table.append_column(BUCKET, pa.array(np.array(numbers, np.int32)[ids.indices]))


def _group(table: pa.Table, forecaster: Forecaster) -> pa.Table:
    return forecaster(table)


def _pandas_part(forecaster: Forecaster, part: Any) -> Any:  # noqa: ANN401
    return forecaster(pa.Table.from_pandas(part, preserve_index=False)).to_pandas()


def _arrow_parts(
    forecaster: Forecaster, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    found = list(batches)
    if found:
        yield from forecaster(pa.Table.from_batches(found)).to_batches()


def _schema_of_pandas(data: Any) -> pa.Schema:  # noqa: ANN401
    return pa.Schema.from_pandas(data.limit(1).to_pandas(), preserve_index=False)


def _table(data: Any) -> pa.Table:  # noqa: ANN401
    """Return a frame in memory as a table."""
    frame: nw.DataFrame[Any] = nw.from_native(data, eager_only=True)
    return frame.to_arrow()


def _read(path: str) -> pa.Table:
    return pa.csv.read_csv(path) if _is_csv(path) else pa.parquet.read_table(path)


def _is_csv(path: str | Path) -> bool:
    return str(path).lower().endswith((".csv", ".csv.gz"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
