"""Forecast all series of a dataset over HTTP, with the real reader."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from app.erasure.store import erase_old_runs
from app.registry.shipped import import_shipped
from tests.artifacts import persistence_artifact, window_text_artifact
from tests.database import own_database
from tests.service import Service, running_service

DAYS = [f"2026-03-{day:02d}" for day in range(2, 7)]
# `short` has fewer rows than the version needs.
ROWS = [
    *(("north", day, 10.0 + place) for place, day in enumerate(DAYS)),
    *(("south", day, 50.0 + place) for place, day in enumerate(DAYS)),
    ("short", DAYS[0], 7.0),
    ("short", DAYS[1], 8.0),
]
FILE = "shop,date,Open\n" + "".join(f"{shop},{day},{value}\n" for shop, day, value in ROWS)


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("forecast_runs")
    with own_database(cluster) as url, running_service(url, folder) as running:
        running.register("shops", persistence_artifact(window=3, horizon=2, step=1.0))
        running.register("fable", window_text_artifact())
        yield running


@pytest.fixture(scope="module")
def dataset(service: Service) -> str:
    answer = service.client.post("/datasets", files={"file": ("shops.csv", FILE.encode())})
    assert answer.status_code in {200, 201}, answer.text
    found: str = answer.json()["id"]
    return found


def test_numbers_are_those_of_predict_and_no_series_is_dropped(
    service: Service, dataset: str
) -> None:
    answer = service.client.post("/models/shops/forecast", json={"dataset": dataset})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    steps = [each for each in told["forecasts"] if each["unique_id"] == "south"]
    single = service.predict(model="shops", dataset=dataset, series="south").json()["predictions"]
    assert [(each["ds"], each["value"]) for each in steps] == [
        (each["timestamp"], each["value"]) for each in single
    ]
    assert (told["model"], told["version"]) == ("shops", 1)
    assert (told["series"], told["failed"], told["rows"], told["horizon"]) == (3, 1, 5, 2)
    (failed,) = [each for each in told["forecasts"] if each["unique_id"] == "short"]
    assert failed["step"] is None
    assert "has 2 values" in failed["error"]
    assert told["errors"] == [{"message": failed["error"], "series": 1, "example": "short"}]


def test_a_run_is_logged_once_with_its_counts(service: Service, dataset: str) -> None:
    asked = {"dataset": dataset, "series": ["north"], "horizon": 4}
    answer = service.client.post(
        "/models/shops@1/forecast", json=asked, headers={"Accept": "text/csv"}
    )
    table = [*csv.DictReader(io.StringIO(answer.text))]
    assert [row["step"] for row in table] == ["1", "2", "3", "4"]
    assert {row["unique_id"] for row in table} == {"north"}
    logged = service.client.get("/models/shops/forecasts", params={"limit": 1}).json()["items"][0]
    assert logged["id"] == answer.headers["X-Run-Id"]
    assert (logged["series"], logged["rows"], logged["failed"]) == (1, 4, 0)
    assert logged["dataset"] == dataset
    assert logged["warnings"][0]["example"] == "north"


def test_a_file_is_forecast_into_parquet(service: Service) -> None:
    answer = service.client.post(
        "/models/shops/forecast",
        files={"file": ("more.csv", FILE.replace("south", "west").encode())},
        data={"order": json.dumps({"levels": [80]})},
        headers={"Accept": "application/vnd.apache.parquet"},
    )
    assert answer.status_code == 200, answer.text
    table = pq.read_table(io.BytesIO(answer.content)).to_pydict()
    assert [*table][:4] == ["unique_id", "step", "ds", "shops"]
    assert sorted(set(table["unique_id"])) == ["north", "short", "west"]
    # This version has no intervals: the columns are there, and empty.
    assert set(table["shops-lo-80"]) == {None}
    assert sum(error is not None for error in table["error"]) == 1


@pytest.mark.parametrize(
    ("model", "order", "status", "told"),
    [
        ("shops", {"series": ["nowhere"]}, 422, "no series 'nowhere'"),
        ("shops", {"target": "Open"}, 422, "is for `universal`"),
        ("fable", {}, 422, "a model for text"),
        ("nothing", {}, 404, "no model"),
        ("shops", {"horizon": 0}, 422, "horizon"),
    ],
)
def test_what_cannot_be_forecast_is_refused(
    service: Service, dataset: str, *, model: str, order: dict[str, object], status: int, told: str
) -> None:
    answer = service.client.post(f"/models/{model}/forecast", json={"dataset": dataset, **order})
    assert answer.status_code == status, answer.text
    assert told in answer.text


def test_runs_go_when_they_are_old(service: Service, dataset: str) -> None:
    assert service.client.post("/models/shops/forecast", json={"dataset": dataset}).is_success
    with service.sessions.begin() as session:
        assert erase_old_runs(session, until=datetime.now(UTC) - timedelta(days=1)) == 0
        assert erase_old_runs(session, until=datetime.now(UTC)) >= 1
    assert service.client.get("/models/shops/forecasts").json()["items"] == []


def test_names_that_no_request_may_have_and_formulas_come_out_in_a_csv(service: Service) -> None:
    rows = [(name, day, value) for name, day, value in ROWS if name != "short"]
    names = {"north": "n" * 250, "south": "=1+1"}
    table = "".join(f"{names[name]},{day},{value}\n" for name, day, value in rows)
    answer = service.client.post(
        "/models/shops/forecast",
        files={"file": ("names.csv", f"shop,date,Open\n{table}".encode())},
        headers={"Accept": "text/csv"},
    )
    found = {row["unique_id"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    assert "series: must have at most 200 characters" in found["n" * 250]["error"]
    assert found["'=1+1"]["shops"] == "56.0"


def test_universal_does_not_guess_which_column_is_meant(service: Service) -> None:
    with service.sessions.begin() as session:
        import_shipped(session, service.store)
    constant = "date,level\n" + "".join(f"{day},5\n" for day in DAYS)
    upload = {"file": ("constant.csv", constant.encode())}
    refused = service.client.post("/models/universal/forecast", files=upload)
    assert refused.status_code == 422, refused.text
    assert "no column of the dataset looks like a measurement" in refused.json()["detail"]
    named = {"order": json.dumps({"target": "level", "horizon": 1})}
    answer = service.client.post("/models/universal/forecast", files=upload, data=named)
    assert [each["value"] for each in answer.json()["forecasts"]] == [5.0]
