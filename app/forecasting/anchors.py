"""Anchors: the simple forecasts that a network's output is added to.

Each is an affine function of the last values of the target, in their own unit or, if the spread of
the series grows with its level, in logarithms:

    z = x or log(max(x, floor))
    forecast of step h = last + Σ_k weights_kh (z_k - last) + level_h (last - center) + intercept_h

The effects of other columns are subtracted from z first, and added to the steps ahead afterwards:
for columns known ahead from their planned values, for others from `expected.Expected`. Before they
are added, `universal` may get a share of the forecast: it is computed elsewhere, from the values
without those effects. All else is computed in double precision from differences to the last value:
they keep the difference of 1,000,000.01 and 1,000,000.00, which a sum of products would lose.
Several series that share a network may each have a function; row 0 is then for any other series.
The same formula is in the artifact's graph, and its arrays are in `weights.safetensors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.forecasting.columns.expected import Expected
from app.forecasting.linear_maps import LinearMap, persistence_map

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

PREFIX = "anchor."  # prefix of its arrays' names among a version's weights
ARRAYS = ("weights", "intercept", "level", "center", "log", "floor")
# As in the graph, so that differences of finite values stay finite.
LARGEST_VALUE = 1e300
LARGEST_LOGARITHM = 690.0  # e to this power is below LARGEST_VALUE
# If the weights of a map sum to 1 within this, the rest is rounding and the level does not count.
LEAST_LEVEL = 1e-6
# After a nearly flat window, a jump is huge in the window's own unit; it counts no more than this.
LARGEST_SCALED_TARGET = 1e3


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What an anchor is affine in: the values or their logarithms."""

    log: bool = False
    floor: float = 0.0  # smaller values are raised to it before the logarithm is taken

    def into(self, values: Floats) -> Floats:
        """Return values in the scale."""
        clipped = np.clip(values, -LARGEST_VALUE, LARGEST_VALUE)
        return np.log(np.maximum(clipped, self.floor)) if self.log else clipped

    def out_of(self, values: Floats) -> Floats:
        """Return values of the scale in the series' own unit."""
        return np.exp(np.minimum(values, LARGEST_LOGARITHM)) if self.log else values


