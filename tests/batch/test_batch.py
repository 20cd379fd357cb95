"""Forecasts without a service, compared with those of the service's own code."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from app.config import PROJECT_DIR
from app.predictions.asking import question_of
from app.predictions.questions import completed
from app.predictions.schemas import PredictRequest
from stepahead import batch
from stepahead.batch.engines import whole_series, with_buckets
from tests.artifacts import persistence_artifact, tenths_of_level
from tests.explanations.versions import ROWS, series_version

UNIVERSAL = PROJECT_DIR / "models" / "universal" / "1"
DAYS = [date(2026, 1, 1) + timedelta(days=day) for day in range(40)]


def made(**changes: Any) -> batch.Artifact:  # noqa: ANN401
    """A version that repeats the last value, plus one per step."""
    options: dict[str, Any] = {
        "frequency": "D",
        "horizon": 2,
        "step": 1.0,
        "intervals": tenths_of_level(steps=2),
    }
    files = persistence_artifact(**options | changes).files()
    return batch.Artifact(
        name="shops",
        number=1,
        manifest=files["manifest.json"],
        scorecard=files["scorecard.json"],
        graph=files["model.onnx"],
    )


def shops(names: Sequence[str] = ("b", "a"), rows: int = 4) -> pd.DataFrame:
    """Shops in the wrong order: 1, 2, 3, 4 and 11, 12, 13, 14."""
    values = [10.0 * shop + day for shop in range(len(names)) for day in range(1, rows + 1)]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(names, rows),
            "ds": pd.to_datetime(DAYS[:rows] * len(names)),
            "y": values,
        }
    )


def test_every_series_is_forecast_with_intervals() -> None:
    found = batch.forecast(shops(), made(), levels=[80])
    assert found["unique_id"].tolist() == ["a", "a", "b", "b"]
    assert found["ds"].tolist() == [pd.Timestamp("2026-01-05"), pd.Timestamp("2026-01-06")] * 2
    assert found["shops"].tolist() == [15.0, 16.0, 5.0, 6.0]
    assert found["shops-lo-80"].tolist() == [7.0, 8.0, -3.0, -2.0]
    assert found["error"].isna().all()


def test_a_series_that_cannot_be_forecast_is_reported() -> None:
    frame = shops(("a", "short", "empty", "twice"))
    short = (frame["unique_id"] != "short") | (frame["ds"] < "2026-01-03")
    frame.loc[frame["unique_id"] == "empty", "y"] = np.nan
    frame.loc[frame["unique_id"] == "twice", "ds"] = pd.Timestamp("2026-01-01")
    errors = (
        batch.forecast(frame[short], made()).drop_duplicates("unique_id").set_index("unique_id")
    )
    assert pd.isna(errors["error"]["a"])
    assert errors["error"]["empty"] == "no row has a value"
    assert "has 2 values; shops@1 needs at least 3" in errors["error"]["short"]
    assert "is not later than" in errors["error"]["twice"]
    assert errors.drop("a")["shops"].isna().all()


@pytest.mark.parametrize("levels", [[], [80, 95]])
def test_universal_says_the_same_as_the_service(levels: list[int]) -> None:
    random = np.random.default_rng(3)
    values = (50 + 10 * np.sin(np.arange(40) * 2 * np.pi / 7) + random.normal(0, 1, 40)).round(2)
    values[17] = np.nan  # left out of the request, as a client does
    frame = pd.DataFrame({"unique_id": "north", "ds": pd.to_datetime(DAYS), "y": values})
    found = batch.forecast(frame, UNIVERSAL, horizon=9, levels=levels)

    known = ~np.isnan(values)
    request = PredictRequest(
        history=values[known].tolist(),
        timestamps=[str(day) for day, is_known in zip(DAYS, known, strict=True) if is_known],
        horizon=9,
        levels=levels or None,
    )
    version = batch.read_artifact(UNIVERSAL).version
    question = question_of(version, request)
    (answer,) = completed(question.answer([question]))
    assert isinstance(answer, dict)
    steps: Any = answer["predictions"]
    assert found["universal"].tolist() == [step["value"] for step in steps]
    assert [str(at.date()) for at in found["ds"]] == [step["timestamp"] for step in steps]
    assert found["warnings"][0] == "; ".join(answer["warnings"])  # type: ignore[arg-type]
    for place, level in enumerate(levels):
        lows = [step["intervals"][place]["low"] for step in steps]
        assert found[f"universal-lo-{level}"].tolist() == lows


def test_columns_known_ahead_are_read_from_the_rows_to_come() -> None:
    files = series_version("lstm", "standard", "average", effect=0.5).files()
    artifact = batch.Artifact(
        name="prices",
        number=1,
        manifest=files["manifest.json"],
        scorecard=files["scorecard.json"],
        graph=files["model.onnx"],
    )
    frame = pd.DataFrame(ROWS[:20], columns=["volume", "y"])
    frame = frame.assign(unique_id="a", ds=pd.to_datetime(DAYS[:20]))
    frame.loc[18:, "y"] = np.nan  # two rows to come, whose volume is planned
    found = batch.forecast(frame, artifact)

    request = PredictRequest(
        history={"volume": ROWS[:18, 0].tolist(), "price": ROWS[:18, 1].tolist()},
        timestamps=[str(day) for day in DAYS[:18]],
        future={"volume": ROWS[18:20, 0].tolist()},
    )
    question = question_of(artifact.version, request)
    (answer,) = completed(question.answer([question]))
    assert isinstance(answer, dict)
    steps: Any = answer["predictions"]
    assert found["prices"].tolist() == [step["value"] for step in steps]

    # A plan that leaves out a day is for other steps than those forecast.
    frame.loc[18:, "ds"] += pd.Timedelta(days=1)
    (error,) = batch.forecast(frame, artifact)["error"]
    assert "there must be a row for each step" in error
    # The plan ends too early.
    (error,) = batch.forecast(frame[:19], artifact)["error"]
    assert "has 1 of the 2 values that are needed" in error


def test_polars_arrow_and_files_work(tmp_path: Path) -> None:
    frame = shops()
    in_polars = batch.forecast(pl.from_pandas(frame), made())
    assert isinstance(in_polars, pl.DataFrame)
    assert in_polars["shops"].to_list() == [15.0, 16.0, 5.0, 6.0]
    frame.to_parquet(tmp_path / "shops.parquet")
    frame.to_csv(tmp_path / "shops.csv", index=False)
    for name in ("shops.parquet", "shops.csv"):
        found = batch.forecast(tmp_path / name, made())
        assert isinstance(found, pa.Table)
        assert found["shops"].to_pylist() == [15.0, 16.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("times", "following"),
    [
        (pd.date_range("2026-01-01", periods=4, tz="Europe/Berlin"), "2026-01-05 00:00:00+01:00"),
        ([str(day) for day in DAYS[:4]], "2026-01-05"),
        ([3, 4, 5, 6], "7"),
    ],
)
def test_times_come_back_as_they_were_given(times: Any, following: str) -> None:  # noqa: ANN401
    frame = pd.DataFrame({"unique_id": "a", "ds": times, "y": [1.0, 2.0, 3.0, 4.0]})
    found = batch.forecast(frame, made())
    assert str(found["ds"][0]) == following
    assert found["ds"].dtype == frame["ds"].dtype


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon must be from 1 to 1000"),
        ({"levels": [20]}, "levels must be whole % from 50 to 99"),
        ({"value_column": "sales"}, "the data have no column 'sales'"),
        ({"value_column": "unique_id"}, "must be numeric"),
        ({"time_column": "y"}, "'y' has no times"),
        ({"engine": "mars"}, "there is no engine 'mars'"),
    ],
)
def test_what_is_not_possible_is_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batch.forecast(shops(), made(), **options)


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"it has no manifest\.json, scorecard\.json, model\.onnx"):
        batch.read_artifact(tmp_path)


@pytest.mark.parametrize("rows", [1, 3, 5, 100])
def test_batches_are_joined_into_whole_series(rows: int) -> None:
    ids = ["a"] * 4 + ["b"] + ["c"] * 7 + [None] * 2
    batches = pa.table({"unique_id": ids}).to_batches(max_chunksize=rows)
    parts = [part["unique_id"].to_pylist() for part in whole_series(iter(batches), "unique_id")]
    assert [name for part in parts for name in part] == ids
    assert all(not set(one) & set(other) for one in parts for other in parts if one is not other)


def test_rows_of_a_series_are_in_the_same_bucket() -> None:
    table = with_buckets("unique_id", 5, pa.table({"unique_id": [1, 2, None, 1, 2, None]}))
    numbers = table["stepahead_bucket"].to_pylist()
    assert numbers[:3] == numbers[3:]


def test_the_nodes_import_no_service_and_no_client() -> None:
    code = "import sys, stepahead.batch; print(*{name.partition('.')[0] for name in sys.modules})"
    imported = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert {"numpy", "onnxruntime", "pydantic"} <= set(imported)
    assert not {"fastapi", "httpx", "onnx", "sqlalchemy", "tensorflow"} & set(imported)
