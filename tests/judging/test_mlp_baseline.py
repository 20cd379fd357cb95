from dataclasses import replace

import numpy as np

from app.forecasting.metrics import rmse
from app.judging import mlp_baseline
from tests.judging.series import judged_series, seasonal


def told(*values: np.ndarray[tuple[int], np.dtype[np.float64]], horizon: int = 1) -> object:
    parts = [judged_series(each, 200).judged for each in values]
    return mlp_baseline.mlp_forecasts(parts, horizon=horizon, window=14, check=lambda: None)


def test_a_season_is_learned_and_what_comes_later_changes_nothing() -> None:
    values = seasonal(260)
    poisoned = np.where(np.arange(260) < 230, values, 1e9)
    clean, dirty = told(values), told(poisoned)

    assert isinstance(clean, list)
    assert isinstance(dirty, list)
    assert rmse(values[200:], clean[0][:, 0]) < rmse(values[200:], values[199:-1]) / 2
    assert (clean[0][:31] == dirty[0][:31]).all()


def test_one_perceptron_serves_several_series_and_steps() -> None:
    values = seasonal(260)
    several = told(values, values * 1000.0, horizon=3)

    assert isinstance(several, list)
    assert [each.shape for each in several] == [(60, 3), (60, 3)]
    assert np.allclose(several[1], several[0] * 1000.0)


def test_too_little_to_fit_on_is_reported() -> None:
    part = judged_series(seasonal(60), 20).judged
    bare = replace(part, training=np.empty(0))
    reason = mlp_baseline.mlp_forecasts([bare], horizon=1, window=10, check=lambda: None)

    assert isinstance(reason, str)
    assert reason.startswith("0 examples of")
