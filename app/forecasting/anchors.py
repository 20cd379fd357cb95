"""Anchors: the simple forecasts that a network's output is added to.

Each is an affine function of the window of the target's last values,

    forecast of step h = last + Σ_k weights_kh (x_k - last) + level_h (last - center) + intercept_h

computed in double from differences to the last value: of 1,000,000.01 and 1,000,000.00 the
difference is seen, where a sum of products of them would lose it. The same formula stands in the
artifact's graph, and its arrays in `weights.safetensors`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.forecasting.autoregression import MOST_FITTED_ROWS, ridge
from app.forecasting.scaling import WindowScaling

Floats = NDArray[np.float64]

PREFIX = "anchor."  # of its arrays' names among a version's weights
# As in the graph: differences of finite values stay finite.
LARGEST_VALUE = 1e300
# After a nearly flat window a jump is huge in the window's own unit; it counts no more than this.
LARGEST_SCALED_TARGET = 1e3
# An autoregression sees at most a quarter as many values as it has examples; half as many on short
# data, where a season of months would be missed otherwise: ridge regression bears it.
EXAMPLES_PER_LAG = 4
EXAMPLES_PER_FIRST_LAG = 2
FIRST_LAGS = 24
FEWEST_EXAMPLES = 12
# Examples times steps ahead; more take longer than the network they are for.
MOST_FITTED_TARGETS = 2_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Anchor:
    """A simple forecast, ready to forecast from windows."""

    name: str  # as in `recipes.AnchorName`
    season: int | None = None  # rows
    weights: Floats  # (window, horizon), of the differences to the last value, oldest first
    intercept: Floats  # (horizon,), in the target's unit
    level: Floats  # (horizon,), of the last value's distance from `center`
    center: float = 0.0

    @property
    def window(self) -> int:
        """Past values it is given."""
        return int(self.weights.shape[0])

    @property
    def horizon(self) -> int:
        """Steps ahead it forecasts."""
        return int(self.weights.shape[1])

    def forecasts(self, windows: Floats) -> Floats:
        """Forecasts (n, horizon) from windows (n, window) of the target's raw values."""
        values = np.clip(windows, -LARGEST_VALUE, LARGEST_VALUE)
        last = values[:, -1:]  # (n, 1)
        return self.start(last) + (values - last) @ self.weights

    def start(self, last: Floats) -> Floats:
        """What it forecasts (n, horizon) from windows that are `last` (n, 1) throughout."""
        started: Floats = last + (last - self.center) * self.level + self.intercept
        return started

    def arrays(self) -> dict[str, Floats]:
        """All that a reader of its version needs beside its name; nothing for persistence."""
        if self.name == "persistence":
            return {}
        return {
            f"{PREFIX}weights": self.weights,
            f"{PREFIX}intercept": self.intercept,
            f"{PREFIX}level": self.level,
            f"{PREFIX}center": np.array([self.center]),
        }

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], *, name: str, season: int | None
    ) -> Self:
        """The anchor whose `arrays` these are.

        Raises:
            ValueError: one is missing.
        """
        try:
            parts = {
                part: np.asarray(arrays[f"{PREFIX}{part}"], dtype=np.float64)
                for part in ("weights", "intercept", "level", "center")
            }
        except KeyError as error:
            raise ValueError(f"the anchor {name} lacks its array {error}") from error
        return cls(
            name=name,
            season=season,
            weights=parts["weights"],
            intercept=parts["intercept"],
            level=parts["level"],
            center=float(parts["center"][0]),
        )


def persistence(*, window: int, horizon: int) -> Anchor:
    """The last value."""
    return _linear("persistence", np.zeros((window, horizon)))


def last_season(*, season: int, window: int, horizon: int) -> Anchor:
    """The value one season before, the newest known of its place in the season.

    Raises:
        ValueError: the season does not fit into the window.
    """
    weights = _of_last_season(season, window, horizon)
    return _linear("season", weights, season=season)


def last_season_change(*, season: int, window: int, horizon: int) -> Anchor:
    """The last value, and what followed on it one season before.

    Step h is x[t + h - season] + x[t] - x[t - season], continued with its own forecasts past one
    season.

    Raises:
        ValueError: the season and one value more do not fit into the window.
    """
    if window <= season:
        raise ValueError(f"a season of {season} takes a window of {season + 1}, not {window}")
    weights = _of_last_season(season, window, horizon)
    weights[window - 1 - season] -= _seasons_ahead(season, horizon)
    return _linear("season-change", weights, season=season)


