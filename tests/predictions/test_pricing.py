"""Test that requests are priced before they are computed, and refused with what would fit."""

import json
import re
from dataclasses import replace
from typing import Any, cast

import pytest

from app.errors import TooLarge, Unprocessable
from app.predictions import batching, pricing, series, text
from app.predictions.batching import TicketRun
from app.predictions.loaded import Loaded, build
from app.predictions.pricing import (
    MAX_ANSWER_VALUES,
    MAX_BATCH_CHARACTERS,
    MAX_BODY_VALUES,
    MAX_SECONDS,
    refuse_too_long,
    refuse_too_many,
    refuse_too_many_values,
    seconds_together,
)
from app.predictions.questions import Question
from app.predictions.schemas import PredictRequest
from tests.artifacts import (
    Artifact,
    persistence_artifact,
    stream_text_artifact,
    window_text_artifact,
)
from tests.service import Service

SECOND = {"run_seconds": 1.0, "row_seconds": 0.5, "token_seconds": 0.1}


def loaded(artifact: Artifact, **seconds: float) -> Loaded:
    built = build("m", 1, artifact.manifest, artifact.scorecard, artifact.graph)
    return replace(built, **cast("dict[str, Any]", seconds))


@pytest.fixture(scope="module")
def forecaster() -> Loaded:
    """Return a version whose graph takes a second per run and forecasts two steps."""
    return loaded(persistence_artifact(horizon=2), **SECOND)


@pytest.fixture(scope="module")
def writer() -> Loaded:
    """Return a version that takes a second per step, and a tenth of that to read a token."""
    return loaded(stream_text_artifact(), **SECOND)


def forecast(version: Loaded, horizon: int) -> Question:
    return series.ask(version, PredictRequest(model="m", history=[1.0] * 3, horizon=horizon))


def continuation(version: Loaded, length: int, steps: int) -> Question:
    return text.ask(version, PredictRequest(model="m", text="a" * length, steps=steps, top_k=1))


def test_a_long_horizon_costs_as_many_runs_as_it_is_fed_back(forecaster: Loaded) -> None:
    for horizon, runs in ((1, 1), (2, 1), (3, 2), (1000, 500)):
        question = forecast(forecaster, horizon)
        assert question.seconds == pytest.approx(runs, rel=0.01)
        assert question.added_seconds == pytest.approx(runs / 2, rel=0.01)


def test_a_text_costs_its_reading_and_its_steps(writer: Loaded) -> None:
    question = continuation(writer, length=50, steps=3)
    assert question.seconds == pytest.approx(50 * 0.1 + 3, rel=0.01)
    assert question.added_seconds == pytest.approx(50 * 0.1 + 3 * 0.5, rel=0.01)


def test_a_window_costs_no_reading() -> None:
    version = loaded(window_text_artifact(), **SECOND)
    request = PredictRequest(model="m", text="the , mice " * 500, steps=2)
    assert text.ask(version, request).seconds == pytest.approx(2, rel=0.01)


def test_alternatives_cost_too(writer: Loaded) -> None:
    one, four = (
        text.ask(writer, PredictRequest(model="m", text="a", steps=1000, top_k=k)) for k in (1, 4)
    )
    assert four.answer_size == 4000
    assert four.seconds > one.seconds


def number_in(error: Unprocessable) -> int:
    """Return the number that would fit."""
    found = re.search(r"about ([\d,]+) (steps|tokens)|of about ([\d,]+)", error.errors[0].message)
    assert found is not None, error.errors[0].message
    return int((found[1] or found[3]).replace(",", ""))


def test_a_horizon_that_takes_too_long_is_refused_with_one_that_fits(forecaster: Loaded) -> None:
    refuse_too_long(forecast(forecaster, 18))
    with pytest.raises(Unprocessable) as caught:
        refuse_too_long(forecast(forecaster, 1000))
    (error,) = caught.value.errors
    assert error.field == "horizon"
    assert "about 500 s" in error.message
    assert "10 s" in error.message
    refuse_too_long(forecast(forecaster, number_in(caught.value)))


@pytest.mark.parametrize(
    ("length", "steps", "field"), [(10, 1000, "steps"), (1000, 1, "text"), (99, 5, "text")]
)
def test_a_text_that_takes_too_long_is_refused_with_what_fits(
    writer: Loaded, length: int, steps: int, field: str
) -> None:
    with pytest.raises(Unprocessable) as caught:
        refuse_too_long(continuation(writer, length, steps))
    assert caught.value.errors[0].field == field
    fitting = number_in(caught.value)
    if field == "steps":
        refuse_too_long(continuation(writer, length, fitting))
    else:
        refuse_too_long(continuation(writer, fitting, 1))


