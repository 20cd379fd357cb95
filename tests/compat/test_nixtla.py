"""Nixtla's protocol, by its own client where that can send the request."""

from __future__ import annotations  # that name types of libraries imported late

import gzip
import json
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, cast

import httpx
import nixtla
import numpy as np
import pandas as pd
import polars as pl
import pytest
import zstandard
from sqlalchemy import select

from app.compat.nixtla.schemas import CrossValidationRequest, ForecastRequest
from app.compat.nixtla.series import Origin, columns_of, ends_of, item_of, origins_of
from app.compat.nixtla.times import frequency_of, timestamps
from app.errors import InvalidRequest
from app.predictions.loaded import Loaded
from app.storage.tables import Prediction
from tests.artifacts import persistence_artifact
from tests.service import Service, eventually

pytestmark = [
    pytest.mark.skipif(
        find_spec("nixtla") is None,
        reason="Nixtla's client is installed apart: requirements/nixtla.txt",
    ),
    # The client is older than pandas 3.
    pytest.mark.filterwarnings("ignore:A future version of pandas will return"),
]
FORECAST, CROSS_VALIDATION = "/v2/forecast", "/v2/cross_validation"


@pytest.fixture
def client(service: Service) -> Any:  # noqa: ANN401 - it has no types
    """Nixtla's client, as it is."""
    return nixtla.NixtlaClient(api_key="any", base_url=service.url, max_retries=0)


def frame(rows: int = 5) -> pd.DataFrame:
    """Two series that rise by one a day, from 1 and from 11."""
    return pd.DataFrame(
        {
            "unique_id": np.repeat(["north", "south"], rows),
            "ds": [*pd.date_range("2026-01-01", periods=rows)] * 2,
            "y": np.concatenate([np.arange(1.0, rows + 1), np.arange(11.0, rows + 11)]),
        }
    )


def body(**changes: object) -> dict[str, Any]:
    series = {"y": [1.0, 2.0, 3.5, 4.0, 5.0, 6.5], "sizes": [3, 3]}
    return {"model": "calibrated", "freq": "D", "h": 2, "series": series, **changes}


def error_in(answer: httpx.Response) -> str:
    assert set(answer.json()) == {"detail"}
    return str(answer.json()["detail"])


def test_a_key_and_the_models_are_shown(client: Any) -> None:  # noqa: ANN401
    assert client.validate_api_key()
    assert client.list_models() == ["calibrated", "prices", "two-columns"]


def test_all_series_are_forecast_with_intervals_and_logged(
    service: Service,
    client: Any,  # noqa: ANN401
) -> None:
    found = client.forecast(frame(), h=3, level=[80], model="calibrated")
    assert found["unique_id"].tolist() == ["north"] * 3 + ["south"] * 3
    assert found["ds"].tolist() == [*pd.date_range("2026-01-06", periods=3)] * 2
    assert found["TimeGPT"].tolist() == [6.0, 7.0, 8.0, 16.0, 17.0, 18.0]
    # A tenth of the level to either side; of the third step, the version has none.
    assert found["TimeGPT-hi-80"].tolist()[:2] == [14.0, 15.0]
    assert found["TimeGPT-lo-80"].isna().tolist() == [False, False, True] * 2
    with service.sessions() as session:
        rows = session.scalars(select(Prediction).order_by(Prediction.id.desc()).limit(2)).all()
    assert {row.request["history"][-1] for row in rows} == {5.0, 15.0}
    assert rows[0].request["timestamps"][-1].startswith("2026-01-05")


def test_quantiles_are_bounds_and_the_half_is_the_forecast(client: Any) -> None:  # noqa: ANN401
    found = client.forecast(frame(), h=1, quantiles=[0.1, 0.5, 0.9], model="calibrated")
    columns = found[["TimeGPT-q-10", "TimeGPT-q-50", "TimeGPT-q-90"]]
    assert columns.to_numpy()[0].tolist() == [-2.0, 6.0, 14.0]


def test_frames_of_polars_are_forecast(client: Any) -> None:  # noqa: ANN401
    given = pl.DataFrame(frame().to_dict("list"))
    found = client.forecast(given, h=1, freq="1d", model="calibrated")
    assert found["TimeGPT"].to_list() == [6.0, 16.0]


def test_a_large_frame_is_sent_compressed(client: Any) -> None:  # noqa: ANN401
    names = [f"shop {number:04d}" for number in range(30_000)]
    rows = frame(3).iloc[:3]
    given = pd.concat([rows] * len(names), ignore_index=True)
    given["unique_id"] = np.repeat(names, 3)
    given["y"] = np.pi  # which takes 17 characters
    with pytest.raises(Exception, match=r"at most 100000 bytes once it is decompressed"):
        client.forecast(given, h=1, model="calibrated")


