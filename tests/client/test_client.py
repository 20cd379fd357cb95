"""The Python client against a running api, and a fake one for what a real one rarely does."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import polars as pl
import pytest
from sqlalchemy import select

import stepahead
from app.storage.tables import Prediction
from stepahead import forecasting, job
from tests.artifacts import persistence_artifact, stream_text_artifact, tenths_of_level
from tests.database import own_database
from tests.service import Service, running_service

DAYS = [date(2026, 1, 1) + timedelta(days=day) for day in range(4)]
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("client")
    with own_database(cluster) as url, running_service(url, folder) as running:
        running.register(
            "shops",
            persistence_artifact(
                frequency="D", horizon=2, step=1.0, intervals=tenths_of_level(steps=2)
            ),
        )
        running.register("two-columns", persistence_artifact(features=("Open", "Volume")))
        running.register("letters", stream_text_artifact())
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[stepahead.Client]:
    with stepahead.Client(service.url) as made:
        yield made


def made_up(handler: Handler, *, key: str | None = None) -> stepahead.Client:
    return stepahead.Client("http://made.up", key=key, transport=httpx.MockTransport(handler))


def shops(names: Sequence[str] = ("b", "a")) -> dict[str, list[Any]]:
    """Two shops in the wrong order: 1, 2, 3, 4 and 11, 12, 13, 14."""
    return {
        "unique_id": [name for name in names for _ in DAYS],
        "ds": DAYS * len(names),
        "y": [10.0 * shop + day for shop in range(len(names)) for day in range(1, 5)],
    }


def test_predict_asks_one_question(client: stepahead.Client) -> None:
    answer = client.predict("shops", history=[1.0, 2.0, 3.0], horizon=1)
    assert answer["predictions"][0]["value"] == 4.0
    assert client.predict("letters", text="ab")["text"] == "abc"


def test_a_pandas_frame_is_forecast_series_by_series(client: stepahead.Client) -> None:
    frame = pd.DataFrame(shops()).assign(ds=lambda rows: pd.to_datetime(rows["ds"]))
    found = client.forecast(frame, model="shops@1", levels=[80])
    assert isinstance(found, pd.DataFrame)
    assert list(found.columns) == ["unique_id", "ds", "shops", "shops-lo-80", "shops-hi-80"]
    assert found["unique_id"].tolist() == ["a", "a", "b", "b"]
    assert found["ds"].dtype == frame["ds"].dtype
    assert found["ds"].tolist() == [pd.Timestamp("2026-01-05"), pd.Timestamp("2026-01-06")] * 2
    assert found["shops"].tolist() == [15.0, 16.0, 5.0, 6.0]
    assert found["shops-lo-80"].tolist() == [7.0, 8.0, -3.0, -2.0]


def test_a_polars_frame_gives_a_polars_frame(client: stepahead.Client) -> None:
    found = client.forecast(pl.DataFrame(shops()), model="shops", horizon=1)
    assert isinstance(found, pl.DataFrame)
    assert found.to_dict(as_series=False) == {
        "unique_id": ["a", "b"],
        "ds": [date(2026, 1, 5)] * 2,
        "shops": [15.0, 5.0],
    }


@pytest.mark.parametrize(
    ("times", "following"),
    [
        ([str(day) for day in DAYS], "2026-01-05"),
        ([1, 2, 3, 4], 5),
        (
            [datetime(2026, 1, day, 12, tzinfo=UTC) for day in range(1, 5)],
            datetime(2026, 1, 5, 12, tzinfo=UTC),
        ),
    ],
)
def test_times_come_back_as_they_were_given(
    client: stepahead.Client, times: list[object], following: object
) -> None:
    frame = pl.DataFrame({"ds": times, "y": [1.0, 2.0, 3.0, 4.0]})
    found = client.forecast(frame, model="shops", horizon=1)
    assert found.columns == ["ds", "shops"]  # no ids in, none out
    assert found["ds"].dtype == frame["ds"].dtype
    assert found["ds"].to_list() == [following]


def test_a_version_of_several_columns_reads_them_all(client: stepahead.Client) -> None:
    frame = pl.DataFrame({"ds": [1, 2, 3], "y": [1.0, 2.0, 3.5], "Volume": [7, 8, 9]})
    found = client.forecast(frame, model="two-columns")
    assert found["two-columns"].to_list() == [3.5]  # of Open, which y stands for


def test_the_series_are_logged_under_their_names(
    service: Service, client: stepahead.Client
) -> None:
    client.forecast(pl.DataFrame(shops(["logged"])), model="shops")
    with service.sessions() as session:
        logged = session.scalars(select(Prediction).where(Prediction.series == "logged")).one()
    assert logged.request["timestamps"] == [str(day) for day in DAYS]


def test_many_series_are_asked_in_batches(
    client: stepahead.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasting, "MOST_ITEMS", 7)
    names = [f"shop-{number:02}" for number in range(30)]
    found = client.forecast(pl.DataFrame(shops(names)), model="shops", horizon=1)
    assert found["unique_id"].to_list() == names
    assert found["shops"].to_list() == [10.0 * shop + 5 for shop in range(30)]


def test_series_that_fail_are_named_and_the_others_kept(client: stepahead.Client) -> None:
    frame = pl.DataFrame(shops())
    short = frame.filter((pl.col("unique_id") == "a") | (pl.col("ds") < date(2026, 1, 3)))
    with pytest.raises(stepahead.ForecastFailed, match=r"'b': history: .* at least 3") as failed:
        client.forecast(short, model="shops", horizon=1)
    assert failed.value.problems["b"]["status"] == 422
    assert isinstance(failed.value.forecasts, pl.DataFrame)
    assert failed.value.forecasts["unique_id"].to_list() == ["a"]


def test_what_weakens_the_forecasts_is_a_warning(client: stepahead.Client) -> None:
    with pytest.warns(stepahead.ForecastWarning, match=r"^2 series: horizon 3 is past the trained"):
        client.forecast(pl.DataFrame(shops()), model="shops", horizon=3)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"y": [1.0]}, "has no column 'ds': it needs 'ds' and 'y'"),
        ({"ds": [1], "y": ["a"]}, "the column 'y' is String; it must be numeric"),
        ({"ds": [1, None], "y": [1.0, 2.0]}, "has no time in 'ds'"),
        ({"ds": [1, 2], "y": [1.0, None]}, "there is no value at ds 2"),
        ({"ds": ["2026-01-01"], "y": [float("nan")]}, "has no row with values"),
    ],
)
def test_a_frame_that_cannot_be_read_is_named(
    client: stepahead.Client, frame: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        client.forecast(pl.DataFrame(frame), model="shops")


def test_a_dataset_is_forecast_by_its_id(service: Service, client: stepahead.Client) -> None:
    csv = pd.DataFrame(shops()).to_csv(index=False)
    upload = {"file": ("shops.csv", csv.encode())}
    read = {"read": '{"series": "unique_id", "date": "ds"}'}
    dataset = service.client.post("/datasets", files=upload, data=read).json()
    service.register("y-shops", persistence_artifact(features=("y",), frequency="D"))
    with pytest.warns(stepahead.ForecastWarning, match=r"^2 series: horizon 2 is past"):
        found = client.forecast(dataset["id"], model="y-shops", horizon=2)
    assert list(found.columns) == ["unique_id", "ds", "y-shops"]
    assert found["unique_id"].tolist() == ["b", "b", "a", "a"]  # as in the file
    assert found["ds"].tolist() == ["2026-01-05", "2026-01-06"] * 2
    assert found["y-shops"].tolist() == [4.0, 4.0, 14.0, 14.0]


def test_names_that_look_like_formulas_come_back_as_they_are(
    service: Service, client: stepahead.Client
) -> None:
    names = {"a": "=1+1", "b": "-5"}
    frame = pd.DataFrame(shops()).replace({"unique_id": names})
    upload = {"file": ("formulas.csv", frame.to_csv(index=False).encode())}
    read = {"read": '{"series": "unique_id", "date": "ds"}'}
    dataset = service.client.post("/datasets", files=upload, data=read).json()["id"]
    service.register("y-formulas", persistence_artifact(features=("y",), frequency="D"))
    found = client.forecast(dataset, model="y-formulas")
    assert set(found["unique_id"]) == set(names.values())


def test_a_dataset_s_series_that_fail_are_named(service: Service, client: stepahead.Client) -> None:
    rows = [row for row in zip(*shops().values(), strict=True) if row[0] == "a" or row[2] < 2]
    csv = pd.DataFrame(rows, columns=list(shops())).to_csv(index=False)
    upload = {"file": ("few.csv", csv.encode())}
    dataset = service.client.post("/datasets", files=upload).json()["id"]
    service.register("y-few", persistence_artifact(features=("y",), frequency="D"))
    with pytest.raises(stepahead.ForecastFailed, match=r"'b': .* at least") as failed:
        client.forecast(dataset, model="y-few")
    assert isinstance(failed.value.forecasts, pd.DataFrame)
    assert failed.value.forecasts["unique_id"].tolist() == ["a"]


def test_actuals_are_stored_by_series_and_time(service: Service, client: stepahead.Client) -> None:
    seen = pl.DataFrame({"unique_id": ["seen", "seen"], "ds": DAYS[:2], "y": [5.5, 6.5]})
    kept = client.actuals(seen, model="shops")
    assert (kept["new"], kept["unchanged"]) == (2, 0)
    listed = service.client.get("/models/shops/actuals", params={"series": "seen"}).json()["items"]
    assert {item["timestamp"]: item["value"] for item in listed} == {
        "2026-01-01": 5.5,
        "2026-01-02": 6.5,
    }


def test_a_problem_is_an_exception_that_carries_it(client: stepahead.Client) -> None:
    with pytest.raises(stepahead.Refused, match="there is no model 'nobody'") as refused:
        client.predict("nobody", history=[1.0])
    assert refused.value.status == 404
    assert refused.value.problem["title"] == "Not found"
    assert refused.value.request_id


def test_nothing_at_the_address_is_told(free_port: str) -> None:
    with (
        stepahead.Client(f"http://127.0.0.1:{free_port}") as nobody,
        pytest.raises(stepahead.NotReachable, match=f"no service answers at .*{free_port}"),
    ):
        nobody.predict("shops", history=[1.0])


def test_somebody_else_at_the_address_is_told() -> None:
    with (
        made_up(lambda _: httpx.Response(404, text="<html>")) as other,
        pytest.raises(stepahead.Refused, match="answers, but not as Stepahead does"),
    ):
        other.predict("shops", history=[1.0])


def test_the_key_is_sent() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json={})

    with made_up(handler, key="secret") as guarded:
        guarded.predict("shops", history=[1.0])
    assert seen == ["Bearer secret"]


def test_what_the_service_is_too_busy_for_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "BUSY_SECONDS", 0.0)
    steps = {"step": 1, "value": 5.0, "timestamp": None, "intervals": None}
    answer = {"predictions": [steps], "warnings": []}
    busy = {"error": {"status": 503, "detail": "busy"}}
    answers = iter(
        [
            httpx.Response(503, headers={"Retry-After": "0"}, json={"title": "x"}),
            httpx.Response(200, json={"items": [answer, busy]}),
            httpx.Response(200, json={"items": [answer]}),
        ]
    )
    frame = pl.DataFrame({"unique_id": ["a", "b"], "ds": [1, 1], "y": [1.0, 2.0]})
    with made_up(lambda _: next(answers)) as client:
        assert client.forecast(frame, model="shops")["shops"].to_list() == [5.0, 5.0]
    assert next(answers, None) is None


def test_a_training_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "POLL_SECONDS", 0.0)
    seen: list[httpx.Request] = []
    states = iter(["queued", "running", "succeeded"])

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        status = next(states)
        state = {"id": "j", "model": "shops", "status": status, "progress": {}, "version": 3}
        return httpx.Response(200, json=state)

    with made_up(handler) as client:
        trained = client.train(pl.DataFrame(shops()), name="shops", epochs=5).wait(progress=True)
    assert trained.version == 3
    form = seen[0].read().decode()
    assert '{"epochs": 5}' in form
    assert '{"date": "ds", "series": "unique_id"}' in form
    assert "unique_id,ds,y\na,2026-01-01,11.0\n" in form
    assert [request.url.path for request in seen[1:]] == ["/jobs/j", "/jobs/j"]


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_training_that_fails_is_an_exception(status: str) -> None:
    state = {"id": "j", "model": "m", "status": status, "error": {"detail": "too few rows"}}
    with (
        made_up(lambda _: httpx.Response(202, json=state)) as client,
        pytest.raises(stepahead.JobFailed, match=f"job j {status}. too few rows") as failed,
    ):
        client.train(pl.DataFrame(shops()), name="m").wait()
    assert failed.value.job == state


def test_a_file_is_accepted_for_training(
    service: Service, client: stepahead.Client, tmp_path: Path
) -> None:
    file = tmp_path / "prices.csv"
    rows = "".join(f"2026-01-{day:02},{day}.5,1\n" for day in range(1, 31))
    file.write_text("Date,Price,Volume\n" + rows)
    ordered = client.train(file, name="prices", target="Price", preset="default", epochs=1)
    assert ordered.status == "queued"
    assert ordered.state["target"] == "Price"
    assert ordered.cancel().status == "cancelled"
    assert service.client.get(f"/jobs/{ordered.id}").json()["status"] == "cancelled"
