"""Versions whose graph has a step for every weekday, closed or not: answers skip closed days."""

from typing import Any

import pytest

from tests.artifacts import persistence_artifact
from tests.service import Service

# In 2024, 19 June was a Wednesday and 4 July a Thursday.
LISTED = "Mon-Fri except XNYS: 2024-05-27, 2024-06-19, 2024-07-04, 2034-12-25"
WEEK = ["2024-06-12", "2024-06-13", "2024-06-14", "2024-06-17"]  # Wednesday to Monday


@pytest.fixture
def sales(service: Service) -> Service:
    """A version that adds 1 for each step of its graph, of which it gives four."""
    version = persistence_artifact(
        horizon=4,
        step=1.0,
        calendar=LISTED,
        closed_on_grid=True,
        min_history=3,
        window=6,
        longest_hole=4,
    )
    service.register("sales", version)
    return service


def ask(service: Service, history: list[float], timestamps: list[str], **more: object) -> Any:  # noqa: ANN401
    answer = service.predict(model="sales", history=history, timestamps=timestamps, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def steps(answer: Any) -> list[tuple[int, str, float]]:  # noqa: ANN401
    return [(each["step"], each["timestamp"], each["value"]) for each in answer["predictions"]]


def test_the_step_of_a_closed_day_is_left_out(sales: Service) -> None:
    answer = ask(sales, [1, 2, 3, 10], WEEK, horizon=3)
    assert steps(answer) == [(1, "2024-06-18", 11), (2, "2024-06-20", 13), (3, "2024-06-21", 14)]
    assert answer["warnings"] == []


def test_as_many_steps_are_answered_as_were_asked_for(sales: Service) -> None:
    answer = ask(sales, [1, 2, 3, 10], WEEK)
    assert steps(answer)[-1] == (4, "2024-06-24", 15)
    assert answer["warnings"] == [
        "horizon 4 with the closed days in it is past the trained 4: forecasts are fed back"
    ]


def test_without_a_closed_day_ahead_every_step_is_answered(sales: Service) -> None:
    days = ["2024-06-05", "2024-06-06", "2024-06-07"]
    assert [value for _, _, value in steps(ask(sales, [1, 2, 10], days))] == [11, 12, 13, 14]
    without_times = sales.predict(model="sales", history=[1, 2, 10]).json()
    assert [each["value"] for each in without_times["predictions"]] == [11, 12, 13, 14]


def test_a_closed_day_in_the_history_is_filled_without_a_word(sales: Service) -> None:
    days = ["2024-06-14", "2024-06-17", "2024-06-18", "2024-06-20", "2024-06-21"]
    answer = ask(sales, [1, 2, 3, 4, 10], days, horizon=1)
    assert steps(answer) == [(1, "2024-06-24", 11)]
    assert answer["warnings"] == []
    days = ["2024-06-13", "2024-06-14", "2024-06-17", "2024-06-20", "2024-06-21"]
    (warning,) = ask(sales, [1, 2, 3, 4, 10], days, horizon=1)["warnings"]
    assert warning.startswith("1 missing step of the history (2024-06-18T00:00:00) was filled")