@dataclass(frozen=True, kw_only=True, eq=False)
class Anchor:
    """A fitted simple forecast."""

    name: str  # as in `recipes.AnchorName`
    season: int | None = None  # rows in its season, if it has one
    # One row for all windows, or one for each series and row 0 for any other. For differences to
    # the last value, oldest first: (series, window, horizon).
    weights: Floats
    intercept: Floats  # (series, horizon), in the unit of the scale
    level: Floats  # (series, horizon), weight of the last value's distance from `center`
    center: Floats  # (series,)
    scales: tuple[Scale, ...]  # (series,)
    # Effects of the columns known ahead and then of others, in the unit of the scale:
    # (series, known + expected).
    effects: Floats = field(default_factory=lambda: np.zeros((1, 0)))
    expected: Expected = field(default_factory=Expected)  # how the others continue
    # (series,), the share that `universal` has; empty if it takes no part.
    universal: Floats = field(default_factory=lambda: np.zeros(0))

    @property
    def known(self) -> int:
        """Return the number of columns known ahead that have effects."""
        return int(self.effects.shape[1]) - len(self.expected)

    @property
    def series(self) -> int:
        """Return the number of functions."""
        return int(self.weights.shape[0])

    @property
    def window(self) -> int:
        """Return the number of past values that are read."""
        return int(self.weights.shape[1])

    @property
    def horizon(self) -> int:
        """Return the number of steps ahead."""
        return int(self.weights.shape[2])

    def forecasts(
        self,
        windows: Floats,
        numbers: Ids | None = None,
        *,
        columns: Floats | None = None,
        future: Floats | None = None,
        universal: Floats | None = None,
    ) -> Floats:
        """Return forecasts (n, horizon) from windows of the target's raw values.

        Args:
            windows: (n, window).
            numbers: (n,), the row of each window's series; None for row 0.
            columns: (n, window, known + expected), those with effects; None if there are none.
            future: (n, horizon, known), the columns known ahead for the steps ahead.
            universal: (n, horizon), the forecasts of `universal` from the same windows without the
                effects of the columns; needed if it takes part.
        """
        result = np.empty((len(windows), self.horizon))
        for number, own in self._by_series(len(windows), numbers):
            result[own] = self._of(
                number,
                windows[own],
                None if columns is None else columns[own],
                None if future is None else future[own],
                None if universal is None else universal[own],
            )
        return result

    def without_effects(
        self, windows: Floats, numbers: Ids | None, columns: Floats | None
    ) -> Floats:
        """Return raw windows (n, window) without the effects of other columns."""
        if columns is None or not self.effects.any():
            return windows
        result = np.empty(windows.shape)
        for number, own in self._by_series(len(windows), numbers):
            scale = self.scales[number]
            seen, _ = self.added(number, columns[own], None)
            result[own] = scale.out_of(scale.into(windows[own]) - seen)
        return result

    def _by_series(self, count: int, numbers: Ids | None) -> list[tuple[int, Ids]]:
        """Return each series with the places of its windows."""
        rows = np.zeros(count, np.int64) if numbers is None or self.series == 1 else numbers
        return [(int(number), np.flatnonzero(rows == number)) for number in np.unique(rows)]

    def start(self, last: Floats, number: int = 0) -> Floats:
        """Return forecasts (n, horizon), in the scale, of windows in which all values are `last`.

        `last`, (n, 1), is in the scale, too.
        """
        level, intercept = self.level[number], self.intercept[number]
        started: Floats = last + (last - self.center[number]) * level + intercept
        return started

    def added(self, number: int, columns: Floats, future: Floats | None) -> tuple[Floats, Floats]:
        """Return what columns add, in the scale, to the rows of windows and to the steps ahead.

        Args:
            number: row of the series.
            columns: (n, window, known + expected).
            future: (n, horizon, known); None adds nothing to the steps ahead.

        Returns:
            (n, window) and (n, horizon).
        """
        known, effects = self.known, self.effects[number]
        others = columns[:, :, known:]
        seen = (
            columns[:, :, :known] @ effects[:known] + self.expected.seen(others) @ effects[known:]
        )
        ahead = self.expected.ahead(others, self.horizon, number) @ effects[known:]
        return seen, ahead if future is None else ahead + future @ effects[:known]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that a reader needs besides the name; none for persistence."""
        if self.name == "persistence" and not self.effects.shape[1]:
            return {}
        # A table may have very many weights, and single precision is enough for what is added to
        # the last value.
        weights = self.weights if self.series == 1 else self.weights.astype(np.float32)
        return {
            f"{PREFIX}weights": weights,
            f"{PREFIX}intercept": self.intercept,
            f"{PREFIX}level": self.level,
            f"{PREFIX}center": self.center,
            f"{PREFIX}log": np.array([scale.log for scale in self.scales]),
            f"{PREFIX}floor": np.array([scale.floor for scale in self.scales]),
            f"{PREFIX}effects": self.effects,
            f"{PREFIX}expected_lags": np.array(self.expected.lags, dtype=np.int64),
            f"{PREFIX}expected_share": self.expected.share,
            f"{PREFIX}expected_usual": self.expected.usual,
        } | ({f"{PREFIX}universal": self.universal} if self.universal.any() else {})

    @classmethod
    def of_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], *, name: str, season: int | None
    ) -> Self:
        """Return the anchor with these `arrays`; those of older versions have no rows by series.

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
        shape = (-1, *parts["weights"].shape[-2:])
        logs = arrays.get(f"{PREFIX}log", np.zeros(1, dtype=bool))
        floors = arrays.get(f"{PREFIX}floor", np.zeros(1))
        effects = arrays.get(f"{PREFIX}effects", np.zeros((1, 0)))
        return cls(
            name=name,
            season=season,
            weights=parts["weights"].reshape(shape),
            intercept=parts["intercept"].reshape(-1, shape[-1]),
            level=parts["level"].reshape(-1, shape[-1]),
            center=parts["center"],
            scales=tuple(
                Scale(log=bool(log), floor=float(floor))
                for log, floor in zip(logs, floors, strict=True)
            ),
            effects=np.asarray(effects, dtype=np.float64),
            expected=Expected(
                lags=tuple(arrays.get(f"{PREFIX}expected_lags", np.zeros(0, np.int64)).tolist()),
                share=arrays.get(f"{PREFIX}expected_share", np.zeros((1, 0))),
                usual=arrays.get(f"{PREFIX}expected_usual", np.zeros((1, 0))),
            ),
            universal=np.asarray(arrays.get(f"{PREFIX}universal", np.zeros(0)), dtype=np.float64),
        )

    @classmethod
    def of_maps(
        cls,
        maps: Sequence[LinearMap],
        scales: Sequence[Scale],
        *,
        name: str,
        season: int | None = None,
        centers: Sequence[float] | None = None,
        effects: Sequence[Floats] | None = None,
        expected: Expected | None = None,
        universal: Sequence[float] = (),
    ) -> Self:
        """Return the anchor that has one map for each series.

        Args:
            maps: in the scales.
            scales: one for each map.
            name: of the anchor.
            season: rows in its season, if it has one.
            centers: usual values, in the scale; None for 0. They only reduce rounding errors.
            effects: effects of other columns, (known + expected,) each; None if there are none.
            expected: how those continue that are not known ahead; None if there are none.
            universal: share of `universal` for each map; empty if it takes no part.
        """
        weights = np.stack([each.weights for each in maps])  # (series, window, horizon)
        level = weights.sum(axis=1) - 1  # (series, horizon)
        level[np.abs(level) < LEAST_LEVEL] = 0.0
        center = np.zeros(len(maps)) if centers is None else np.array(centers, dtype=np.float64)
        weights[:, -1] = 0.0  # the last value's difference from itself
        return cls(
            name=name,
            season=season,
            weights=weights,
            intercept=np.stack([each.intercept for each in maps]) + center[:, None] * level,
            level=level,
            center=center,
            scales=tuple(scales),
            effects=np.zeros((len(maps), 0)) if effects is None else np.stack(effects),
            expected=Expected() if expected is None else expected,
            universal=np.array(universal if any(universal) else (), dtype=np.float64),
        )

    def _of(
        self,
        number: int,
        windows: Floats,
        columns: Floats | None,
        future: Floats | None,
        universal: Floats | None,
    ) -> Floats:
        scale, added = self.scales[number], np.zeros(1)
        values = scale.into(windows)
        if columns is not None:
            seen, added = self.added(number, columns, future)
            values = values - seen
        last = values[:, -1:]  # (n, 1)
        ahead = self.start(last, number) + (values - last) @ self.weights[number]
        if len(self.universal):
            if universal is None:
                raise ValueError("the anchor needs the forecasts of universal")
            ahead = ahead + self.universal[number] * (scale.into(universal) - ahead)
        return scale.out_of(ahead + added)


def persistence(*, window: int, horizon: int) -> Anchor:
    """Return the anchor that repeats the last value."""
    linear = persistence_map(window=window, horizon=horizon)
    return Anchor.of_maps([linear], [Scale()], name="persistence")
