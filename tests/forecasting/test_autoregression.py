import numpy as np
import pytest
import sklearn
from numpy.typing import NDArray

from app.forecasting.autoregression import PENALTIES, LinearAutoregression, ridge
from app.forecasting.baselines import Persistence
from app.forecasting.metrics import rmse

Floats = NDArray[np.float64]


def autoregressive(rows: int, *, weights: tuple[float, ...], seed: int = 0) -> Floats:
    generator = np.random.default_rng(seed)
    values = list(generator.normal(size=len(weights)))
    for shock in generator.normal(size=rows):
        values.append(sum(w * v for w, v in zip(weights, values[:-4:-1], strict=False)) + shock)
    return np.array(values)


def examples(
    values: Floats, *, lags: int, horizon: int, level: bool
) -> tuple[Floats, Floats, Floats]:
    """Return standardised lags, targets and last values, each computed in a loop."""
    lagged, ahead, last = [], [], []
    for now in range(lags, len(values) - horizon + 1):
        last.append(values[now - 1])
        differences = values[now - lags : now - 1] - values[now - 1]
        lagged.append(np.append(differences, values[now - 1]) if level else differences)
        ahead.append(values[now : now + horizon] - values[now - 1])
    return (
        sklearn.preprocessing.StandardScaler().fit_transform(np.array(lagged)),
        np.array(ahead),
        np.array(last),
    )


@pytest.mark.parametrize("penalty", [0.0, 0.01, 10.0])
@pytest.mark.parametrize("level", [True, False])
def test_equals_scikit_learn_s_ridge(*, penalty: float, level: bool) -> None:
    values = autoregressive(300, weights=(0.5, 0.2, -0.3)) + 50
    x, y, last = examples(values, lags=6, horizon=3, level=level)
    # scikit-learn's penalty is on the sum over rows, ours per row.
    reference = sklearn.linear_model.Ridge(alpha=penalty * len(x)).fit(x, y)
    model = LinearAutoregression(lags=6, horizon=3, penalty=penalty, level=level).fit(values)
    mine = model.forecasts(values, np.arange(6, len(values) - 2), horizon=3)
    np.testing.assert_allclose(mine, last[:, None] + reference.predict(x), rtol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_the_penalty_of_each_step_is_the_best_of_leaving_rows_out(seed: int) -> None:
    values = autoregressive(60, weights=(0.3,), seed=seed)
    x, y, last = examples(values, lags=9, horizon=2, level=True)
    model = LinearAutoregression(lags=9, horizon=2).fit(values)
    mine = model.forecasts(values, np.arange(9, len(values) - 1), horizon=2)
    for step in range(2):
        reference = sklearn.linear_model.RidgeCV(alphas=PENALTIES * len(x)).fit(x, y[:, step])
        np.testing.assert_allclose(mine[:, step], last + reference.predict(x), rtol=1e-8)


@pytest.mark.parametrize("intercept", [True, False])
def test_of_few_rows_each_is_left_out_with_what_it_moves(*, intercept: bool) -> None:
    chance = np.random.default_rng(0)
    x = chance.normal(1.0, 1.0, size=(9, 3))
    y = x @ chance.normal(size=(3, 40)) + 2 * chance.normal(size=(9, 40))
    weights, level = ridge(x, y, intercept=intercept)
    spread = x.std(axis=0) if intercept else np.sqrt((x**2).mean(axis=0))
    for output in range(40):
        reference = sklearn.linear_model.RidgeCV(alphas=PENALTIES * 9, fit_intercept=intercept)
        reference.fit(x / spread, y[:, output])
        np.testing.assert_allclose(weights[:, output], reference.coef_ / spread, rtol=1e-8)
        np.testing.assert_allclose(level[output], reference.intercept_, rtol=1e-8)


def test_finds_the_structure_there_is() -> None:
    values = autoregressive(4000, weights=(0.2, 0.5, -0.4))
    model = LinearAutoregression(lags=10).fit(values[:3000])
    places = np.arange(3000, len(values))
    forecasts = model.forecasts(values, places, horizon=1)[:, 0]
    best = 0.2 * values[places - 1] + 0.5 * values[places - 2] - 0.4 * values[places - 3]
    assert rmse(values[places], forecasts) < 1.02 * rmse(values[places], best)
    naive = Persistence().forecasts(values, places, horizon=1)[:, 0]
    assert rmse(values[places], naive) > 1.2


def test_on_a_random_walk_it_stays_close_to_the_last_value() -> None:
    values = np.random.default_rng(0).normal(size=3000).cumsum()
    model = LinearAutoregression(lags=20).fit(values[:1000])
    places = np.arange(1000, 3000)
    forecasts = model.forecasts(values, places, horizon=1)[:, 0]
    assert rmse(values[places], forecasts) < 1.02 * rmse(values[places], values[places - 1])


@pytest.mark.parametrize("level", [True, False])
def test_level_and_unit_carry_over(*, level: bool) -> None:
    values = autoregressive(200, weights=(0.5,))
    places = np.array([150, 200])
    plain = (
        LinearAutoregression(lags=5, level=level).fit(values).forecasts(values, places, horizon=1)
    )
    moved = values * 1e6 + 1e9
    other = LinearAutoregression(lags=5, level=level).fit(moved).forecasts(moved, places, horizon=1)
    np.testing.assert_allclose(other, plain * 1e6 + 1e9, rtol=1e-9)


def test_a_constant_series_is_forecast_to_stay() -> None:
    values = np.full(50, 3.25)
    model = LinearAutoregression(lags=4, horizon=2).fit(values)
    assert model.forecasts(values, np.array([50]), horizon=2).tolist() == [[3.25, 3.25]]


def test_without_level_a_shift_of_the_series_shifts_the_forecast() -> None:
    values = autoregressive(200, weights=(0.5,))
    model = LinearAutoregression(lags=5, level=False).fit(values)
    places = np.array([100, 200])
    plain = model.forecasts(values, places, horizon=1)
    np.testing.assert_allclose(model.forecasts(values + 1000, places, horizon=1), plain + 1000)


def test_gaps_are_left_out_of_the_fit_and_give_nan() -> None:
    values = autoregressive(200, weights=(0.5,))
    values[100] = np.nan
    model = LinearAutoregression(lags=3).fit(values)
    forecasts = model.forecasts(values, np.array([100, 101, 103, 104]), horizon=1)[:, 0]
    np.testing.assert_array_equal(np.isnan(forecasts), [False, True, True, False])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="2 examples of 4 values and the next 1"):
        LinearAutoregression(lags=4).fit(np.arange(6.0))
    LinearAutoregression(lags=4).fit(np.arange(7.0))
    with pytest.raises(ValueError, match="0 examples"):
        LinearAutoregression(lags=4).fit(np.empty(0))
    with pytest.raises(ValueError, match="was not fitted"):
        LinearAutoregression(lags=4).forecasts(np.ones(9), np.array([9]), horizon=1)
    fitted = LinearAutoregression(lags=4).fit(np.arange(30.0))
    with pytest.raises(ValueError, match="asked for 2 steps, fitted for 1"):
        fitted.forecasts(np.ones(9), np.array([9]), horizon=2)
    with pytest.raises(ValueError, match="lags 0 and horizon 1; at least 1"):
        LinearAutoregression(lags=0)
    with pytest.raises(ValueError, match="lags 1 and horizon 0"):
        LinearAutoregression(lags=1, horizon=0)
    with pytest.raises(ValueError, match="at least 2"):
        LinearAutoregression(lags=1, level=False)
