"""Intervals as nodes: what ONNX Runtime computes is what NumPy does."""

import numpy as np
import onnxruntime
import pytest

from app.artifact.files import FORECAST, HISTORY, INTERVALS
from app.artifact.onnx_session import forecasts, forecasts_with_intervals, session_of
from app.forecasting.intervals import LEVELS, Intervals, Volatility
from app.training.export.interval_graph import with_intervals
from tests.artifacts import persistence_artifact

WINDOW, HORIZON, TARGET = 12, 4, 1


def intervals(volatility: Volatility, *, steps: int, at_least: float | None) -> Intervals:
    half = np.random.default_rng(5).gamma(2.0, size=(steps, len(LEVELS))).cumsum(axis=1)
    return Intervals(volatility=volatility, low=-half, high=2 * half, scores=100, at_least=at_least)


@pytest.mark.parametrize(
    "volatility",
    [
        Volatility(changes=0, usual=3.5, share=0.0),
        Volatility(changes=7, usual=3.5, share=0.5),
        Volatility(changes=11, usual=3.5, share=1.0),
        Volatility(changes=11, usual=None),
    ],
)
@pytest.mark.parametrize(("steps", "at_least"), [(HORIZON, None), (2, 0.0)])
def test_the_graph_gives_the_bounds_that_numpy_gives(
    volatility: Volatility, steps: int, at_least: float | None
) -> None:
    plain = persistence_artifact(window=WINDOW, horizon=HORIZON, features=("a", "b")).graph
    found = intervals(volatility, steps=steps, at_least=at_least)
    graph = with_intervals(plain, found, target=TARGET)
    history = 100 + np.random.default_rng(6).normal(size=(5, WINDOW, 2)).cumsum(axis=1)
    history[0] = 5e5  # quiet
    given, bounds = forecasts_with_intervals(graph, history, (50, 80, 99), check=lambda: None)
    assert bounds is not None
    assert np.array_equal(given, forecasts(plain, history))
    expected = found.bounds(given, history[:, :, TARGET], (50, 80, 99))
    np.testing.assert_allclose(bounds, expected, rtol=1e-12, atol=1e-9)


def test_levels_may_be_left_out_and_a_graph_without_intervals_says_so() -> None:
    plain = persistence_artifact(window=WINDOW).graph
    usual = Volatility(changes=0, usual=1.0, share=0.0)
    graph = with_intervals(plain, intervals(usual, steps=1, at_least=None), target=0)
    session: onnxruntime.InferenceSession = session_of(graph)
    history = np.ones((2, WINDOW, 1))
    assert [each.name for each in session.get_inputs()] == [HISTORY]
    assert [each.name for each in session.get_outputs()] == [FORECAST, INTERVALS]
    assert session.run([INTERVALS], {HISTORY: history})[0].shape == (2, 1, 2, 2)
    assert forecasts_with_intervals(plain, history, (80,), check=lambda: None)[1] is None


def test_a_window_that_hardly_changes_has_the_least_volatility() -> None:
    plain = persistence_artifact(window=3).graph
    found = intervals(Volatility(changes=2, usual=None), steps=1, at_least=None)
    history = np.array([[[1e9], [1e9 + 1e-3], [1e9]]])
    _, bounds = forecasts_with_intervals(
        with_intervals(plain, found, target=0), history, (50,), check=lambda: None
    )
    assert bounds is not None
    # The least volatility there is: a millionth of the largest value.
    assert bounds[0, 0, 0, 1] - 1e9 == pytest.approx(found.high[0, 0] * 1e3, rel=1e-6)
