from typing import Any

import numpy as np
import pytest

from tests.explanations.versions import COLUMNS, HORIZON, ROWS, WINDOW, series_version
from tests.service import Service

EFFECT = 0.5
HISTORY = {name: ROWS[-WINDOW:, place].tolist() for place, name in enumerate(COLUMNS)}


@pytest.fixture(autouse=True)
def versions(service: Service) -> None:
    for name, anchor in (("planned", "autoregression"), ("in-logarithms", "average")):
        effect = EFFECT if anchor == "autoregression" else EFFECT / 100
        service.register(
            name,
            series_version(
                "lstm",
                "window",
                "autoregression" if anchor == "autoregression" else "average",
                effect=effect,
            ),
        )


def forecast(service: Service, **body: object) -> list[float]:
    answer = service.predict(**{"model": "planned", "history": HISTORY, **body})
    assert answer.status_code == 200, answer.text
    return [step["value"] for step in answer.json()["predictions"]]


def errors(service: Service, **body: object) -> list[dict[str, Any]]:
    answer = service.predict(**{"model": "planned", "history": HISTORY, **body})
    assert answer.status_code == 422, answer.text
    found: list[dict[str, Any]] = answer.json()["errors"]
    return found


def test_what_is_planned_moves_its_step(service: Service) -> None:
    nothing = forecast(service, future={"volume": [0.0, 0.0]})
    second = forecast(service, future={"volume": [0.0, 10.0]})
    assert np.subtract(second, nothing) == pytest.approx([0.0, 10 * EFFECT])


def test_in_logarithms_it_multiplies(service: Service) -> None:
    # The network adds to it the same in both, so what both say is compared step by step.
    nothing = forecast(service, model="in-logarithms", future={"volume": [0.0, 0.0]})
    first = forecast(service, model="in-logarithms", future={"volume": [10.0, 0.0]})
    assert first[1] == nothing[1]
    assert first[0] != pytest.approx(nothing[0])


def test_missing_values_are_named(service: Service) -> None:
    (error,) = errors(service)
    assert error["field"] == "future.volume"
    assert error["message"].startswith("has 0 of the 2 values that are needed")
    (error,) = errors(service, future={"volume": [1.0]})
    assert error["message"].startswith("has 1 of the 2 values")
    assert len(forecast(service, future={"volume": [1.0]}, horizon=1)) == 1
    unknown, _ = errors(service, future={"sales": [1.0, 2.0]})
    assert unknown["field"] == "future.sales"
    assert "those are volume" in unknown["message"]


def test_past_the_trained_horizon_the_plan_goes_on(service: Service) -> None:
    later = [1.0, 2.0, 3.0, 4.0, 5.0]
    answer = service.predict(
        model="planned", history=HISTORY, future={"volume": later}, horizon=5
    ).json()
    values = [step["value"] for step in answer["predictions"]]
    assert answer["warnings"] == ["horizon 5 is past the trained 2: forecasts are fed back"]
    # The same, with the first forecasts sent as history.
    known = {"volume": [*HISTORY["volume"], 1.0, 2.0], "price": [*HISTORY["price"], *values[:2]]}
    again = forecast(service, history=known, future={"volume": later[2:]}, horizon=3)
    assert again == pytest.approx(values[2:])
    (error,) = errors(service, future={"volume": later[:4]}, horizon=5)
    assert error["message"].startswith("has 4 of the 5 values")


def test_a_version_without_known_columns_takes_none(service: Service) -> None:
    (error,) = errors(service, model="google-stock", history=[1.0] * 3, future={"volume": [1.0]})
    assert "has no columns known ahead" in error["message"]


def test_a_dataset_brings_its_own(service: Service) -> None:
    plans = np.concatenate((ROWS[:, 0], [7.0, 9.0]))
    prices = [*map(str, ROWS[:, 1]), "", ""]
    lines = [f"{volume},{price}" for volume, price in zip(plans, prices, strict=True)]
    file = "\n".join(["volume,price", *lines]).encode()
    uploaded = service.client.post("/datasets", files={"file": ("plans.csv", file)})
    assert uploaded.status_code == 201, uploaded.text
    asked = {"model": "planned", "dataset": uploaded.json()["id"], "history": None}
    answer = service.predict(**{name: value for name, value in asked.items() if value})
    assert answer.status_code == 200, answer.text
    given = [step["value"] for step in answer.json()["predictions"]]
    assert given == pytest.approx(forecast(service, future={"volume": [7.0, 9.0]}))


def test_items_of_a_batch_have_futures_of_their_own(service: Service) -> None:
    items = [
        {"model": "planned", "history": HISTORY, "future": {"volume": [0.0, volume]}}
        for volume in (0.0, 10.0, 20.0)
    ]
    answers = service.client.post("/predict/batch", json={"items": items}).json()["items"]
    steps = [answer["predictions"][HORIZON - 1]["value"] for answer in answers]
    assert np.diff(steps) == pytest.approx([10 * EFFECT] * 2)


def test_an_explanation_adds_up_to_the_prediction(service: Service) -> None:
    for name in ("planned", "in-logarithms"):
        asked = {"model": name, "history": HISTORY, "future": {"volume": [3.0, 8.0]}}
        explained = service.client.post("/explain", json=asked)
        assert explained.status_code == 200, explained.text
        assert explained.json()["forecasts"] == pytest.approx(forecast(service, **asked), abs=1e-3)
