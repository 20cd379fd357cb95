"""When a series has rows: the calendar that a version is trained with."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import Unprocessable
from app.reading.content import SeriesContent
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.data import SeriesData, read_series
from tests.training.runs import SMALL, Train, evaluated, series_of

INDEPENDENCE_DAY = "2024-07-04"


def prices(*, calendar: str | None = None) -> SeriesContent:
    """Return a row for each weekday of 2024 on which New York traded, but for one in August."""
    closed = (
        *("2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29", "2024-05-27", "2024-06-19"),
        *(INDEPENDENCE_DAY, "2024-08-14", "2024-09-02", "2024-11-28", "2024-12-25"),
    )
    days = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    days = days[np.is_busday(days, holidays=np.array(closed, dtype="datetime64[D]"))]
    content = series_of(np.random.default_rng(0).normal(100, 1, len(days)))
    times = days.astype("datetime64[us]")
    return replace(content, times=times, time_form="date", frequency="B", calendar=calendar)


def data_of(content: SeriesContent, calendar: str | None) -> SeriesData:
    recipe = resolve_recipe("series", {"preset": "default", "horizon": 1, "calendar": calendar})
    assert isinstance(recipe, SeriesRecipe)
    return read_series(content, recipe, target=None, has_test=False)


@pytest.mark.parametrize(
    ("calendar", "holes"), [(None, 0), ("XNYS", 1), ("Mon-Fri except none", 10)]
)
def test_the_recipe_says_which_days_were_closed(calendar: str | None, holes: int) -> None:
    (group,) = data_of(prices(), calendar).groups
    assert np.isnan(group.target).sum() == holes


def test_the_recipe_overrules_the_dataset() -> None:
    content = prices(calendar=f"Mon-Fri except {INDEPENDENCE_DAY}, 2024-12-25")
    (group,) = data_of(content, "XNYS").groups
    assert np.isnan(group.target).sum() == 1


def test_rows_without_times_have_no_calendar() -> None:
    with pytest.raises(
        Unprocessable, match=r"recipe.calendar: names closed days, and the rows have no times"
    ):
        data_of(series_of(np.arange(100.0), start=None), "XNYS")


def test_a_version_lists_the_closed_days_after_its_rows(train: Train) -> None:
    described = train(prices(), {**SMALL, "calendar": "NYSE", "epochs": 1}).manifest.series
    assert described is not None
    assert described.calendar is not None
    assert described.calendar.startswith("Mon-Fri except XNYS: 2024-01-01, 2024-01-15, ")
    assert "2025-07-04" in described.calendar


def weekday_sales() -> SeriesContent:
    """Return sales that differ by weekday, on days on which New York traded."""
    content = prices()
    assert content.times is not None
    weekday = (content.times.astype("datetime64[D]").astype(int) + 3) % 7
    noise = np.random.default_rng(0).normal(0, 2, len(content))
    sales = 100 + np.array([20.0, 5.0, 0.0, -5.0, -15.0])[weekday] + noise
    return replace(content, values=sales[:, None])


def test_closed_days_keep_the_weekdays_of_a_weekly_season_in_place(train: Train) -> None:
    recipe = {**SMALL, "anchor": "auto", "horizon": 5, "calendar": "XNYS", "epochs": 1}
    described = train(weekday_sales(), recipe).manifest.series
    assert described is not None
    assert (described.season, described.closed_on_grid) == (5, True)
    assert described.calendar is not None
    assert described.calendar.startswith("Mon-Fri except XNYS: ")
    assert described.grid_calendar == "Mon-Fri except none"


def test_a_weekly_season_is_forecast_past_a_holiday(train: Train) -> None:
    recipe = {**SMALL, "anchor": "auto", "horizon": 5, "calendar": "XNYS", "epochs": 1}
    trained = train(weekday_sales(), recipe)
    score = trained.scorecard.series
    assert score is not None
    assert score.all_steps is not None
    # The noise is 2. With the weekdays out of place after each holiday, the RMSE is 7.0.
    assert score.all_steps.model.rmse < 4
    again = evaluated(trained, weekday_sales(), weekday_sales(), "judged").series
    assert again is not None
    assert again.all_steps is not None
    assert again.all_steps.model.rmse == pytest.approx(score.all_steps.model.rmse)


def test_prices_without_a_season_pass_over_closed_days(train: Train) -> None:
    recipe = {**SMALL, "anchor": "auto", "calendar": "XNYS", "epochs": 1}
    described = train(prices(), recipe).manifest.series
    assert described is not None
    assert (described.season, described.closed_on_grid) == (None, False)
