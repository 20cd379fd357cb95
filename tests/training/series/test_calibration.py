"""Test which rows intervals are calibrated on, in complete trainings."""

import numpy as np
import pytest

from app.artifact.files import JUDGED, MODEL, WEIGHTS
from app.artifact.onnx_session import forecasts, forecasts_with_intervals
from app.artifact.series_records import SeriesIntervals
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training import run
from app.training.series.calibration import SeriesCalibration
from app.training.series.data import read_series
from tests.artifacts import persistence_artifact
from tests.training.runs import SMALL, Artifact, Recorder, Train, series_of, wave

ROWS = 160
FITTED_ROWS = 128  # a fifth is held out
VALIDATION_START = 108  # and a seventh of these
KEPT_NONE = {"validation_fraction": 0.0, "early_stopping": None}
WITHOUT = {**SMALL, **KEPT_NONE}


def intervals_of(artifact: Artifact) -> SeriesIntervals:
    series = artifact.manifest.series
    assert series is not None
    assert series.intervals is not None
    return series.intervals


def test_the_judged_network_is_calibrated_before_the_cut_and_the_served_one_after_judging(
    train: Train,
) -> None:
    values = wave(ROWS)
    artifact = train(series_of(values), SMALL)
    told = intervals_of(artifact)
    assert (told.calibrated_on, told.forecasts) == ("validation and held-out", 52)
    assert told.forecasts_of == "the network before refitting"
    graph = artifact.bytes_of(JUDGED)
    windows = np.stack(
        [values[row - 6 : row, None] for row in range(VALIDATION_START, FITTED_ROWS)]
    )
    given, bounds = forecasts_with_intervals(graph, windows, (80,), check=lambda: None)
    assert bounds is not None
    inside = (bounds[:, 0, 0, 0] <= values[VALIDATION_START:FITTED_ROWS]) & (
        values[VALIDATION_START:FITTED_ROWS] <= bounds[:, 0, 0, 1]
    )
    assert inside.mean() >= 0.8  # of the 20 rows it was calibrated on
    assert np.array_equal(given, forecasts(graph, windows))
    score = artifact.scorecard.series
    assert score is not None
    assert [level.level for level in score.intervals] == [50, 80, 90, 95]
    curve = [(point.low, point.actual, point.high) for point in score.curve]
    held = [
        low <= came <= high for low, came, high in curve if low is not None and high is not None
    ]
    assert len(held) == score.rows
    assert score.curve_level == 80
    assert score.intervals[1].coverage == pytest.approx(np.mean(held))


@pytest.mark.parametrize("recipe", [SMALL, WITHOUT], ids=["validation", "own fit"])
def test_what_is_judged_takes_no_part_in_calibrating_the_judged_network(
    train: Train, recipe: dict[str, object]
) -> None:
    values = wave(ROWS)
    poisoned = np.where(np.arange(ROWS) < FITTED_ROWS, values, 1e6)
    clean, dirty = train(series_of(values), recipe), train(series_of(poisoned), recipe)
    assert clean.bytes_of(JUDGED) == dirty.bytes_of(JUDGED)
    assert clean.bytes_of(MODEL) != dirty.bytes_of(MODEL)


def test_without_validation_rows_a_fit_of_its_own_calibrates_and_changes_no_weight(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, test = series_of(wave(ROWS)), series_of(wave(30), start="2020-06-09")
    control = Recorder()
    artifact = train(content, WITHOUT, test=test, control=control)
    told = intervals_of(artifact)
    assert (told.calibrated_on, told.forecasts_of) == ("last training rows", "a network of its own")
    assert told.forecasts == ROWS - int(0.8 * ROWS)
    assert "calibrating" in control.stages
    assert artifact.scorecard.network == "served"
    monkeypatch.setattr(run._Run, "_errors", lambda *_: "left out for this test")
    without = train(content, WITHOUT, test=test)
    assert without.bytes_of(WEIGHTS) == artifact.bytes_of(WEIGHTS)
    assert without.manifest.series is not None
    assert without.manifest.series.intervals_missing == "left out for this test"
    assert without.scorecard.series is not None
    assert without.scorecard.series.intervals == ()


def calibration_of(values: np.ndarray, **changes: object) -> SeriesCalibration:
    recipe = resolve_recipe("series", {**SMALL, **changes})
    assert isinstance(recipe, SeriesRecipe)
    data = read_series(series_of(values), recipe, target=None, has_test=False)
    return SeriesCalibration(data=data, horizon=1, held_out=True)


def test_too_few_rows_to_calibrate_on_give_no_intervals_and_the_reason() -> None:
    graph = persistence_artifact(window=6).graph
    calibration = calibration_of(
        wave(25), **KEPT_NONE
    )  # 20 before the cut, a fifth of them left out
    scores = calibration.on_last_training(graph, lambda: None)
    found = calibration.calibrated(graph, scores, refitted=False, start_from=None)
    assert found.graph == graph
    assert found.record is None
    assert found.missing == (
        "4 forecasts for rows it was not fitted on are too few to calibrate on; at least 5 are "
        "needed"
    )


def test_what_a_window_cannot_tell_and_where_a_run_started_is_told() -> None:
    graph = persistence_artifact(window=1).graph
    chapter = {**KEPT_NONE, "window": 1, "scaling": "minmax", "anchor": "none"}
    calibration = calibration_of(wave(100), **chapter)
    scores = calibration.on_last_training(graph, lambda: None)
    found = calibration.calibrated(graph, scores, refitted=False, start_from="prices@3")
    assert found.record is not None
    assert found.record.recent_changes == 0
    assert found.record.usual_change == pytest.approx(np.abs(np.diff(wave(100)[:80])).mean())
    assert "a window of 1 is too short" in found.record.volatility
    assert found.record.notes[0].startswith("started from prices@3, which may have been fitted")


def test_where_the_network_adds_nothing_its_anchor_is_calibrated_on_earlier_rows_too() -> None:
    graph = persistence_artifact(window=6).graph
    calibration = calibration_of(wave(ROWS))
    later = calibration.on_validation(graph, lambda: None, anchor=None)
    both = calibration.on_validation(graph, lambda: None, anchor=graph)
    assert len(later.misses) == FITTED_ROWS - VALIDATION_START
    assert both.earlier == VALIDATION_START // 2
    assert len(both.misses) == len(later.misses) + both.earlier
    changes = np.diff(wave(ROWS))[VALIDATION_START // 2 - 1 : FITTED_ROWS - 1]
    np.testing.assert_allclose(both.misses.errors[:, 0], changes)
    served = calibration.for_refitted(both, graph, lambda: None)
    found = calibration.calibrated(graph, served, refitted=True, start_from=None).record
    assert found is not None
    assert (found.forecasts, found.earlier) == (ROWS - VALIDATION_START // 2, both.earlier)
    assert found.calibrated_on == "validation and held-out"
