from typing import Any

import numpy as np
import pytest

from app.artifact.onnx_session import session_of
from app.errors import Unprocessable
from app.predictions.histories.gaps import without_gaps
from app.predictions.loaded import Loaded
from app.predictions.times import read_timestamps
from tests.artifacts import persistence_artifact
from tests.service import Service

WINDOW, LONGEST, SEASON = 96, 60, 24


def version(**given: Any) -> Loaded:  # noqa: ANN401
    artifact = persistence_artifact(
        **{
            "window": WINDOW,
            "min_history": SEASON + 1,
            "frequency": "h",
            "longest_hole": LONGEST,
            "season": SEASON,
            **given,
        }
    )
    return Loaded(
        model="load",
        number=1,
        manifest=artifact.manifest,
        skills=(None,),
        session=session_of(artifact.graph),
        tokenizer=None,
        memory_bytes=0,
    )


def hours(*chosen: int, zone: str = "") -> list[str]:
    start = np.datetime64("2024-05-01T00:00:00", "s")
    return [f"{start + np.timedelta64(hour, 'h')}{zone}" for hour in chosen]


def put_on_grid(
    loaded: Loaded, values: list[float], times: list[str]
) -> tuple[list[float], list[str]]:
    warnings: list[str] = []
    stamps = read_timestamps(times, rows=len(values))
    (column,) = without_gaps(loaded, [values], stamps, warnings)
    return column, warnings


def daily(hour: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(20 + 5 * np.sin(2 * np.pi * hour / 24) + 0.01 * hour)


def test_a_hole_is_filled_by_season_and_told() -> None:
    known = [*range(80), *range(110, 120)]
    column, warnings = put_on_grid(version(), daily(np.array(known)).tolist(), hours(*known))

    assert len(column) == WINDOW
    np.testing.assert_allclose(column, daily(np.arange(24, 120)), atol=1.0)
    assert warnings == [
        (
            "30 missing steps of the history (2024-05-04T08:00:00 to 2024-05-05T13:00:00) were "
            "filled by its season and a line between its neighbors"
        )
    ]


def test_a_hole_that_is_too_long_is_refused_by_name() -> None:
    known = [*range(30), *range(30 + LONGEST + 1, 120)]
    with pytest.raises(Unprocessable) as refused:
        put_on_grid(version(), [1.0] * len(known), hours(*known))
    (problem,) = refused.value.errors
    assert problem.field == "timestamps"
    assert problem.message == (
        "61 steps are missing between 2024-05-02T05:00:00 and 2024-05-04T19:00:00; load@1 fills at "
        "most 60 in the 96 steps that it reads: send the missing values, or a history that begins "
        "after the hole and has at least 25"
    )


def test_holes_before_the_window_are_not_looked_at() -> None:
    known = [*range(30), *range(300, 300 + WINDOW)]
    values = np.arange(len(known), dtype=float).tolist()
    column, warnings = put_on_grid(version(), values, hours(*known))
    assert column[-WINDOW:] == values[-WINDOW:]
    assert warnings == []


def test_a_history_without_holes_stays_as_it_is() -> None:
    values = np.arange(50.0).tolist()
    column, warnings = put_on_grid(version(), values, hours(*range(50)))
    assert column is values
    assert warnings == []


def test_clocks_put_forward_make_no_hole() -> None:
    before, after = hours(*range(30), zone="+01:00"), hours(*range(31, 60), zone="+02:00")
    values = np.arange(59.0).tolist()
    column, warnings = put_on_grid(version(), values, before + after)
    assert (column, warnings) == (values, [])


WITHOUT_ASCENSION = [f"2024-05-{day:02}" for day in (1, 2, 3, 6, 7, 8, 10)]


def business(**given: Any) -> Loaded:  # noqa: ANN401
    return version(frequency="B", window=6, min_history=3, longest_hole=4, season=None, **given)


def test_a_holiday_in_business_days_is_neither_filled_nor_told() -> None:
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0]
    assert put_on_grid(business(), values, WITHOUT_ASCENSION) == (values, [])


