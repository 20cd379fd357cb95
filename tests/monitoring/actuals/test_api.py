import json
from secrets import token_hex
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import event

from app.monitoring.actuals.items import LOOKED_UP_AT_ONCE
from tests.artifacts import persistence_artifact
from tests.monitoring.log import ask, follow, monitor
from tests.service import Service


def put(service: Service, *items: dict[str, Any]) -> httpx.Response:
    return service.client.post("/actuals", json={"items": items})


def kept(answer: httpx.Response) -> tuple[int, int, int, int]:
    assert answer.status_code == 200, answer.text
    counts = answer.json()
    return counts["new"], counts["changed"], counts["unchanged"], counts["matching"]


def figures(service: Service, model: str) -> tuple[int, float | None]:
    follow(service)
    (version,) = monitor(service, model)["versions"]
    return version["forecasts"], version["rmse"]


@pytest.fixture
def model(service: Service) -> str:
    name = f"prices-{uuid4().hex[:8]}"
    service.register(name, persistence_artifact(horizon=2))
    return name


def test_by_model_series_and_timestamp(service: Service, model: str) -> None:
    ask(service, [1, 2, 3], model=model, series="GOOG")  # 5 and 6 January
    follow(service)
    item = {"model": model, "series": "GOOG", "timestamp": "2017-01-05", "value": 7.0}
    assert kept(put(service, item)) == (1, 0, 0, 1)
    assert figures(service, model) == (1, 4.0)
    assert kept(put(service, item)) == (0, 0, 1, 1)
    assert kept(put(service, item | {"value": 4.0})) == (0, 1, 0, 1)
    assert figures(service, model) == (1, 1.0)
    listed = service.client.get(f"/models/{model}/actuals", params={"series": "GOOG"}).json()
    (actual,) = listed["items"]
    assert (actual["value"], actual["source"], actual["series"]) == (4.0, "explicit", "GOOG")


def test_an_actual_measures_predictions_that_come_after_it(service: Service, model: str) -> None:
    put(service, {"model": model, "timestamp": "2017-01-06", "value": 8.0})
    ask(service, [1, 2, 3], model=model)
    assert figures(service, model) == (1, 5.0)


@pytest.mark.parametrize(
    ("asked", "given", "meet"),
    [
        ("2017-01-04", "2017-01-05T00:00:00", True),
        ("2017-01-04T12:00:00", "2017-01-05 12:00", True),
        ("2017-01-04T12:00:00+01:00", "2017-01-05T11:00:00Z", True),
        ("2017-01-04T12:00:00+01:00", "2017-01-05T12:00:00", False),
    ],
)
def test_one_moment_in_two_spellings(
    service: Service, model: str, asked: str, given: str, *, meet: bool
) -> None:
    before = [asked.replace("-04", "-02"), asked.replace("-04", "-03")]
    answer = service.predict(model=model, history=[1, 2, 3], timestamps=[*before, asked])
    assert answer.status_code == 200, answer.text
    follow(service)
    item = {"model": model, "timestamp": given, "value": 4.0}
    assert kept(put(service, item)) == (1, 0, 0, int(meet))


def test_by_prediction(service: Service, model: str) -> None:
    answer = ask(service, [1, 2, 3], model=model)
    # The worker need not have read the prediction yet.
    assert kept(put(service, {"prediction": answer["id"], "step": 2, "value": 5.0}))[:3] == (
        1,
        0,
        0,
    )
    assert figures(service, model) == (1, 2.0)
    # It is an actual value of the series like any other, so a later prediction of that day meets
    # it.
    ask(service, [1, 2, 3, 3], model=model)
    assert figures(service, model)[0] == 3