def test_earlier_origins_are_forecast(client: Any) -> None:  # noqa: ANN401
    found = client.cross_validation(frame(8), h=2, n_windows=2, level=[80], model="calibrated")
    north = found[found["unique_id"] == "north"]
    assert north["y"].tolist() == [5.0, 6.0, 7.0, 8.0]
    assert north["TimeGPT"].tolist() == [5.0, 6.0, 7.0, 8.0]
    assert [each.day for each in north["cutoff"]] == [4, 4, 6, 6]
    assert len(found) == 8
    assert found["TimeGPT-lo-80"].notna().all()


def test_the_history_can_be_added(client: Any) -> None:  # noqa: ANN401
    found = client.forecast(frame(8), h=1, add_history=True, model="calibrated")
    assert len(found) == 2 * (3 + 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "letters"}, "does not forecast series"),
        ({"model": "nobody"}, "there is no model 'nobody'"),
        ({"model": "calibrated", "level": [30]}, "there are none for 30"),
        ({"model": "prices", "level": [80]}, "prices@1 has no intervals"),
        ({"model": "calibrated", "finetune_steps": 3}, "finetune_steps: must be at most 0"),
        ({"model": "two-columns"}, "X: has 0 columns, but two-columns@1 reads levels beside Open"),
    ],
)
def test_what_is_refused_says_why(
    client: Any,  # noqa: ANN401
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(Exception, match=r"status_code: 4\d\d") as refused:
        client.forecast(frame(), h=1, **options)
    assert message in str(refused.value)


def test_the_other_columns_are_those_of_the_model(service: Service) -> None:
    series = {**body()["series"], "X": [[7.0] * 6]}
    answer = service.client.post(FORECAST, json=body(model="two-columns", h=1, series=series))
    assert answer.json()["mean"] == [3.5, 6.5]
    assert answer.json()["version"] == "two-columns@1"


def test_missing_values_are_left_out_where_there_are_times(service: Service) -> None:
    series = {"y": [1.0, 2.0, None, 4.0, 5.0, 6.0], "sizes": [6]}
    timed = {**series, "start_datetime": ["2026-01-01"]}
    answer = service.client.post(FORECAST, json=body(series=timed))
    assert answer.json()["mean"] == [7.0, 8.0]
    refused = service.client.post(FORECAST, json=body(series=series))
    assert refused.status_code == 400
    assert "series 0: has missing values" in error_in(refused)


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"series": {"y": [1.0, 2.0], "sizes": [3]}}, 400, "sizes: add up to 3"),
        ({"series": {"y": [1, 2, 3, 4], "sizes": [3, 1]}}, 422, "series 1: history"),
        ({"series": {**body()["series"], "X": [[1.0]]}}, 400, "X: has 1 columns"),
        ({"series": {**body()["series"], "start_datetime": ["x"]}}, 400, "1 times for 2 series"),
        ({"series": {"y": [1, 2, 3], "sizes": [3], "start_datetime": ["x"]}}, 400, "ISO form"),
        ({"multivariate": True}, 422, "multivariate"),
        ({"feature_contributions": 0}, 422, "must be true or false"),
        ({"number": 5}, 422, "number: is not a known field"),
        ({"h": 0}, 422, "h: must be at least 1"),
    ],
)
def test_a_wrong_request_is_refused_in_the_protocols_form(
    service: Service, changes: dict[str, object], status: int, message: str
) -> None:
    answer = service.client.post(FORECAST, json=body(**changes))
    assert answer.status_code == status
    assert message in error_in(answer)


def test_a_series_too_short_for_an_origin_is_named(service: Service) -> None:
    answer = service.client.post(CROSS_VALIDATION, json=body(n_windows=1))
    assert answer.status_code == 400
    assert "series 0: has 3 values; the model needs 3 before the 2" in error_in(answer)


@pytest.mark.parametrize("compress", [zstandard.compress, gzip.compress, zlib.compress])
def test_a_body_may_be_compressed(service: Service, compress: Callable[[bytes], bytes]) -> None:
    encoding = {zstandard.compress: "zstd", gzip.compress: "gzip"}.get(compress, "deflate")
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    content = compress(json.dumps(body()).encode())
    answer = service.client.post(FORECAST, content=content, headers=headers)
    assert answer.json()["mean"] == [4.5, 5.5, 7.5, 8.5]


@pytest.mark.parametrize("missing", [1, 20])
def test_a_body_that_is_no_zstd_is_refused(service: Service, missing: int) -> None:
    content = zstandard.compress(json.dumps(body()).encode())[:-missing]
    headers = {"Content-Type": "application/json", "Content-Encoding": "zstd"}
    answer = service.client.post(FORECAST, content=content, headers=headers)
    assert answer.status_code == 400
    assert "zstd" in error_in(answer)


