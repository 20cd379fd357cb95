"""Inputs computed from the times: tried by default, kept where they help, read from a request."""

from typing import Any

import numpy as np
import pytest

from app.artifact.files import MODEL
from app.forecasting.metrics import rmse
from app.predictions.loaded import Loaded, build
from app.predictions.questions import completed
from app.predictions.schemas import PredictRequest
from app.predictions.series import answer, ask
from app.reading.holidays import holiday_dates
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.inputs import prepare_inputs
from tests.training.runs import SMALL, Train, series_of

ROWS, HORIZON, START = 700, 3, "2021-01-04"
DAYS = np.datetime64(START, "D") + np.arange(ROWS + HORIZON)
WEEKEND = np.arange(ROWS + HORIZON) % 7 >= 5
MONTH_END = (DAYS + 1).astype("datetime64[M]") != DAYS.astype("datetime64[M]")
NOISE = np.random.default_rng(2).normal(size=ROWS + HORIZON)
BILLS = 100 + 10 * WEEKEND + 40 * MONTH_END + NOISE
# Without `universal`, which takes seconds.
RECIPE = {**SMALL, "anchor": "average", "window": None, "horizon": HORIZON, "epochs": 1}


def uses_of(values: Any, **given: Any) -> dict[str, str]:  # noqa: ANN401
    recipe = resolve_recipe("series", {**RECIPE, **given})
    assert isinstance(recipe, SeriesRecipe)
    _, data, _ = prepare_inputs(
        series_of(values[:ROWS], start=START), recipe, target=None, test=None, start_from=None
    )
    return {use.name.removeprefix("calendar."): use.told for use in data.uses}


def forecast(version: Loaded, **asked: Any) -> tuple[np.ndarray[Any, Any], list[str]]:  # noqa: ANN401
    question = ask(version, PredictRequest.model_validate({"model": "bills", **asked}))
    (outcome,) = completed(answer([question]))
    assert isinstance(outcome, dict)
    steps = outcome["predictions"]
    assert isinstance(steps, list)
    warnings = outcome["warnings"]
    assert isinstance(warnings, list)
    return np.array([step["value"] for step in steps]), warnings


def asked(last: int, *, without: int | None = None, rows: int = 90) -> dict[str, Any]:
    """Return the history before a row, without some row if it is named."""
    places = [place for place in range(last - rows, last) if place != without]
    return {
        "history": BILLS[places].tolist(),
        "timestamps": [str(DAYS[place]) for place in places],
    }


def test_the_end_of_a_month_is_an_input_and_what_a_season_carries_is_not(train: Train) -> None:
    bills = train(series_of(BILLS[:ROWS], start=START), RECIPE)
    described = bills.manifest.series
    assert described is not None
    told = {use.name: use.told for use in described.columns}
    assert "used, computed from the times (ends of months" in told["calendar.month day"]
    assert told["calendar.weekday"].endswith("not used (the season of 7 rows carries it)")
    assert [feature.name for feature in described.features] == ["value"]  # a request gives no more
    assert described.known == ()
    assert any(note.startswith("inputs from the times: ") for note in bills.scorecard.notes)
    score = bills.scorecard.series
    assert score is not None
    assert score.all_steps is not None
    assert score.all_steps.model.rmse == pytest.approx(1.0, abs=0.3)  # 7 without the input
    check_forecasts(build("bills", 1, bills.manifest, bills.scorecard, bills.bytes_of(MODEL)))


def check_forecasts(version: Loaded) -> None:
    """Check that timestamps alone move the forecasts."""
    row = int(np.flatnonzero(MONTH_END)[13])
    for step in range(HORIZON):
        values, warnings = forecast(version, **asked(row - step))
        assert values == pytest.approx(BILLS[row - step : row - step + HORIZON], abs=5)
        assert warnings == []
    filled, _ = forecast(version, **asked(row, without=row - 20))
    assert filled == pytest.approx(BILLS[row : row + HORIZON], abs=5)
    far, _ = forecast(version, **asked(row - 4), horizon=6)  # it ends past the trained steps
    assert rmse(far, BILLS[row - 4 : row + 2]) < 4

    values, (warning,) = forecast(version, history=asked(row)["history"])
    assert values[0] == pytest.approx(BILLS[row] - 40, abs=8)
    assert "computes month day from the times, and the history has no timestamps" in warning


def test_holidays_are_found_by_themselves_or_named() -> None:
    times = DAYS.astype("datetime64[us]")
    holidays = np.isin(DAYS.astype(np.int64), holiday_dates("DE-BY", times))
    closed = 100 + 10 * WEEKEND - 40 * holidays + NOISE
    assert "holidays of DE;" in uses_of(closed)["holiday"]
    assert "holidays of DE-BY;" in uses_of(closed, holidays="de-by")["holiday"]
    assert uses_of(closed, calendar_inputs=[])["holiday"].endswith("(the recipe leaves it out)")
    assert ": used, computed" in uses_of(NOISE, calendar_inputs=["weekday"])["weekday"]