def test_where_a_calendar_says_that_there_are_no_holidays_the_day_is_filled() -> None:
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0]
    loaded = business(calendar="Mon-Fri except none")
    column, (warning,) = put_on_grid(loaded, values, WITHOUT_ASCENSION)
    assert column[-6:] == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert warning.startswith("1 missing step of the history (2024-05-09T00:00:00) was filled")


LISTED = "Mon-Fri except XNYS: 2024-05-27, 2024-06-19, 2024-07-04"


def test_listed_days_are_passed_over_and_any_other_is_filled() -> None:
    loaded = business(calendar=LISTED)
    days = [f"2024-06-{day}" for day in (17, 18, 20, 21, 24, 25, 26)]
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert put_on_grid(loaded, values, days) == (values, [])
    column, (warning,) = put_on_grid(loaded, values, [*days[:6], "2024-06-27"])
    assert column[-3:] == [5.0, 5.5, 6.0]
    assert warning.startswith("1 missing step of the history (2024-06-26T00:00:00) was filled")


def test_past_the_last_listed_day_a_short_closure_is_not_filled() -> None:
    days = ["2024-08-26", "2024-08-27", "2024-08-28", "2024-08-29", "2024-08-30", "2024-09-03"]
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert put_on_grid(business(calendar=LISTED), values, days) == (values, [])


def test_a_forecast_is_dated_on_the_next_open_day(service: Service) -> None:
    service.register("prices", persistence_artifact(horizon=2, calendar=LISTED))
    answer = service.predict(
        model="prices",
        history=[1.0, 2.0, 3.0, 4.0],
        timestamps=["2024-06-13", "2024-06-14", "2024-06-17", "2024-06-18"],
    ).json()
    assert [step["timestamp"] for step in answer["predictions"]] == ["2024-06-20", "2024-06-21"]
    assert answer["warnings"] == []


def test_past_the_listed_days_a_warning_says_so(service: Service) -> None:
    service.register("prices", persistence_artifact(horizon=2, calendar=LISTED))
    answer = service.predict(
        model="prices",
        history=[1.0, 2.0, 3.0],
        timestamps=["2024-07-01", "2024-07-02", "2024-07-03"],
    ).json()
    assert [step["timestamp"] for step in answer["predictions"]] == ["2024-07-05", "2024-07-08"]
    (warning,) = answer["warnings"]
    assert warning.startswith("closed days are known until 2024-07-04, and the forecast leads past")


def test_older_versions_fill_nothing() -> None:
    values = [1.0] * 40
    column, warnings = put_on_grid(version(longest_hole=0), values, hours(*range(39), 60))
    assert (column, warnings) == (values, [])


def test_an_answer_tells_what_was_filled(service: Service) -> None:
    service.register(
        "load",
        persistence_artifact(window=10, min_history=3, frequency="h", longest_hole=6),
    )
    asked = {"model": "load", "history": [1.0, 2.0, 3.0, 7.0]}
    answer = service.predict(**asked, timestamps=hours(0, 1, 2, 6))
    assert answer.status_code == 200
    assert "3 missing steps of the history" in answer.json()["warnings"][0]
    assert answer.json()["predictions"][0]["timestamp"] == "2024-05-01T07:00:00"
    refused = service.predict(**asked, timestamps=hours(0, 1, 2, 10))
    assert refused.status_code == 422
    assert "7 steps are missing between" in refused.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("frequency", "days", "filled"),
    [
        ("B", ("2024-05-01", "2024-05-02", "2024-05-03", "2024-05-06", "2024-05-07"), False),
        ("B", ("2024-05-01", "2024-05-02", "2024-05-03", "2024-05-15", "2024-05-16"), True),
        ("MS", ("2023-11-01", "2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01"), False),
        ("MS", ("2023-10-01", "2023-11-01", "2024-01-01", "2024-02-01", "2024-03-01"), True),
    ],
)
def test_steps_of_unlike_length_are_counted(
    *, frequency: str, days: tuple[str, ...], filled: bool
) -> None:
    loaded = version(frequency=frequency, window=12, min_history=3, longest_hole=7, season=None)
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    column, warnings = put_on_grid(loaded, values, list(days))
    assert bool(warnings) is filled
    assert (column is values) is not filled
