"""The anchor of one series: a mixture of simple forecasts, weighed on rolling origins.

Candidates forecast, in blocks of time, from origins that they were not fitted on. The weights w,
not negative and with sum 1, minimise

    mean((w · errors)²) + shrinkage · least error² / n · candidates · |w - usual|²

where n is the number of forecasts that do not overlap and the usual weights are the inverse fourth
power of the candidates' errors. With many origins the errors decide; with few, the result is close
to an average of the best candidates (regularised stacking: Breiman 1996; Diebold & Shin 2019 on
shrinking towards an average).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.forecasting.autoregression import FEWEST_EXAMPLES, ridge
from app.forecasting.holes import led
from app.forecasting.iterated import Differences, iterated_autoregression
from app.forecasting.linear_maps import (
    LinearMap,
    homogeneous,
    mixed,
    persistence_map,
    season_change_map,
    season_drift_map,
    season_map,
    theta_map,
)
from app.forecasting.shrinkage import FEWEST_ORIGINS as FEWEST_ORIGINS_TO_TEST
from app.forecasting.shrinkage import kept_share, on_simplex
from app.forecasting.smoothing import Smoother, smoothers, smoothing_map, smoothing_maps
from app.recipes.recipe import AnchorName

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

MOST_ORIGINS = 150
MOST_STEPS = 3_000  # of all origins together: close origins of a long horizon say the same
BLOCKS = 4
# needed to weigh a smoother's parameters; with fewer, those of the block itself are used
FEWEST_ORIGINS = 5
MOST_CANDIDATES = 12  # only the best get a weight
USUAL_POWER = 4  # exponent of the inverse squared error
SHRINKAGE = 1.0
# How much one row counts when the parameters of a smoother are chosen.
DECISION = 0.15
THETA_ALPHA = 0.3
# An autoregression on the window sees at most a quarter as many values as it has examples, or half
# as many on short data.
EXAMPLES_PER_LAG = 4
EXAMPLES_PER_FIRST_LAG = 2
FIRST_LAGS = 24
MOST_LAGS = 192  # one week of hours and a day; with more, the singular values take seconds
MOST_FITTED_ROWS = 4000
ITERATIONS = 800  # of the projected gradient; after that the weights hardly change


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One of the forecasts that an anchor is mixed from."""

    name: AnchorName
    form: str  # which of several with that name, in words; "" if there is only one


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """The weights of the candidates for one series, and their forecasts at the origins."""

    candidates: tuple[Candidate, ...]
    weights: tuple[float, ...]
    origins: Ids  # (n,), how many rows are known before each
    errors: Floats  # (candidates, n, horizon), forecast minus actual

    @property
    def error(self) -> Floats:
        """Return the errors of the mixture itself, (n, horizon)."""
        own: Floats = np.tensordot(np.array(self.weights), self.errors, axes=1)
        return own


