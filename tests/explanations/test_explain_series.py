import itertools
from typing import Any, Literal

import numpy as np
import pytest

from app.recipes.recipe import Activation, AnchorName, Cell
from tests.explanations.versions import (
    COLUMNS,
    HORIZON,
    ROWS,
    SEASON,
    WINDOW,
    Scaling,
    series_version,
)
from tests.service import Service

CELLS: tuple[Cell, ...] = ("lstm", "gru", "rnn")
SCALINGS: tuple[Scaling, ...] = ("minmax", "standard", "window")
HISTORY = {name: column.tolist() for name, column in zip(COLUMNS, ROWS[-12:].T, strict=True)}
GATES = {
    "lstm": {"input", "forget", "candidate", "output"},
    "gru": {"update", "reset", "candidate"},
    "rnn": {"candidate"},
}


def explained(service: Service, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = service.client.post("/explain", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def predicted(service: Service, **body: object) -> list[float]:
    answer = service.predict(**body)
    assert answer.status_code == 200, answer.text
    return [step["value"] for step in answer.json()["predictions"]]


def total(found: dict[str, Any]) -> float:
    influence = sum(sum(step["influence"].values()) for step in found["inputs"])
    parts = ("baseline", "earlier", "gap", "raised")
    return float(found["anchor"]["value"] + influence + sum(found[part] for part in parts))


def test_a_forecast_raised_to_the_least_is_told_apart(service: Service) -> None:
    service.register("free", series_version("lstm", "window", "autoregression"))
    first, second = predicted(service, model="free", history=HISTORY)
    least = (first + second) / 2  # between the steps, one of them is raised
    service.register("raised", series_version("lstm", "window", "autoregression", at_least=least))
    told = predicted(service, model="raised", history=HISTORY)
    assert told == [max(first, least), max(second, least)]
    for ahead, free in ((1, first), (2, second)):
        found = explained(service, model="raised", history=HISTORY, ahead=ahead)
        assert found["value"] == pytest.approx(told[ahead - 1], rel=1e-6)
        assert found["raised"] == pytest.approx(max(0.0, least - free), abs=1e-4)
        assert total(found) == pytest.approx(found["value"], rel=1e-9)


@pytest.mark.parametrize(
    ("cell", "scaling", "anchor"),
    [
        *itertools.product(CELLS, SCALINGS, ("none", "persistence")),
        *itertools.product(
            CELLS[:1], SCALINGS, ("season", "season-change", "autoregression", "average")
        ),
    ],
)
def test_equals_the_prediction_and_adds_up(
    service: Service, cell: Cell, scaling: Scaling, anchor: AnchorName | Literal["none"]
) -> None:
    name = f"{cell}-{scaling}-{anchor}"
    service.register(name, series_version(cell, scaling, anchor))
    for ahead in (1, 2):
        found = explained(service, model=name, history=HISTORY, ahead=ahead)
        forecasts = predicted(service, model=name, history=HISTORY)
        np.testing.assert_allclose(found["forecasts"], forecasts, atol=1e-4 * ROWS[:, 1].std())
        assert found["value"] == found["forecasts"][ahead - 1]
        assert total(found) == pytest.approx(found["value"], rel=1e-9)
        assert abs(found["gap"]) < 1e-6 * ROWS[:, 1].std()
        assert found["raised"] == 0
    assert [set(layer["gates"]) for layer in found["layers"]] == [GATES[cell]] * 2
    assert len(found["layers"][0]["gates"]["candidate"]) == WINDOW == found["shown"]
    if anchor == "persistence" or (anchor == "none" and scaling == "window"):
        assert found["anchor"]["value"] == HISTORY["price"][-1]
    own = found["anchor"]
    assert own["value"] == pytest.approx(
        own["start"] + own["earlier"] + sum(step["anchor"] for step in found["inputs"])
    )


@pytest.mark.parametrize("anchor", ["autoregression", "average"])
def test_the_share_of_universal_is_part_of_the_anchor(service: Service, anchor: AnchorName) -> None:
    for name, share in (("whole", 0.999999), ("half", 0.5), ("without", 0.0)):
        service.register(name, series_version("lstm", "window", anchor, universal=share))
    shown = {name: explained(service, model=name, history=HISTORY) for name in ("whole", "half")}
    forecasts = {
        name: predicted(service, model=name, history=HISTORY)
        for name in ("whole", "half", "without")
    }
    assert forecasts["half"] != pytest.approx(forecasts["without"], rel=1e-3)
    for name, found in shown.items():
        np.testing.assert_allclose(found["forecasts"], forecasts[name], rtol=1e-4)
        assert total(found) == pytest.approx(found["value"], rel=1e-9)
        own = found["anchor"]
        assert own["value"] == pytest.approx(
            own["start"] + own["earlier"] + sum(step["anchor"] for step in found["inputs"])
        )
    # Nearly alone, `universal` starts from the last value, and each value moves it in proportion.
    prices = np.array(HISTORY["price"])[-WINDOW:]
    assert shown["whole"]["anchor"]["start"] == pytest.approx(prices[-1], rel=1e-4)
    assert shown["whole"]["inputs"][-1]["anchor"] == pytest.approx(0.0, abs=1e-6)
    assert sum(abs(step["anchor"]) > 1e-3 for step in shown["whole"]["inputs"]) > 1


@pytest.mark.parametrize("rows", [40, 200])
def test_universal_says_what_each_past_value_changes(service: Service, rows: int) -> None:
    time = np.arange(rows)
    noise = np.random.default_rng(3).normal(size=rows)
    values = 100 + 0.1 * time + 10 * np.sin(2 * np.pi * time / 12) + noise
    history, moved = values.tolist(), values.copy()
    found = explained(service, model="universal", history=history, ahead=5, steps=30, levels=[80])
    assert found["value"] == pytest.approx(
        predicted(service, model="universal", history=history, horizon=5)[-1]
    )
    assert found["anchor"]["value"] == history[-1]
    assert total(found) == pytest.approx(found["value"], rel=1e-9)
    # Most of the change from the last value is found in single values and the earlier ones.
    assert abs(found["gap"]) < 0.25 * abs(found["value"] - history[-1]) + 0.5
    assert (found["steps"], found["shown"], len(found["inputs"])) == (rows, 30, 30)
    assert (found["earlier"] != 0) == (rows > 30)
    assert found["intervals"][0]["level"] == 80
    # The value of the same phase one season before moves the forecast as its influence says.
    place = rows - 12 + 4
    influence = found["inputs"][place - rows]["influence"]["value"]
    distance = values[place] - values[-1]
    moved[place] += 0.02 * distance
    again = predicted(service, model="universal", history=moved.tolist(), horizon=5)[-1]
    assert again - found["value"] == pytest.approx(0.02 * influence, rel=0.3, abs=0.02)


def test_universal_explains_the_steps_that_it_forecasts_at_once(service: Service) -> None:
    body = {"model": "universal", "history": [1.0, 3.0, 2.0]}
    answer = service.client.post("/explain", json={**body, "ahead": 65})
    assert answer.status_code == 422
    assert "forecasts 64 steps at once" in answer.text
    times = ["2026-01-05", "2026-01-06", "2026-01-08"]  # a day is missing
    found = explained(service, **body, timestamps=times)
    assert [step["timestamp"] for step in found["inputs"]] == times
    assert [step["step"] for step in found["inputs"]] == [-3, -2, 0]


def test_the_anchor_says_which_steps_it_read(service: Service) -> None:
    service.register("seasonal", series_version("rnn", "window", "season"))
    found = explained(service, model="seasonal", history=HISTORY, ahead=2, steps=3)
    prices = HISTORY["price"]
    # Step 2 is the value of 5 rows before it, the fourth from the end: not among those shown.
    assert found["anchor"] == {
        "name": "season",
        "season": SEASON,
        "value": pytest.approx(prices[-4]),
        "start": prices[-1],
        "earlier": pytest.approx(prices[-4] - prices[-1]),
    }
    assert [step["anchor"] for step in found["inputs"]] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_so_with_other_activations(service: Service, activation: Activation) -> None:
    service.register(activation, series_version("lstm", "window", "none", activation=activation))
    found = explained(service, model=activation, history=HISTORY)
    forecasts = predicted(service, model=activation, history=HISTORY)
    np.testing.assert_allclose(found["forecasts"], forecasts, atol=1e-4 * ROWS[:, 1].std())


def test_the_shipped_stock_model(service: Service) -> None:
    body = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
    found = explained(service, **body)
    np.testing.assert_allclose(found["forecasts"], predicted(service, **body), atol=1e-3)
    assert (found["steps"], found["member"], found["members"]) == (1, 1, 1)
    assert found["inputs"][0]["values"] == {"Open": 786.08}


def test_steps_and_units_cut_what_is_shown_and_not_what_is_computed(service: Service) -> None:
    service.register("cut", series_version("lstm", "window", "persistence"))
    whole = explained(service, model="cut", history=HISTORY)
    cut = explained(service, model="cut", history=HISTORY, steps=3, units=2)
    assert cut["forecasts"] == whole["forecasts"]
    assert [step["step"] for step in cut["inputs"]] == [-2, -1, 0]
    assert cut["inputs"] == whole["inputs"][-3:]
    assert total(cut) == pytest.approx(cut["value"], rel=1e-9)
    first = cut["layers"][0]
    assert first["size"] == 5
    assert len(first["units"]) == 2
    all_cells = np.array(whole["layers"][0]["states"]["cell"])  # (window, units)
    np.testing.assert_array_equal(first["states"]["cell"], all_cells[-3:, first["units"]])
    np.testing.assert_array_equal(first["before"]["cell"], all_cells[-4, first["units"]])


def test_the_steps_of_the_answer_have_their_times(service: Service) -> None:
    service.register("timed", series_version("rnn", "minmax", "none"))
    days = [f"2020-01-{day:02d}" for day in range(1, 13)]
    found = explained(service, model="timed", history=HISTORY, timestamps=days)
    assert [step["timestamp"] for step in found["inputs"]] == days[-WINDOW:]
    assert predicted(service, model="timed", history=HISTORY, timestamps=days)


def test_a_dataset_in_place_of_history(service: Service) -> None:
    table = b"date,Open\n2017-01-02,700.5\n2017-01-03,701\n2017-01-04,702.25\n"
    stored = service.client.post("/datasets", files={"file": ("prices.csv", table)})
    assert stored.status_code == 201, stored.text
    body = {"model": "google-stock", "dataset": stored.json()["id"]}
    found = explained(service, **body)
    assert found["inputs"][0]["timestamp"] == "2017-01-04"
    np.testing.assert_allclose(found["forecasts"], predicted(service, **body), atol=1e-3)


def test_a_version_of_before_the_scaling_was_told(service: Service) -> None:
    told = series_version("lstm", "minmax", "none")
    service.register("minmax-old", series_version("lstm", "minmax", "none", says_scaling=False))
    service.register("minmax-new", told)
    old, new = (
        explained(service, model=name, history=HISTORY) for name in ("minmax-old", "minmax-new")
    )
    assert old["forecasts"] == new["forecasts"]
    service.register("standard-old", series_version("lstm", "standard", "none", says_scaling=False))
    answer = service.client.post("/explain", json={"model": "standard-old", "history": HISTORY})
    assert answer.status_code == 409
    assert "train it again" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("wrong", "status", "field", "words"),
    [
        ({"history": {"price": [1.0]}}, 422, "history.volume", "is required"),
        ({"history": {"price": [1.0], "volume": [1.0]}}, 422, "history", "needs at least 7"),
        ({"ahead": 3}, 422, "ahead", f"forecasts {HORIZON} steps"),
        ({"member": 2}, 422, "member", "has 1"),
        ({"units": 0}, 422, "units", "must be at least 1"),
        ({"steps": 2001}, 422, "steps", "must be at most 2000"),
        ({"token": "cat"}, 422, "token", "does not apply to a series"),
        ({"dataset": "x"}, 422, "dataset", "must be a UUID"),
        ({"history": None, "text": "the"}, 422, "text", "belongs to text"),
        ({"model": "nothing"}, 404, None, "no model"),
        ({"horizon": 2}, 422, "horizon", "not a known field"),
    ],
)
def test_what_cannot_be_opened_is_named(
    service: Service, wrong: dict[str, Any], status: int, field: str | None, words: str
) -> None:
    if service.client.get("/models/refusing").status_code == 404:
        service.register("refusing", series_version("lstm", "window", "none"))
    body = {"model": "refusing", "history": HISTORY, **wrong}
    body = {name: value for name, value in body.items() if value is not None}
    answer = service.client.post("/explain", json=body)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    if field is None:
        assert words in problem["detail"]
    else:
        assert any(
            entry["field"] == field and words in entry["message"] for entry in problem["errors"]
        ), problem


def test_values_beyond_all_measure_are_refused_as_in_a_prediction(service: Service) -> None:
    service.register("huge", series_version("lstm", "window", "none"))
    history = {"price": [1e308, -1e308] * 4, "volume": [1.0, 2.0] * 4}
    prediction = service.predict(model="huge", history=history)
    explanation = service.client.post("/explain", json={"model": "huge", "history": history})
    assert explanation.status_code == prediction.status_code
    service.register("still", series_version("lstm", "window", "none"))
    flat = {"price": [5.0] * 8, "volume": [0.0] * 8}
    found = explained(service, model="still", history=flat)
    np.testing.assert_allclose(
        found["forecasts"], predicted(service, model="still", history=flat), atol=1e-9
    )


def test_intervals_are_those_of_the_prediction(service: Service) -> None:
    body = {"model": "google-stock", "history": [786.08], "levels": [80, 95]}
    told = service.predict(**body).json()["predictions"][0]["intervals"]
    assert explained(service, **body)["intervals"] == told
    assert explained(service, model="google-stock", history=[786.08])["intervals"] is None
    refused = service.client.post(
        "/explain", json={"model": "hello", "text": "hell", "levels": [80]}
    ).json()
    assert [error["field"] for error in refused["errors"]] == ["levels"]
