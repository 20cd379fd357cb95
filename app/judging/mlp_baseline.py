"""Forecast with the chapter's first attempt, a multilayer perceptron on the last values."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from app.forecasting.scaling import WindowScaling
from app.forecasting.windows import Windows, windows
from app.judging.forecasts import Floats, JudgedSeries
from app.judging.simple_forecasts import MOST_FITTED_STEPS, lags_for

HIDDEN_UNITS = 32
MOST_EXAMPLES = 4_000  # more cost time and hardly change a baseline
MOST_EPOCHS = 60
EPOCHS_WITHOUT_GAIN = 5
BATCH = 128
FEWEST_EXAMPLES = 20
FEWEST_LAGS = 2  # a single value has no spread to scale by
# After a nearly flat window, a jump is huge in units of the window's spread.
LARGEST_TARGET = 10.0


def mlp_forecasts(
    parts: Sequence[JudgedSeries], *, horizon: int, window: int, check: Callable[[], None]
) -> list[Floats] | str:
    """Return the forecasts of one perceptron, fitted on the training rows of all series.

    It sees as many past values as the linear autoregression. Each window is scaled separately, as
    in the default recipe: with a fixed scale the perceptron could not follow a series beyond its
    training range.

    Args:
        parts: the judged series.
        horizon: steps ahead.
        window: past values that the network sees.
        check: called before and after the fit; may raise to stop.

    Returns:
        (n, horizon) for each part, NaN if there is too little history or the step was not fitted;
        or the reason why there are no forecasts.
    """
    check()
    steps = min(horizon, MOST_FITTED_STEPS)
    longest = max((len(part.training) for part in parts), default=0)
    lags = max(FEWEST_LAGS, lags_for(longest, window=window, season=None))
    examples = _newest(Windows.join([_windows(p.training, lags, steps) for p in parts]))
    scaling = WindowScaling.of(examples.inputs)
    usable = ~scaling.flat[:, 0]
    if usable.sum() < FEWEST_EXAMPLES:
        return (
            f"{int(usable.sum())} examples of {lags} values come before the judged rows; it needs "
            f"{FEWEST_EXAMPLES}"
        )
    inputs = scaling.transform(examples.inputs)[usable, :, 0]  # (n, lags)
    targets = scaling.transform_targets(examples.targets, feature=0)[usable]  # (n, steps)
    network = MLPRegressor(
        hidden_layer_sizes=(HIDDEN_UNITS,),
        batch_size=min(BATCH, len(inputs)),
        max_iter=MOST_EPOCHS,
        n_iter_no_change=EPOCHS_WITHOUT_GAIN,
        tol=1e-4,
        random_state=0,
    )
    with warnings.catch_warnings():
        # training stops at its limit, not at convergence
        warnings.simplefilter("ignore", ConvergenceWarning)
        clipped = np.clip(targets, -LARGEST_TARGET, LARGEST_TARGET)
        network.fit(inputs, clipped[:, 0] if steps == 1 else clipped)
    check()
    return [_forecasts(network, part, lags=lags, steps=steps, horizon=horizon) for part in parts]


def _windows(values: Floats, lags: int, steps: int) -> Windows:
    return windows(values[:, None], values, window=lags, horizon=steps)


def _newest(examples: Windows) -> Windows:
    """Limit the examples: an even share of each series, the newest of a single one."""
    if len(examples) <= MOST_EXAMPLES:
        return examples
    several = bool((np.diff(examples.first) <= 0).any())
    chosen = np.zeros(len(examples), dtype=bool)
    if several:
        chosen[np.linspace(0, len(examples) - 1, MOST_EXAMPLES).astype(int)] = True
    else:
        chosen[-MOST_EXAMPLES:] = True
    return examples.where(chosen)


def _forecasts(
    network: MLPRegressor, part: JudgedSeries, *, lags: int, steps: int, horizon: int
) -> Floats:
    result = np.full((len(part), horizon), np.nan)
    enough = part.first >= lags
    places = part.first[enough, None] - np.arange(lags, 0, -1)  # (enough, lags)
    recent = part.values[places]  # (enough, lags), oldest first
    known = np.isfinite(recent).all(axis=1)
    if not known.any():
        return result
    inputs = recent[known][:, :, None]  # (known, lags, 1)
    scaling = WindowScaling.of(inputs)
    outputs = network.predict(scaling.transform(inputs)[:, :, 0]).reshape(len(inputs), steps)
    rows = np.flatnonzero(enough)[known]
    result[rows, :steps] = scaling.inverse(outputs, feature=0)
    return result
