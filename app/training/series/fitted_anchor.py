"""The anchor of one series: candidates weighed and fitted, with effects of columns known ahead."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.forecasting.anchors import Scale
from app.forecasting.effects import ESTIMATES, Estimate, effects
from app.forecasting.histories import ahead_of
from app.forecasting.holes import filled
from app.forecasting.linear_maps import LinearMap, persistence_map
from app.forecasting.mixture import Mixing, Mixture
from app.forecasting.shrinkage import untrained_share
from app.recipes.recipe import AnchorName
from app.training.series.data import Floats, Group, Ids
from app.training.series.universal import UniversalMember
from app.training.task import Phase

PHASES: tuple[Phase, ...] = ("calibrating", "training", "judging", "refitting")
# Before the logarithm, a value is raised to at least this share of the smallest one.
SHARE_OF_LEAST = 0.1
LARGEST_SHARE = 1e100  # relative to the size of a series: rows after the cut may be extremely large
# Forms whose level belongs to one series and does not suit another.
OF_ONE_LEVEL = frozenset({"values", "seasonal changes", "the window and the level, each step"})
# Effects are used if they reduce the error on later rows at least to this share.
LEAST_GAIN = 0.98


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """What the anchor of each series is mixed from."""

    window: int
    horizon: int
    seasons: tuple[int, ...]
    names: tuple[AnchorName, ...]
    season: int | None  # used to fill holes
    known: tuple[int, ...]  # features known ahead
    universal: UniversalMember | None = None  # if it may have a share

    def mixing(self, values: Floats) -> Mixing:
        """Return the candidates for a series without missing values."""
        return Mixing(
            np.clip(values, -LARGEST_SHARE, LARGEST_SHARE),
            window=self.window,
            horizon=self.horizon,
            seasons=self.seasons,
            names=self.names,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighed:
    """Candidates weighed on one series in one scale, divided by `size`.

    Without the division the squares of huge values would overflow.
    """

    mixed: Mixed
    mixture: Mixture
    values: Floats  # (rows,), in the scale
    known: Floats  # (rows, known)
    estimate: Estimate
    scale: Scale
    size: float
    untrained: Floats | None  # errors of `universal` at the same origins; None: it takes no part
    share: float  # of `universal`

    @property
    def error(self) -> Floats:
        """Return the errors of mixture and `universal` in the series' unit, (origins, horizon)."""
        own = self.mixture.error
        if self.untrained is not None:
            own = own + self.share * (self.untrained - own)
        return self._in_unit(own)

    @property
    def untrained_error(self) -> Floats | None:
        """Return the errors of `universal` in the series' unit, if it takes part."""
        return None if self.untrained is None else self._in_unit(self.untrained)

    def errors(self) -> dict[AnchorName, Floats]:
        """Return the errors of the best form of each candidate, likewise."""
        best: dict[AnchorName, Floats] = {}
        for candidate, own in zip(self.mixture.candidates, self.mixture.errors, strict=True):
            errors, known = self._in_unit(own), best.get(candidate.name)
            if known is None or (errors**2).mean() < (known**2).mean():
                best[candidate.name] = errors
        return best

    def effects(self, stop: int) -> Floats:
        """Return the effects of the known columns in the first rows, in the scale, (known,)."""
        return self.size * effects(self.values[:stop] / self.size, self.known[:stop], self.estimate)

    def fit(self, mixing: Mixing, stop: int, *, without: frozenset[str] = frozenset()) -> LinearMap:
        """Return the mixture fitted on the first `known` rows, without candidates of some forms."""
        weights = tuple(
            0.0 if candidate.form in without else weight
            for candidate, weight in zip(self.mixture.candidates, self.mixture.weights, strict=True)
        )
        linear = mixing.fit(replace(self.mixture, weights=weights), stop)
        return replace(linear, intercept=linear.intercept * self.size)

    def mixing(self, stop: int) -> Mixing:
        """Return the candidates on the series minus its effects, estimated from the first rows."""
        return self.mixed.mixing((self.values - self.known @ self.effects(stop)) / self.size)

    def _in_unit(self, errors: Floats) -> Floats:
        steps = np.arange(errors.shape[-1])
        actual = self.values[self.mixture.origins[:, None] + steps]  # (origins, horizon)
        return self.scale.out_of(actual + self.size * errors) - self.scale.out_of(actual)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedAnchor:
    """The anchor of one series."""

    group: Group
    weighed: Weighed | None  # None if there are too few rows; the anchor is then the last value
    maps: Mapping[Phase, LinearMap]
    shared: Mapping[Phase, LinearMap]  # without the parts that suit this series alone
    effects: Mapping[Phase, Floats]  # (known,) each, in the scale

    @property
    def share(self) -> float:
        """Return the share of `universal`."""
        return 0.0 if self.weighed is None else self.weighed.share

    @property
    def scale(self) -> Scale:
        """Return the scale that the maps are in."""
        return Scale() if self.weighed is None else self.weighed.scale