def test_predictions_of_many_items_are_looked_up_together(service: Service, model: str) -> None:
    answers = [ask(service, [1, 2, 3], model=model) for _ in range(2)]
    items = [
        {"prediction": answers[number % 2]["id"], "step": 1 + number // 2 % 2, "value": 5.0}
        for number in range(3 * LOOKED_UP_AT_ONCE)
    ]
    lookups = []

    def count(*arguments: object) -> None:
        if "FROM predictions" in str(arguments[2]):
            lookups.append(arguments[2])

    engine = service.app.state.resources.engine
    event.listen(engine, "before_cursor_execute", count)
    answer = put(service, *items, {"prediction": str(uuid4()), "value": 1.0})
    event.remove(engine, "before_cursor_execute", count)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == f"items.{len(items)}.prediction"
    assert len(lookups) == 4
    assert kept(put(service, *items))[0] == 2


def test_without_timestamps_by_prediction_only(service: Service, model: str) -> None:
    answers = [service.predict(model=model, history=[1, 2, 3]).json() for _ in range(2)]
    put(service, {"prediction": answers[0]["id"], "value": 6.0})
    assert figures(service, model) == (1, 3.0)


def test_without_timestamps_the_list_says_which_step_a_value_is_of(service: Service) -> None:
    service.register("far", persistence_artifact(horizon=3))
    answer = service.predict(model="far", history=[1, 2, 3]).json()
    put(service, {"prediction": answer["id"], "step": 2, "value": 6.0})
    put(service, {"model": "far", "timestamp": "2017-01-06", "value": 7.0})
    listed = service.client.get("/models/far/actuals").json()["items"]
    assert [(each["timestamp"], each["step"]) for each in listed] == [
        ("2017-01-06", None),
        (None, 2),
    ]


def test_explicit_ones_stand_before_implied_ones(service: Service, model: str) -> None:
    ask(service, [1, 2, 3], model=model)
    put(service, {"model": model, "timestamp": "2017-01-05", "value": 5.0})
    ask(service, [1, 2, 3, 9], model=model)
    assert figures(service, model) == (1, 2.0)
    put(service, {"model": model, "timestamp": "2017-01-05", "value": 4.0})
    assert figures(service, model) == (1, 1.0)


def test_what_is_wrong_is_named_and_nothing_is_kept(service: Service, model: str) -> None:
    text = service.predict(model="belling-the-cat", text="long ago ,").json()
    series = ask(service, [1, 2, 3], model=model)
    good = {"model": model, "timestamp": "2017-01-05", "value": 1.0}
    wrong = [
        ({"timestamp": "2017-01-05", "value": 1.0}, "model", "is required"),
        ({"model": model, "value": 1.0}, "timestamp", "is required"),
        ({**good, "model": "nobody"}, "model", "no model 'nobody'"),
        ({**good, "model": "belling-the-cat"}, "model", "is a model for text"),
        ({**good, "timestamp": "tomorrow"}, "timestamp", "is not an ISO time"),
        ({**good, "step": 1}, "step", "applies to a prediction"),
        ({"prediction": str(uuid4()), "value": 1.0}, "prediction", "no prediction"),
        ({"prediction": text["id"], "value": 1.0}, "value", "continued a text"),
        ({"prediction": series["id"], "step": 3, "value": 1.0}, "step", "has 2 steps"),
        ({"prediction": series["id"], "model": model, "value": 1.0}, "model", "leave it out"),
        ({**good, "value": 2.0}, None, "contradicts"),
    ]
    for item, field, message in wrong:
        answer = put(service, good, item)
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["field"] == ("items.1" if field is None else f"items.1.{field}")
        assert message in error["message"]
    assert service.client.get(f"/models/{model}/actuals").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"items": []}', 422),
        (b'{"items": [{"model": "google-stock", "timestamp": "2017-01-05"}]}', 422),
        (b'{"items": [{"model": "m", "timestamp": "2017-01-05", "value": NaN}]}', 422),
        (b'{"items": [{"model": "m", "timestamp": "2017-01-05", "value": "1"}]}', 422),
        (b'{"items": [{"model": "m", "timestamp": "2017-01-05", "value": 1, "x": 1}]}', 422),
        (b'{"items": [{"model": "m\\u0000", "timestamp": "2017-01-05", "value": 1}]}', 422),
    ],
)
def test_a_body_that_is_not_right(service: Service, body: bytes, status: int) -> None:
    answer = service.client.post(
        "/actuals", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_file(service: Service, model: str) -> None:
    ask(service, [1, 2, 3], model=model)
    file = b'Date,Open,Volume\n1/5/2017,"1,003.5",7\n1/6/2017,4,8\n1/9/2017,5,9\n'
    answer = service.client.post(
        "/actuals", files={"file": ("january.csv", file)}, data={"model": model}
    )
    assert kept(answer)[:3] == (3, 0, 0)
    forecasts, rmse = figures(service, model)
    assert forecasts == 2
    assert rmse == pytest.approx(((1003.5 - 3) ** 2 / 2 + 1 / 2) ** 0.5)


def test_a_file_that_names_its_series(service: Service, model: str) -> None:
    ask(service, [1, 2, 3], model=model, series="GOOG")
    rows = ["time,name,value"]
    for name, values in {"GOOG": (5, 6, 7), "AAPL": (8, 9, 10)}.items():
        rows += [f"2017-01-0{5 + day},{name},{value}" for day, value in enumerate(values)]
    answer = service.client.post(
        "/actuals", files={"file": ("all.csv", "\n".join(rows).encode())}, data={"model": model}
    )
    assert kept(answer)[0] == 6
    assert figures(service, model)[0] == 2


@pytest.mark.parametrize(
    ("file", "said", "field", "message"),
    [
        (b"value\n1\n2\n3\n4\n", {}, "file", "has no times"),
        (b"Date,a,b\n2017-01-05,1,2\n2017-01-06,2,3\n", {}, "target", "name one of a, b"),
        (b"Date,a\n2017-01-05,1\n2017-01-06,2\n", {"target": "c"}, "target", "no column 'c'"),
        (b"", {}, "file", "is empty"),
        (b"Date,a\n2017-01-05,1\n2017-01-06,2\n", {"model": "nobody"}, "model", "no model"),
    ],
)
def test_a_file_that_does_not_say_enough(
    service: Service, file: bytes, said: dict[str, str], field: str, message: str
) -> None:
    answer = service.client.post(
        "/actuals", files={"file": ("f.csv", file)}, data={"model": "google-stock"} | said
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert message in json.dumps(answer.json())


def test_a_file_whose_series_no_prediction_can_name(service: Service) -> None:
    """A database index has no room for such a name, which used to be a 503."""
    names = [token_hex(5_000), "b"]
    rows = [f"2017-01-0{5 + day},{name},{day}" for name in names for day in range(3)]
    file = "\n".join(["time,name,value", *rows]).encode()
    answer = service.client.post(
        "/actuals", files={"file": ("all.csv", file)}, data={"model": "google-stock"}
    )
    assert answer.status_code == 422, answer.text
    assert "a name of 10,000 characters" in answer.json()["errors"][0]["message"]
    assert len(answer.text) < 1000


def actuals_of(service: Service, model: str, prediction: str) -> list[tuple[int, float]]:
    parameters = {"prediction": prediction}
    answer = service.client.get(f"/models/{model}/actuals", params=parameters)
    assert answer.status_code == 200, answer.text
    return [(each["step"], each["value"]) for each in answer.json()["items"]]


def test_the_actuals_of_one_prediction(service: Service, model: str) -> None:
    """They are found before their forecasts are read from the log, and in any spelling of times."""
    answer = ask(service, [1, 2, 3], model=model)  # 5 and 6 January
    ask(service, [1, 2, 3], model=model, series="GOOG")
    assert actuals_of(service, model, answer["id"]) == []
    put(
        service,
        {"model": model, "timestamp": "2017-01-06T00:00:00", "value": 8.0},
        {"model": model, "timestamp": "2017-01-07", "value": 9.0},
        {"model": model, "timestamp": "2017-01-06", "series": "GOOG", "value": 10.0},
    )
    assert actuals_of(service, model, answer["id"]) == [(2, 8.0)]
    follow(service)
    ask(service, [1, 2, 3, 7], model=model)  # is the actual value of 5 January
    follow(service)
    assert actuals_of(service, model, answer["id"]) == [(1, 7.0), (2, 8.0)]


def test_the_actuals_of_a_prediction_without_timestamps(service: Service, model: str) -> None:
    answers = [service.predict(model=model, history=[1, 2, 3]).json() for _ in range(2)]
    put(service, {"prediction": answers[0]["id"], "step": 2, "value": 6.0})
    assert actuals_of(service, model, answers[0]["id"]) == [(2, 6.0)]
    assert actuals_of(service, model, answers[1]["id"]) == []


def test_a_forecast_that_in_utc_is_past_the_last_year_has_no_actual(
    service: Service, model: str
) -> None:
    days = [f"9999-12-{day}T23:30:00-05:00" for day in (28, 29, 30)]
    answer = service.predict(model=model, history=[1, 2, 3], timestamps=days).json()
    refused = put(service, {"prediction": answer["id"], "value": 4.0})
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["field"] == "items.0.step"
    assert actuals_of(service, model, answer["id"]) == []


def test_the_actuals_of_a_prediction_that_the_model_has_not(service: Service, model: str) -> None:
    def status(of: str, **parameters: str) -> int:
        return service.client.get(f"/models/{of}/actuals", params=parameters).status_code

    series = ask(service, [1, 2, 3], model=model)["id"]
    assert status("google-stock", prediction=series) == 404
    assert status(model, prediction=str(uuid4())) == 404
    assert status(model, prediction=series, series="GOOG") == 422
    text = service.predict(model="belling-the-cat", text="long ago ,").json()["id"]
    assert actuals_of(service, "belling-the-cat", text) == []


def test_the_list_comes_in_pages(service: Service, model: str) -> None:
    for day in range(1, 6):
        put(service, {"model": model, "timestamp": f"2017-02-0{day}", "value": day})
    seen: list[float] = []
    cursor = None
    while True:
        page = service.client.get(
            f"/models/{model}/actuals",
            params={"limit": 2} | ({} if cursor is None else {"cursor": cursor}),
        ).json()
        seen += [actual["value"] for actual in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [5.0, 4.0, 3.0, 2.0, 1.0]
    assert service.client.get("/models/nobody/actuals").status_code == 404