def autoregression(
    windows: Floats, targets: Floats, *, lags: int, alone: bool, level: bool = False
) -> Anchor:
    """A linear function of the last values, fitted by ridge regression; see `autoregression.py`.

    A series `alone` has an intercept in its own unit, and with `level` a term for the last value
    itself. That serves a series that returns to a mean farther back than its lags tell (by 5 % at
    most on those tried), and fails one that goes beyond its old values: employment in the USA was
    forecast worse by 3 in 4. So it is left out unless validation data ask for it.

    Where several series share a network they differ in level and size, so that neither term means
    the same in each: their differences are measured in each window's own unit, as the network's
    inputs are, and level and intercept are 0.

    Args:
        windows: (n, window), the target's values in the training rows, oldest first.
        targets: (n, horizon), the values that followed.
        lags: how many of a window's last values it sees.
        alone: they are of one series.
        level: whether the level of a series alone counts.

    Raises:
        ValueError: too few examples, or numbers that regression cannot measure.
    """
    most = max(FEWEST_EXAMPLES, min(MOST_FITTED_ROWS, MOST_FITTED_TARGETS // targets.shape[1]))
    if len(windows) < FEWEST_EXAMPLES:
        raise ValueError(f"{len(windows)} examples; at least {FEWEST_EXAMPLES} needed")
    fewest = 1 if alone and level else 2
    if lags < fewest:
        raise ValueError(f"{lags} past values seen, where differences take {fewest} or more")
    if alone:
        windows, targets = windows[-most:], targets[-most:]
    elif len(windows) > most:  # series after series: some of each
        chosen = np.linspace(0, len(windows) - 1, most).astype(np.int64)
        windows, targets = windows[chosen], targets[chosen]
    with np.errstate(all="ignore"):
        fitted = (
            _fit_alone(windows, targets, lags, level=level)
            if alone
            else _fit_shared(windows, targets, lags)
        )
    if not all(np.isfinite(array).all() for array in fitted.arrays().values()):
        raise ValueError("its values are too large to be squared")
    return fitted


def lags_for(examples: int, *, window: int) -> int:
    """How many values an autoregression sees: the window, or fewer on short data."""
    first = min(FIRST_LAGS, examples // EXAMPLES_PER_FIRST_LAG)
    return min(window, max(first, examples // EXAMPLES_PER_LAG))


def _fit_alone(windows: Floats, targets: Floats, lags: int, *, level: bool) -> Anchor:
    recent = windows[:, -lags:]  # (n, lags)
    size = float(np.abs(recent).max()) or 1.0  # squares of huge values are no numbers any more
    last = recent[:, -1:] / size  # (n, 1)
    differences = recent[:, :-1] / size - last  # (n, lags - 1)
    ahead = targets / size - last  # (n, horizon)
    center = float(last.mean()) if level else 0.0
    columns = np.hstack((differences, last - center)) if level else differences
    weights, intercept = ridge(columns, ahead)
    return Anchor(
        name="autoregression",
        weights=_filled(weights[: lags - 1], windows.shape[1]),
        intercept=intercept * size,
        level=weights[-1] if level else np.zeros(len(intercept)),
        center=center * size,
    )


def _fit_shared(windows: Floats, targets: Floats, lags: int) -> Anchor:
    own = WindowScaling.of(windows[:, :, None])
    usable = ~own.flat[:, 0]
    scaled = own.transform(windows[:, :, None])[usable, -lags:-1, 0]  # (n, lags - 1)
    ahead = own.transform_targets(targets, feature=0)[usable]  # (n, horizon)
    if len(scaled) < FEWEST_EXAMPLES:
        raise ValueError(f"{len(scaled)} examples in which anything changes")
    ahead = np.clip(ahead, -LARGEST_SCALED_TARGET, LARGEST_SCALED_TARGET)
    weights, _ = ridge(scaled, ahead, intercept=False)
    return _linear("autoregression", _filled(weights, windows.shape[1]))


def _filled(weights: Floats, window: int) -> Floats:
    """Weights (lags - 1, horizon) for the whole window: none for older values and for the last."""
    filled = np.zeros((window, weights.shape[1]))
    filled[window - 1 - len(weights) : window - 1] = weights
    return filled


def _linear(name: str, weights: Floats, *, season: int | None = None) -> Anchor:
    none = np.zeros(weights.shape[1])
    return Anchor(name=name, season=season, weights=weights, intercept=none, level=none)


def _of_last_season(season: int, window: int, horizon: int) -> Floats:
    """Weights (window, horizon) that pick the value of each step's place in the last season."""
    if window < season:
        raise ValueError(f"a season of {season} takes a window of {season}, not {window}")
    weights = np.zeros((window, horizon))
    ahead = np.arange(1, horizon + 1)  # (horizon,)
    weights[window - 1 + ahead - season * _seasons_ahead(season, horizon), ahead - 1] = 1.0
    weights[window - 1] = 0.0  # the last value's difference from itself
    return weights


def _seasons_ahead(season: int, horizon: int) -> NDArray[np.int64]:
    """In which season from now each step lies, (horizon,), from 1."""
    return -(-np.arange(1, horizon + 1) // season)