def test_columns_known_ahead_come_first_and_have_values_ahead() -> None:
    version = cast("Loaded", SimpleNamespace(reach=SimpleNamespace(window=3)))
    described = persistence_artifact(features=("Open", "Volume", "promo")).manifest.series
    assert described is not None
    described = described.model_copy(update={"known": ("promo",)})
    series: dict[str, Any] = {"y": [1, 2, 3, 4], "sizes": [2, 2], "X": [[0, 1, 0, 1], [5, 6, 7, 8]]}
    ahead = {**series, "X_future": [[9, 8, 7, 6]]}
    asked = ForecastRequest.model_validate(body(series=ahead))
    columns = columns_of(asked, described, version)
    item = item_of(asked, columns, ends_of(asked)[1], "shop", version)
    assert item["history"] == {"Open": [3, 4], "promo": [0, 1], "Volume": [7, 8]}
    assert item["future"] == {"promo": [7, 6]}

    swapped = {**series, "X": series["X"][::-1]}
    tested = CrossValidationRequest.model_validate(
        body(series=swapped, h=1, n_windows=1, hist_exog=[0])
    )
    columns = columns_of(tested, described, version)
    origin = origins_of(tested, 1)[1]
    assert origin == Origin(series=1, start=2, cut=3)
    assert item_of(tested, columns, origin, "shop", version)["future"] == {"promo": [1]}

    without = ForecastRequest.model_validate(body(series=series))
    with pytest.raises(InvalidRequest, match="X_future: needs promo"):
        item_of(
            without,
            columns_of(without, described, version),
            Origin(series=0, start=0, cut=2),
            "shop",
            version,
        )


@pytest.mark.parametrize(
    ("alias", "frequency"),
    [
        ("D", "D"),
        ("W-SUN", "W"),
        ("QS-OCT", "QS"),
        ("15min", "15min"),
        ("1D", "1D"),
        ("M", "ME"),
        ("H", "h"),
        ("SM", None),
        ("", None),
    ],
)
def test_frequencies_are_those_of_pandas(alias: str, frequency: str | None) -> None:
    assert frequency_of(alias) == frequency


@pytest.mark.parametrize(
    ("start", "frequency", "last"),
    [
        ("2026-01-31", "ME", "2026-03-31"),
        ("2026-01-02", "B", "2026-01-06"),
        ("2026-01-01T22", "h", "2026-01-02T00:00:00"),
        ("2026-01-01T00:00:00+02:00", "D", "2026-01-03T00:00:00+02:00"),
    ],
)
def test_times_step_by_the_frequency(start: str, frequency: str, last: str) -> None:
    assert timestamps(start, frequency, 3)[-1] == last


def test_fine_tuning_is_a_training_whose_end_the_answer_waits_for(service: Service) -> None:
    # The training itself is that of the preset `tune`, which has tests of its own.
    client: Any = nixtla.NixtlaClient(api_key="any", base_url=service.url, max_retries=0)
    options: dict[str, Any] = {"finetune_steps": 3, "output_model_id": "tuned", "freq": "D"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.finetune, frame(30), **options)
        eventually(lambda: jobs_of(service, "tuned"))
        (job,) = jobs_of(service, "tuned")
        recipe = httpx.get(f"{service.url}/jobs/{job['id']}").json()["recipe"]
        assert (recipe["preset"], recipe["tune_epochs"]) == ("tune", 3)
        assert not waiting.done()
        httpx.post(f"{service.url}/jobs/{job['id']}/cancel").raise_for_status()
        with pytest.raises(Exception, match="was cancelled"):
            waiting.result()


def jobs_of(service: Service, model: str) -> list[Any]:
    found: list[Any] = httpx.get(f"{service.url}/jobs", params={"model": model}).json()["items"]
    return found


def test_a_name_that_is_taken_is_not_fine_tuned(service: Service) -> None:
    asked = body(model="timegpt-2.1", output_model_id="prices")
    asked["series"]["start_datetime"] = ["2026-01-01", "2026-01-01"]
    del asked["h"]
    assert "there is a model 'prices' already" in error_in(
        httpx.post(f"{service.url}/v2/finetune", json=asked)
    )


def test_what_cannot_be_fine_tuned_is_refused(service: Service) -> None:
    def refused(**changes: object) -> str:
        asked = body(**{"model": "timegpt-2.1"} | changes)
        del asked["h"]
        return error_in(httpx.post(f"{service.url}/v2/finetune", json=asked))

    assert "only timegpt… or universal can be fine-tuned" in refused(model="calibrated")
    assert "a training needs the time of each series' first row" in refused()
    assert "finetune_loss" in refused(finetune_loss="mae")
    wrong = {"y": [1.0], "sizes": [2], "start_datetime": ["2026-01-01"]}
    assert "sizes are of 2 values" in refused(series=wrong)