def test_a_batch_costs_what_its_runs_take(forecaster: Loaded, writer: Loaded) -> None:
    questions = [
        *(forecast(forecaster, 2 * n) for n in (1, 2, 3)),
        *(continuation(writer, 10, n) for n in (4, 5)),
    ]
    # The longest of each version on its own, the others at what they add.
    expected = (3 + 0.5 * 3) + (1 + 5 + 1 + 0.5 * 4)
    assert seconds_together(questions) == pytest.approx(expected, rel=0.01)
    by_runs = 0.0
    for part in (questions[:3], questions[3:]):
        run = TicketRun(part[0].version)
        for question in part:
            run.take(ticket_of(question))
        run.close()
        by_runs += run.seconds
    assert by_runs == pytest.approx(expected, rel=0.01)


def ticket_of(question: Question) -> batching.Ticket:
    return batching.Ticket(question, "r", None, None, b"{}", None, print, lambda: False)


@pytest.mark.parametrize(
    ("values", "seconds", "fitting"),
    [(4 * MAX_ANSWER_VALUES, 0.0, "25 of"), (1, 8 * MAX_SECONDS, "12 of"), (10**9, 1.0, "1 of")],
)
def test_a_batch_that_is_too_much_is_refused_with_how_many_items_fit(
    values: int, seconds: float, fitting: str
) -> None:
    refuse_too_many(100, values=MAX_ANSWER_VALUES, seconds=MAX_SECONDS)
    with pytest.raises(Unprocessable, match=f"about {fitting} these items would fit") as caught:
        refuse_too_many(100, values=values, seconds=seconds)
    assert caught.value.errors[0].field == "items"


def test_a_body_with_more_values_than_memory_should_hold_is_refused() -> None:
    numbers = b"1," * (MAX_BODY_VALUES // 2)
    refuse_too_many_values(b"[" + numbers + b"1]")
    for dense in (2 * numbers, b"{}," * (MAX_BODY_VALUES // 4), b"[]," * MAX_BODY_VALUES):
        with pytest.raises(TooLarge, match=r"a request may have 500,000"):
            refuse_too_many_values(b"[" + dense + b"1]")


def test_the_batch_that_cost_minutes_is_refused_at_once(asked: Service) -> None:
    item = {"model": "stream", "text": "a" * 20, "steps": 1000}
    body = json.dumps({"items": [item] * 1000})
    assert len(body) < 80_000
    answer = asked.client.post("/predict/batch", json={"items": [item] * 1000})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "items"
    assert "4,000,000 values" in error["message"]
    fitting = re.search(r"about (\d+) of these items", error["message"])
    assert fitting is not None
    again = asked.client.post("/predict/batch", json={"items": [item] * int(fitting[1])})
    assert again.status_code == 200
    assert len(again.json()["items"]) == int(fitting[1])


def test_a_batch_of_long_texts_is_refused(asked: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "MAX_BATCH_CHARACTERS", MAX_BATCH_CHARACTERS // 100)
    item = {"model": "stream", "text": "a" * 4_000}
    assert asked.client.post("/predict/batch", json={"items": [item] * 2}).is_success
    answer = asked.client.post("/predict/batch", json={"items": [item] * 3})
    assert answer.status_code == 422
    assert "12,000 characters" in answer.json()["detail"]


@pytest.mark.parametrize("count", [3, 40], ids=["few", "uniform"])
def test_items_that_take_too_long_together_are_refused(
    asked: Service, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    item = {"model": "google-stock", "history": [1.0, 2.0, 3.0]}
    asked.predict(**item)  # loads it
    monkeypatch.setattr(pricing, "MAX_SECONDS", 1e-9)
    answer = asked.client.post("/predict/batch", json={"items": [item] * count})
    assert answer.status_code == 422
    assert "of these items would fit" in answer.json()["detail"]


def test_a_request_that_takes_too_long_is_refused_over_http(
    asked: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.predict(model="google-stock", history=[1, 2, 3])
    monkeypatch.setattr("app.predictions.calls.LONG_SECONDS", 1e-9)
    monkeypatch.setattr(pricing, "MAX_SECONDS", 1e-9)
    answer = asked.predict(model="google-stock", history=[1, 2, 3], horizon=1000)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "horizon"


def test_a_body_that_would_fill_memory_is_refused_before_it_is_read(service: Service) -> None:
    body = b'{"model":"google-stock","history":[' + b"1," * 4_000_000 + b"1]}"
    answer = service.client.post(
        "/predict", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert "4,000,00" in answer.json()["detail"]