def fit_anchor(mixed: Mixed, group: Group, start: int, *, shared: bool) -> FittedAnchor:
    """Fit the anchor of one series, in the scale that forecasts better.

    Args:
        mixed: what it is mixed from.
        group: the series.
        start: the first row that the fit for calibration leaves out.
        shared: whether it forecasts other series, too.
    """
    first = int(np.argmax(np.isfinite(group.target)))
    weighed = _weighed(mixed, group, first)
    if weighed is None:
        every = dict.fromkeys(PHASES, persistence_map(window=mixed.window, horizon=mixed.horizon))
        nothing = dict.fromkeys(PHASES, np.zeros(len(mixed.known)))
        return FittedAnchor(group=group, weighed=None, maps=every, shared=every, effects=nothing)
    stops = dict(
        zip(
            PHASES,
            (start, group.split.validation_start, group.split.test_start, group.split.rows),
            strict=True,
        )
    )
    found: dict[Phase, LinearMap] = {}
    found_shared: dict[Phase, LinearMap] = {}
    by_phase: dict[Phase, Floats] = {}
    # Without effects, the candidates are the same in all phases and reuse their measurements.
    same = None if mixed.known else weighed.mixing(0)
    for phase, stop in stops.items():
        rows = max(0, stop - first)
        mixing = same or weighed.mixing(rows)
        found[phase] = weighed.fit(mixing, rows)
        by_phase[phase] = weighed.effects(rows)
        if shared:
            found_shared[phase] = weighed.fit(mixing, rows, without=OF_ONE_LEVEL)
    return FittedAnchor(
        group=group, weighed=weighed, maps=found, shared=found_shared, effects=by_phase
    )


def _weighed(mixed: Mixed, group: Group, first: int) -> Weighed | None:
    """Weigh the candidates on the rows from the first known one to the cut; None if too few."""
    cut = group.split.test_start - first
    target = group.target[first : first + max(cut, 0)]
    if not np.isfinite(target).any():
        return None
    scales = [Scale()]
    least = float(np.nanmin(target))
    if least > 0:
        scales.append(Scale(log=True, floor=least * SHARE_OF_LEAST))
    rows: Ids = np.arange(first, len(group.target))
    known = ahead_of(group.inputs[:, list(mixed.known)], rows, 1)[:, 0]  # (rows, known)
    found = []
    for scale in scales:
        values = scale.into(filled(group.target[first:], season=mixed.season))
        size = 1.0 if scale.log else float(np.abs(values[:cut]).max()) or 1.0
        estimate = _estimate(mixed, values / size, known, cut)
        adjusted = values / size - known @ effects(values[:cut] / size, known[:cut], estimate)
        mixture = mixed.mixing(adjusted).weigh(cut)
        if mixture is not None:
            raw = group.target[first:] if estimate == "none" else scale.out_of(adjusted * size)
            untrained = _untrained(mixed, mixture, filled(raw, season=mixed.season), scale)
            found.append(
                Weighed(
                    mixed=mixed,
                    mixture=mixture,
                    values=values,
                    known=known,
                    estimate=estimate,
                    scale=scale,
                    size=size,
                    untrained=None if untrained is None else untrained / size,
                    share=_share(mixture, untrained, size),
                )
            )
    return min(found, key=lambda each: float((each.error**2).mean()), default=None)


def _untrained(mixed: Mixed, mixture: Mixture, values: Floats, scale: Scale) -> Floats | None:
    """Return the errors of `universal` at the mixture's origins, in the scale.

    Args:
        mixed: what the anchor is mixed from.
        mixture: has the origins.
        values: (rows,), raw, without effects and missing values.
        scale: of the anchor.
    """
    if mixed.universal is None:
        return None
    origins = mixture.origins
    given = mixed.universal.before(values)(origins)  # (n, horizon)
    actual = values[origins[:, None] + np.arange(mixed.horizon)]
    errors: Floats = scale.into(given) - scale.into(actual)
    return errors if np.isfinite(errors).all() else None


def _share(mixture: Mixture, untrained: Floats | None, size: float) -> float:
    if untrained is None:
        return 0.0
    origins, horizon = mixture.origins, untrained.shape[1]
    apart = max(1, int(origins[-1] - origins[0] + 1) // horizon)
    return untrained_share(mixture.error, untrained / size, apart=apart)


def _estimate(mixed: Mixed, values: Floats, known: Floats, cut: int) -> Estimate:
    """Return which effects, estimated on the first half of the rows, help on the second half."""
    if not mixed.known:
        return "none"
    half = cut // 2
    errors: dict[Estimate, float] = {}
    for estimate in ESTIMATES:
        own = values - known @ effects(values[:half], known[:half], estimate)
        mixture = mixed.mixing(own).weigh(cut)
        if mixture is None:
            return "none"
        later = mixture.origins >= half
        errors[estimate] = float((mixture.error[later] ** 2).mean()) ** 0.5
    best = min(errors, key=lambda each: errors[each])
    return best if errors[best] <= LEAST_GAIN * errors["none"] else "none"