class Mixing:
    """The candidates for one series, to be weighed and fitted."""

    def __init__(
        self,
        values: Floats,
        *,
        window: int,
        horizon: int,
        seasons: tuple[int, ...],
        names: Sequence[AnchorName],
    ) -> None:
        """Prepare the candidates for a series.

        Args:
            values: (rows,), without missing values; their squares must be finite.
            window: how many past values the maps take.
            horizon: how many steps ahead the maps forecast.
            seasons: rows in each; seasons that do not fit twice are left out.
            names: the candidates that may take part.
        """
        self._values = values
        self._window = window
        self._horizon = horizon
        self._seasons = tuple(each for each in seasons if 2 * each + horizon <= len(values))
        self._names = names
        # More rows in front, so that every origin has a window.
        self._padded = led(values, window, season=self._season)
        self._losses: dict[bytes, Floats] = {}
        self._fits: dict[tuple[bytes, int, Candidate], LinearMap | None] = {}

    @property
    def _season(self) -> int | None:
        return self._seasons[0] if self._seasons else None

    def weigh(self, until: int) -> Mixture | None:
        """Weigh the candidates on origins whose targets end by row `until`; None if too few."""
        origins = self._origins(until)
        if not len(origins):
            return None
        actual = self._values[origins[:, None] + np.arange(self._horizon)]  # (n, horizon)
        edges = np.linspace(origins[0], until - self._horizon + 1, BLOCKS + 1).astype(int)
        block = (np.searchsorted(edges, origins, side="right") - 1).clip(0, BLOCKS - 1)
        found: list[tuple[Candidate, Floats]] = []
        for candidate, fit in self._candidates(origins):
            errors = np.empty(actual.shape)
            for number in np.unique(block):
                inside = block == number
                linear = fit(int(edges[number]))
                if linear is None:
                    break
                errors[inside] = linear.forecasts(self._windows(origins[inside])) - actual[inside]
            else:
                if np.isfinite(errors).all():
                    found.append((candidate, errors))
        if not found:
            return None
        errors = np.stack([each for _, each in found])
        apart = max(1, int(origins[-1] - origins[0] + 1) // self._horizon)
        candidates = tuple(candidate for candidate, _ in found)
        weights = self._moved_to_the_last_value(candidates, errors, _weights(errors, apart=apart))
        return Mixture(
            candidates=candidates,
            weights=tuple(weights.tolist()),
            origins=origins,
            errors=errors,
        )

    def _moved_to_the_last_value(
        self, candidates: Sequence[Candidate], errors: Floats, weights: Floats
    ) -> Floats:
        """Give the last value what the average is not better than it by more than noise.

        On a random walk an average of forecasts that were fitted wins by chance, and loses later. A
        series with a season is left alone: there the last value is no alternative.
        """
        names = [candidate.name for candidate in candidates]
        too_few = errors.shape[1] < FEWEST_ORIGINS_TO_TEST
        if self._season is not None or "persistence" not in names or too_few:
            return weights
        last = names.index("persistence")
        average: Floats = np.tensordot(weights, errors, axes=1)  # (n, horizon)
        share = kept_share(-errors[last], average - errors[last])
        moved: Floats = share * weights
        moved[last] += 1 - share
        return moved

    def fit(self, mixture: Mixture, known: int) -> LinearMap:
        """Return the mixture with its members fitted on the first `known` rows.

        A member for which these are too few leaves its weight to the others.
        """
        origins = self._origins(known)
        if len(origins) < FEWEST_ORIGINS:
            origins = mixture.origins
        fits = dict(self._candidates(origins))
        maps, weights = [], []
        for candidate, weight in zip(mixture.candidates, mixture.weights, strict=True):
            if not weight:
                continue
            key = (origins.tobytes(), known, candidate)
            if key not in self._fits:
                self._fits[key] = fits[candidate](known)
            linear = self._fits[key]
            if linear is not None:
                maps.append(linear)
                weights.append(weight)
        if not maps:
            return persistence_map(window=self._window, horizon=self._horizon)
        return mixed(maps, [weight / sum(weights) for weight in weights])

    def _origins(self, until: int) -> Ids:
        """Return the rows known before each forecast, evenly spread over the later ones."""
        longest = max(self._seasons, default=4)
        last = until - self._horizon
        first = max(1, min(max(2 * longest, until // 4), last - 3))
        most = min(MOST_ORIGINS, max(FEWEST_ORIGINS_TO_TEST, MOST_STEPS // self._horizon))
        step = max(1, (last - first + 1) // most)
        return np.arange(last, first - 1, -step)[::-1]

    def _windows(self, origins: Ids) -> Floats:
        """Return the windows before some origins, (n, window)."""
        view = np.lib.stride_tricks.sliding_window_view(self._padded, self._window)
        windows: Floats = view[origins]
        return windows

    def _candidates(
        self, origins: Ids
    ) -> list[tuple[Candidate, Callable[[int], LinearMap | None]]]:
        every = [*self._smoothings(origins), *self._autoregressions(), *self._fixed()]
        return [(each, fit) for each, fit in every if each.name in self._names]

    def _smoothings(
        self, origins: Ids
    ) -> list[tuple[Candidate, Callable[[int], LinearMap | None]]]:
        if "smoothing" not in self._names:
            return []
        own = smoothers(self._seasons)
        maps = smoothing_maps(self._window, self._horizon, self._seasons)
        losses = self._smoothing_losses(origins)  # (n, smoothers)

        def fit(chosen: Ids, known: int) -> LinearMap:
            seen = int(np.searchsorted(origins + self._horizon, known, side="right"))
            seen = seen if seen >= FEWEST_ORIGINS else len(origins)
            loss = losses[:seen, chosen].mean(axis=0)  # (chosen,)
            least = loss.min()
            rows = origins[seen - 1] - origins[0] + 1
            ratio = loss / least if least > 0 else np.where(loss > 0, np.inf, 1.0)
            weights = ratio ** (-DECISION * rows)
            return homogeneous(np.tensordot(weights / weights.sum(), maps[chosen], axes=1))

        groups: dict[Candidate, list[int]] = {}
        for number, smoother in enumerate(own):
            groups.setdefault(_smoothing_candidate(smoother, self._seasons), []).append(number)
        return [
            (candidate, partial(fit, np.array(numbers))) for candidate, numbers in groups.items()
        ]

    def _smoothing_losses(self, origins: Ids) -> Floats:
        """Return the mean squared error over the horizon of each smoother at each origin."""
        key = origins.tobytes()
        if key not in self._losses:
            maps = smoothing_maps(self._window, self._horizon, self._seasons)
            windows = self._windows(origins)
            last = windows[:, -1:]  # (n, 1)
            actual = self._values[origins[:, None] + np.arange(self._horizon)] - last
            flat = maps.transpose(1, 0, 2).reshape(self._window, -1)
            ahead = ((windows - last) @ flat).reshape(len(origins), len(maps), self._horizon)
            self._losses[key] = ((ahead - actual[:, None]) ** 2).mean(axis=2)
        return self._losses[key]

    def _autoregressions(self) -> list[tuple[Candidate, Callable[[int], LinearMap | None]]]:
        season = self._season
        forms = {"values": Differences(constant=True), "changes": Differences(lags=(1,))}
        if season is not None:
            forms["seasonal changes"] = Differences(lags=(season,), constant=True)
            forms["changes of seasonal changes"] = Differences(lags=(1, season))

        def iterated(differences: Differences, known: int) -> LinearMap | None:
            return iterated_autoregression(
                self._values[:known],
                differences,
                window=self._window,
                horizon=self._horizon,
                season=season,
            )

        return [
            *(
                (Candidate(name="autoregression", form=form), partial(iterated, differences))
                for form, differences in forms.items()
            ),
            (
                Candidate(name="autoregression", form="the window, each step by itself"),
                lambda known: self._direct(known, level=False),
            ),
            (
                Candidate(name="autoregression", form="the window and the level, each step"),
                lambda known: self._direct(known, level=True),
            ),
        ]

    def _direct(self, known: int, *, level: bool) -> LinearMap | None:
        """Return a ridge regression of each step on the window's last values."""
        examples = known - self._horizon
        lags = min(self._window, lags_for(examples), examples - FEWEST_EXAMPLES, MOST_LAGS)
        if lags < 3:
            return None
        return ridge_map(
            self._values[:known],
            lags=lags,
            window=self._window,
            horizon=self._horizon,
            level=level,
        )

    def _fixed(self) -> list[tuple[Candidate, Callable[[int], LinearMap | None]]]:
        shape = {"window": self._window, "horizon": self._horizon}
        found: dict[AnchorName, LinearMap] = {"persistence": persistence_map(**shape)}
        season = self._season
        gammas = () if season is None else (0.1,)
        smoother = Smoother(alpha=THETA_ALPHA, gammas=gammas)
        level = smoothing_map(smoother, **shape, seasons=self._seasons[:1])
        found["theta"] = theta_map(level, season=season)
        if season is not None and season < self._window:
            found["season"] = season_map(season=season, **shape)
            found["season-change"] = season_change_map(season=season, **shape)
        if season is not None and 2 * season <= self._window:
            found["season-drift"] = season_drift_map(season=season, **shape)
        return [
            (Candidate(name=name, form=""), partial(_always, linear))
            for name, linear in found.items()
        ]


def lags_for(examples: int) -> int:
    """Return how many values a regression on the window sees, given its number of examples."""
    first = min(FIRST_LAGS, examples // EXAMPLES_PER_FIRST_LAG)
    return max(first, examples // EXAMPLES_PER_LAG)


def ridge_map(
    values: Floats, *, lags: int, window: int, horizon: int, level: bool
) -> LinearMap | None:
    """Fit a linear function of the last values for each step; see `autoregression.ridge`.

    Args:
        values: (rows,) to fit on, without missing values.
        lags: how many of a window's last values are used.
        window: how many past values the map takes.
        horizon: how many steps ahead the map forecasts.
        level: whether the last value itself counts, besides the differences to it.

    Returns:
        None if there are too few examples.
    """
    view = np.lib.stride_tricks.sliding_window_view
    if len(values) < lags + horizon + FEWEST_EXAMPLES:
        return None
    examples = view(values, lags + horizon)[-MOST_FITTED_ROWS:]  # (n, lags + horizon)
    last = examples[:, lags - 1 : lags]  # (n, 1)
    columns = examples[:, : lags - 1] - last
    center = float(last.mean())
    if level:
        columns = np.hstack((columns, last - center))
    found, intercept = ridge(columns, examples[:, lags:] - last)
    weights = np.zeros((window, horizon))
    weights[window - lags : window - 1] = found[: lags - 1]
    weights[-1] = 1 - found[: lags - 1].sum(axis=0)
    if level:
        weights[-1] += found[-1]
        intercept = intercept - center * found[-1]
    return LinearMap(weights=weights, intercept=intercept)


def _always(linear: LinearMap, known: int) -> LinearMap:
    """Return a map that needs no fitting."""
    del known
    return linear


def _smoothing_candidate(smoother: Smoother, seasons: tuple[int, ...]) -> Candidate:
    own = seasons[: len(smoother.gammas)]
    told = "".join(f", season of {each}" for each in own)
    return Candidate(name="smoothing", form=f"{smoother.trend}{told}")


def _weights(errors: Floats, *, apart: int) -> Floats:
    """Return the weights of candidates from their errors (candidates, n, horizon).

    Args:
        errors: at the same origins.
        apart: how many of the forecasts do not overlap.
    """
    losses = (errors**2).mean(axis=(1, 2))
    kept = np.argsort(losses, kind="stable")[:MOST_CANDIDATES]
    weights = np.zeros(len(errors))
    least = losses[kept[0]]
    if least <= 0:
        weights[kept[0]] = 1.0
        return weights
    usual = (losses[kept] / least) ** -USUAL_POWER
    usual /= usual.sum()
    flat = errors[kept].reshape(len(kept), -1) / np.sqrt(least)
    penalty = SHRINKAGE / apart * len(kept)
    normal = flat @ flat.T / flat.shape[1] + penalty * np.eye(len(kept))
    step = 1 / np.linalg.eigvalsh(normal)[-1]
    own = usual.copy()
    for _ in range(ITERATIONS):
        own = on_simplex(own - step * (normal @ own - penalty * usual))
    weights[kept] = own
    return weights
