from typing import Any

import numpy as np
import pytest

from tests.service import Service

PRICES = [778.81, 788.36, 786.08]


def forecast(asked: Service, **body: object) -> list[float]:
    answer = asked.predict(**body)
    assert answer.status_code == 200, answer.text
    return [step["value"] for step in answer.json()["predictions"]]


def refusal(asked: Service, **body: object) -> dict[str, Any]:
    answer = asked.predict(**body)
    assert answer.status_code == 422, answer.text
    problem: dict[str, Any] = answer.json()
    return problem


def test_the_answer_has_the_shape_that_is_promised(asked: Service) -> None:
    answer = asked.predict(model="google-stock", history=PRICES).json()
    assert answer.pop("id")
    assert answer == {
        "model": "google-stock",
        "version": 1,
        "kind": "series",
        "predictions": [{"step": 1, "value": 786.08, "timestamp": None, "intervals": None}],
        "skill": -0.79,
        "baseline": "persistence",
        "warnings": [],
    }


@pytest.mark.parametrize("reference", ["google-stock@champion", "google-stock@1"])
def test_a_version_can_be_named_by_alias_and_number(asked: Service, reference: str) -> None:
    assert forecast(asked, model=reference, history=PRICES) == [786.08]


def test_a_longer_history_is_trimmed_to_the_window(asked: Service) -> None:
    assert forecast(asked, model="google-stock", history=[1.0] * 5000 + PRICES) == [786.08]


def test_digits_beyond_a_float_come_back_as_the_nearest_double(asked: Service) -> None:
    history = [1_000_000.00, 1_000_000.01, 1_000_000.02]
    assert forecast(asked, model="google-stock", history=history) == [1_000_000.02]


def test_whole_numbers_are_numbers(asked: Service) -> None:
    assert forecast(asked, model="google-stock", history=[1, 2, 3]) == [3.0]


def test_no_horizon_means_the_trained_one_and_a_shorter_one_its_first_steps(
    asked: Service,
) -> None:
    assert forecast(asked, model="two-steps", history=PRICES) == [787.08, 788.08]
    assert forecast(asked, model="two-steps", history=PRICES, horizon=1) == [787.08]


def test_past_the_trained_horizon_forecasts_are_fed_back_and_said_to_be(asked: Service) -> None:
    answer = asked.predict(model="two-steps", history=[1.0, 2.0, 3.0], horizon=5).json()
    assert [step["value"] for step in answer["predictions"]] == [4.0, 5.0, 6.0, 7.0, 8.0]
    assert answer["warnings"] == ["horizon 5 is past the trained 2: forecasts are fed back"]


def test_skill_is_over_the_steps_that_were_asked_for(asked: Service) -> None:
    answers = [
        asked.predict(model="two-steps", history=PRICES, horizon=steps).json()
        for steps in (1, 2, 3)
    ]
    assert [answer["baseline"] for answer in answers] == ["persistence"] * 3
    assert answers[0]["skill"] == pytest.approx(0.4)
    assert answers[1]["skill"] == pytest.approx(1 - np.sqrt((0.36 + 0.64) / 2))
    assert answers[2]["skill"] is None  # past the trained horizon nothing was measured


def test_the_longest_horizon_is_a_thousand(asked: Service) -> None:
    assert len(forecast(asked, model="two-steps", history=PRICES, horizon=1000)) == 1000
    problem = refusal(asked, model="two-steps", history=PRICES, horizon=1001)
    assert problem["errors"][0]["field"] == "horizon"


def test_several_columns_are_an_object_in_any_order(asked: Service) -> None:
    history = {"Volume": [1.0, 2.0, 3.0], "Open": PRICES}
    assert forecast(asked, model="two-columns", history=history) == [786.08]


@pytest.mark.parametrize(
    ("history", "field"),
    [
        (PRICES, "history"),
        ({"Open": PRICES}, "history.Volume"),
        ({"Open": PRICES, "Volume": [1.0, 2.0]}, "history"),
        ({"Open": PRICES, "Volume": PRICES, "Close": PRICES}, "history.Close"),
        ({"Open": [*PRICES, "x"], "Volume": PRICES}, "history.Open.3"),
        ({}, "history"),
    ],
)
def test_columns_that_do_not_fit_are_named(asked: Service, history: object, field: str) -> None:
    problem = refusal(asked, model="two-columns", history=history)
    assert [error["field"] for error in problem["errors"]] == [field]


def test_past_the_trained_horizon_other_columns_keep_their_newest_value(asked: Service) -> None:
    answer = asked.predict(
        model="two-columns", history={"Open": PRICES, "Volume": PRICES}, horizon=2
    ).json()
    assert len(answer["predictions"]) == 2
    assert answer["warnings"][0] == (
        "horizon 2 is past the trained 1: forecasts are fed back, with Volume at the newest value"
    )


def test_words_in_a_column_of_numbers_are_named(asked: Service) -> None:
    words = ["rain"] * len(PRICES)
    problem = refusal(asked, model="two-columns", history={"Open": PRICES, "Volume": words})
    (error,) = problem["errors"]
    assert error == {**error, "field": "history.Volume", "message": "takes numbers, not words"}


