"""The anchor of one series: candidates weighed and fitted, with effects of other columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.artifact.series_records import UniversalShare
from app.forecasting.anchors import Scale
from app.forecasting.columns.effects import effects
from app.forecasting.columns.expected import Expected, continued
from app.forecasting.histories import ahead_of
from app.forecasting.holes import filled
from app.forecasting.linear_maps import LinearMap, persistence_map
from app.forecasting.metrics import rmse
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
    # features with effects that are not known ahead, and after how many rows each acts
    expected: tuple[tuple[int, int], ...] = ()

    @property
    def columns(self) -> tuple[int, ...]:
        """Return the features with effects."""
        return (*self.known, *(feature for feature, _ in self.expected))

    @property
    def lags(self) -> tuple[int, ...]:
        """Return after how many rows those act that are not known ahead."""
        return tuple(lag for _, lag in self.expected)

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
class Columns:
    """The columns with effects on one series, without missing values."""

    acting: Floats  # (rows, columns), what acts in each row
    others: Floats  # (rows, expected), those that are not known ahead, as they are
    lags: tuple[int, ...]

    def expected(self, stop: int) -> Expected:
        """Return how those continue that are not known ahead, as measured on the first rows."""
        share, usual = continued(self.others[:stop])
        return Expected(lags=self.lags, share=share[None], usual=usual[None])

    def missed(self, origins: Ids, horizon: int) -> Floats:
        """Return expected minus actual columns after some origins, (n, horizon, columns).

        It is 0 for columns known ahead.
        """
        missed = np.zeros((len(origins), horizon, self.acting.shape[1]))
        if not self.lags:
            return missed
        # An origin sees the rows before it, of which the newest few say how a column continues.
        rows = np.maximum(origins[:, None] + np.arange(-max(self.lags) - 1, 0), 0)
        ahead = self.expected(int(origins[-1])).ahead(self.others[rows], horizon)
        first = self.acting.shape[1] - len(self.lags)
        actual = self.acting[origins[:, None] + np.arange(horizon), first:]
        missed[:, :, first:] = ahead - actual
        return missed


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighed:
    """Candidates weighed on one series in one scale, divided by `size`.

    Without the division the squares of huge values would overflow.
    """

    mixed: Mixed
    mixture: Mixture
    values: Floats  # (rows,), in the scale
    columns: "Columns"
    has_effects: bool  # whether the columns help on later rows
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
        """Return the effects of the columns in the first rows, in the scale, (columns,)."""
        acting = self.columns.acting[:stop]
        if not self.has_effects:
            return np.zeros(acting.shape[1])
        return self.size * effects(self.values[:stop] / self.size, acting)

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
        return self.mixed.mixing(
            (self.values - self.columns.acting @ self.effects(stop)) / self.size
        )

    def _in_unit(self, errors: Floats) -> Floats:
        steps = np.arange(errors.shape[-1])
        origins = self.mixture.origins
        actual = self.values[origins[:, None] + steps]  # (origins, horizon)
        missed = self.columns.missed(origins, errors.shape[-1]) @ self.effects(len(self.values))
        wrong = self.size * errors + missed
        return self.scale.out_of(actual + wrong) - self.scale.out_of(actual)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedAnchor:
    """The anchor of one series."""

    group: Group
    weighed: Weighed | None  # None if there are too few rows; the anchor is then the last value
    maps: Mapping[Phase, LinearMap]
    shared: Mapping[Phase, LinearMap]  # without the parts that suit this series alone
    effects: Mapping[Phase, Floats]  # (columns,) each, in the scale
    expected: Mapping[Phase, Expected]
    whole: bool = False  # the forecast is `universal` with the effects of columns, nothing else

    @property
    def share(self) -> float:
        """Return the share of `universal`."""
        if self.whole:
            return 1.0
        return 0.0 if self.weighed is None else self.weighed.share

    def of_universal(self, mixed: Mixed) -> "FittedAnchor":
        """Return the anchor that is `universal` with the same effects of columns."""
        every = dict.fromkeys(PHASES, persistence_map(window=mixed.window, horizon=mixed.horizon))
        return replace(self, maps=every, shared=every, whole=True)

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
        return _of_the_last_value(mixed, group)
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
    expected: dict[Phase, Expected] = {}
    same = None if mixed.columns else weighed.mixing(0)
    for phase, stop in stops.items():
        rows = max(0, stop - first)
        mixing = same or weighed.mixing(rows)
        found[phase] = weighed.fit(mixing, rows)
        by_phase[phase] = weighed.effects(rows)
        expected[phase] = weighed.columns.expected(rows)
        if shared:
            found_shared[phase] = weighed.fit(mixing, rows, without=OF_ONE_LEVEL)
    return FittedAnchor(
        group=group,
        weighed=weighed,
        maps=found,
        shared=found_shared,
        effects=by_phase,
        expected=expected,
    )


def universal_share(
    member: UniversalMember | str | None, fitted: Sequence[FittedAnchor]
) -> UniversalShare | None:
    """Return what the manifest says about `universal`; None if the recipe leaves it out."""
    if member is None:
        return None
    if isinstance(member, str):
        return UniversalShare(missing=member)
    number = member.network.number
    if all(each.whole for each in fitted):
        return UniversalShare(version=number, share=1.0, series=len(fitted))
    known = [each.weighed for each in fitted if each.weighed is not None]
    errors = [each.untrained_error for each in known]
    measured = [each for each in errors if each is not None]
    if not measured:
        return UniversalShare(missing="there are too few rows to weigh it on")
    return UniversalShare(
        version=number,
        share=float(np.mean([each.share for each in fitted])),
        series=sum(each.share > 0 for each in fitted),
        error=rmse(np.concatenate([each.ravel() for each in measured]), np.zeros(1))
        if len(fitted) == 1
        else None,
    )


def _of_the_last_value(mixed: Mixed, group: Group) -> FittedAnchor:
    """Return the anchor of a series with too few rows: its last value."""
    every = dict.fromkeys(PHASES, persistence_map(window=mixed.window, horizon=mixed.horizon))
    none = np.zeros((1, len(mixed.expected)))
    return FittedAnchor(
        group=group,
        weighed=None,
        maps=every,
        shared=every,
        effects=dict.fromkeys(PHASES, np.zeros(len(mixed.columns))),
        expected=dict.fromkeys(PHASES, Expected(lags=mixed.lags, share=none, usual=none)),
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
    columns = _columns(mixed, group, first)
    found = []
    for scale in scales:
        values = scale.into(filled(group.target[first:], season=mixed.season))
        size = 1.0 if scale.log else float(np.abs(values[:cut]).max()) or 1.0
        has_effects = _have_effects(mixed, values / size, columns, cut)
        own = values / size
        if has_effects:
            own = own - columns.acting @ effects(own[:cut], columns.acting[:cut])
        mixture = mixed.mixing(own).weigh(cut)
        if mixture is not None:
            raw = scale.out_of(own * size) if has_effects else group.target[first:]
            untrained = _untrained(mixed, mixture, filled(raw, season=mixed.season), scale)
            found.append(
                Weighed(
                    mixed=mixed,
                    mixture=mixture,
                    values=values,
                    columns=columns,
                    has_effects=has_effects,
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


def _columns(mixed: Mixed, group: Group, first: int) -> Columns:
    """Return the columns of a series from the first known row of its target on."""
    rows: Ids = np.arange(first, len(group.target))
    given = ahead_of(group.inputs[:, list(mixed.columns)], rows, 1)[:, 0]  # (rows, columns)
    others = given[:, len(mixed.known) :]
    acting = Expected(lags=mixed.lags).seen(others)
    return Columns(
        acting=np.concatenate((given[:, : len(mixed.known)], acting), axis=1),
        others=others,
        lags=mixed.lags,
    )


def _have_effects(mixed: Mixed, values: Floats, columns: Columns, cut: int) -> bool:
    """Return whether effects estimated on the first half of the rows help on the second half."""
    if not mixed.columns:
        return False
    half = cut // 2
    errors = []
    for own in (np.zeros(len(mixed.columns)), effects(values[:half], columns.acting[:half])):
        mixture = mixed.mixing(values - columns.acting @ own).weigh(cut)
        if mixture is None:
            return False
        later = mixture.origins >= half
        wrong = mixture.error + columns.missed(mixture.origins, mixed.horizon) @ own
        errors.append(float((wrong[later] ** 2).mean()) ** 0.5)
    return bool(errors[1] <= LEAST_GAIN * errors[0])