@pytest.mark.parametrize(
    ("number", "place"),
    [
        ("NaN", "history.1"),
        ("Infinity", "history.1"),
        ("-Infinity", "history.1"),
        ("1e400", "history.1"),
        ("1" + "0" * 400, "history.1"),
        ('"788.36"', "history.1"),
        ("true", "history.1"),
        ("null", "history.1"),
        ("[1]", "history.1"),
    ],
)
def test_what_is_no_finite_number_is_named_by_its_place(
    asked: Service, number: str, place: str
) -> None:
    body = f'{{"model": "google-stock", "history": [778.81, {number}, 786.08]}}'
    answer = asked.client.post(
        "/predict", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [place]


def test_a_forecast_beyond_what_a_number_holds_is_refused_not_given_as_infinity(
    asked: Service,
) -> None:
    problem = refusal(asked, model="steep", history=PRICES, horizon=3)
    assert problem["errors"][0]["field"] == "history"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"history": []}, "history"),
        ({"history": [1.0, 2.0]}, "history"),
        ({"history": [1.0] * 100_001}, None),
        ({"history": "1, 2, 3"}, "history"),
        ({}, "history"),
        ({"history": PRICES, "horizon": 0}, "horizon"),
        ({"history": PRICES, "horizon": 1.5}, "horizon"),
        ({"history": PRICES, "horizon": "1"}, "horizon"),
        ({"history": PRICES, "horizon": True}, "horizon"),
        ({"history": PRICES, "levels": [49]}, "levels.0"),
        ({"history": PRICES, "levels": [80, 100]}, "levels.1"),
        ({"history": PRICES, "series": "a\x00b"}, "series"),
        ({"history": PRICES, "series": ""}, "series"),
        ({"history": PRICES, "window": 3}, "window"),
        ({"history": PRICES, "steps": 1}, "steps"),
        ({"text": "long ago"}, "text"),
        ({"history": PRICES, "text": "long ago", "top_k": 1}, "text"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    asked: Service, body: dict[str, object], field: str | None
) -> None:
    answer = asked.predict(model="google-stock", **body)
    assert answer.status_code == (413 if field is None else 422)
    if field is not None:
        assert field in [error["field"] for error in answer.json()["errors"]]


def test_a_version_without_intervals_says_so_when_levels_are_asked_for(asked: Service) -> None:
    answer = asked.predict(model="google-stock", history=PRICES, levels=[80, 95]).json()
    assert answer["predictions"][0]["intervals"] is None
    (warning,) = answer["warnings"]
    assert warning.startswith("google-stock@1 has no intervals: ")


def test_intervals_of_any_level_come_narrowest_first_and_never_reach_below_zero(
    asked: Service,
) -> None:
    body = {"model": "calibrated", "history": [30.0, 20.0, 9.0]}
    assert asked.predict(**body).json()["predictions"][0]["intervals"] is None
    answer = asked.predict(**body, levels=[99, 50, 80, 50]).json()
    expected = [
        {"level": 50, "low": 4.0, "high": 14.0},
        {"level": 80, "low": 1.0, "high": 17.0},
        {"level": 99, "low": 0.0, "high": 18.9},
    ]
    steps = [step["intervals"] for step in answer["predictions"]]
    assert steps[:2] == [expected, expected]
    assert steps[2] is None
    (warning,) = answer["warnings"]
    assert warning.startswith("calibrated@1 has intervals up to step 2 alone: past that there were")


def test_what_is_fed_back_has_no_intervals(asked: Service) -> None:
    body = {"model": "calibrated", "history": [30.0, 20.0, 9.0], "horizon": 4, "levels": [80]}
    answer = asked.predict(**body).json()
    assert [step["intervals"] is None for step in answer["predictions"]] == [
        False,
        False,
        True,
        True,
    ]
    assert answer["warnings"][0] == (
        "horizon 4 is past the trained 3: forecasts are fed back, without intervals"
    )
    assert [step["value"] for step in answer["predictions"]] == [9.0] * 4


def test_requests_that_share_a_run_get_their_own_levels(asked: Service) -> None:
    levels = [None, [50], [80, 95], [95]]
    items = [
        {"model": "calibrated", "history": [1.0, 2.0, 50.0 + n], "horizon": 1}
        | ({"levels": each} if each else {})
        for n, each in enumerate(levels)
    ]
    answers = asked.client.post("/predict/batch", json={"items": items}).json()["items"]
    told = [answer["predictions"][0]["intervals"] for answer in answers]
    assert [each and [band["level"] for band in each] for each in told] == levels
    assert told[3] == [{"level": 95, "low": 43.5, "high": 62.5}]


def test_timestamps_are_continued_in_their_form(asked: Service) -> None:
    answer = asked.predict(
        model="google-stock",
        history=PRICES,
        timestamps=["2017-01-04", "2017-01-05", "2017-01-06"],
        horizon=2,
    ).json()
    assert [step["timestamp"] for step in answer["predictions"]] == ["2017-01-09", "2017-01-10"]


def test_another_frequency_is_a_warning_and_not_continued(asked: Service) -> None:
    answer = asked.predict(
        model="google-stock",
        history=PRICES,
        timestamps=["2017-01-06", "2017-01-13", "2017-01-20"],
    ).json()
    assert answer["predictions"][0]["timestamp"] is None
    assert "another frequency" in answer["warnings"][0]


def test_values_outside_the_training_range_are_a_warning(asked: Service) -> None:
    answer = asked.predict(model="google-stock", history=[1.0, 2.0, 1000.5]).json()
    assert answer["warnings"] == ["values of Open lie outside the training data's range, 0 to 1000"]
