"""Which columns of a dataset a run uses: every usable one is tried, and what helps is kept."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from app.artifact.manifest import SeriesInput
from app.artifact.series_records import ColumnUse
from app.forecasting.columns.expected import Expected, continued
from app.forecasting.columns.trial import Outcome, Trial, try_columns
from app.forecasting.histories import ahead_of
from app.forecasting.holes import led
from app.forecasting.linear_maps import LinearMap
from app.reading.calendar_inputs import PREFIX, CalendarColumns
from app.reading.categories import Encoding
from app.reading.content import DatasetContent, SeriesContent
from app.recipes.recipe import SeriesRecipe
from app.training.series.anchors import SeriesAnchors, Settled, fit_anchors
from app.training.series.calendar_choice import NO_CALENDAR, CalendarTrial, with_calendar_inputs
from app.training.series.calibration import calibration_starts
from app.training.series.data import Floats, Group, Ids, SeriesData
from app.training.series.fitted_anchor import FittedAnchor

LEAST_PRESENT = 0.95  # share of the target's rows in which a column must have a value, too
MOST_TRIED = 40  # columns
LAGS = (0, 1, 2, 3)  # rows after which a column that is not known ahead may act
# The first rows of a window do not show what acts in them later, so they must be few.
WINDOW_PER_LAG = 15
MOST_SERIES = 12  # that columns are tried on
MOST_ORIGINS = 200  # of each series, to estimate on and to judge on
FIRST_ORIGIN = 1 / 8  # share of the rows to estimate on before the first origin


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A column as it may be used."""

    column: str
    features: tuple[str, ...]  # that stand for it: one, or those of a category
    known: bool  # ahead
    lag: int = 0  # rows after which it acts
    calendar: CalendarColumns | None = None  # how it is computed from the times, if it is

    def of(self, content: SeriesContent) -> Floats:
        """Return its features, (rows, features)."""
        if self.calendar is not None and content.times is not None:
            return self.calendar.values(content.times)
        return np.stack([content.column(each) for each in self.features], axis=1)


def like_start(
    recipe: SeriesRecipe, start: SeriesInput
) -> tuple[SeriesRecipe, tuple[Encoding, ...] | None]:
    """Return a recipe with the columns of the version that a run starts from, and their encodings.

    A recipe that names columns is returned as it is.
    """
    if recipe.features is not None or recipe.known is not None:
        return recipe, None
    features = start.asked([feature.name for feature in start.features])
    update = {"features": features, "known": start.asked(start.known)}
    return recipe.model_copy(update=update), start.encodings or None


def choose_columns(
    data: SeriesData,
    recipe: SeriesRecipe,
    settled: Settled | None,
    *,
    test: DatasetContent | None,
    calendar: CalendarTrial = NO_CALENDAR,
) -> tuple[SeriesData, SeriesAnchors | None]:
    """Choose the columns that help on later rows, and fit the anchors with their effects.

    Args:
        data: the series, with the columns that the recipe names.
        recipe: what to train. Columns that it names are used whether they help or not.
        settled: what the anchor is mixed from; without one there is nothing to try columns on.
        test: rows to judge on, which must have the columns, too.
        calendar: the calendar inputs to try.

    Returns:
        The data with all its columns, and the anchors.
    """
    sources = _sources(data)
    named = {
        name: "named by the recipe"
        for name, features in sources.items()
        if name != data.target and not set(features).isdisjoint(data.features)
    }
    unusable = dict(_unusable(data, recipe, sources, test))
    tried = [name for name in sources if name not in unusable and name != data.target]
    if settled is None:
        reason = "the recipe has no anchor, and uses the columns that it names"
        unusable |= {name: reason for name in tried if name not in named}
        return _with_uses(data, {**unusable, **named}), None
    plain = data.with_columns((data.target,), known=(), expected={})
    anchors = fit_anchors(plain, recipe, settled)
    unusable |= calendar.why
    planned = {data.features[place] for place in data.known}
    forced = frozenset(name for name in tried if planned.issuperset(sources[name]))
    # Where a column of the file says the same as an input that nobody has to give, the latter is
    # used.
    candidates = [*_computed(calendar), *_candidates(plain, recipe, tried, forced)]
    forced |= calendar.forced
    named |= dict.fromkeys(calendar.forced, "named by the recipe")
    if not candidates:
        return _with_uses(plain, unusable), anchors
    outcomes = _tried(plain, anchors.fitted, candidates, forced)
    why = {**unusable, **_unhelpful(outcomes), **named}
    chosen = {each.column: each for each, outcome in outcomes.items() if outcome.used}
    gains = {each.column: _gain(each, outcomes[each]) for each in chosen.values()}
    while True:
        whole = _with_chosen(data, chosen.values())
        if whole.features == (data.target,):
            return _with_uses(plain, why), anchors
        fitted = fit_anchors(whole, recipe, settled)
        helped = {each.name for each in fitted.record.effects if each.series}
        idle = {n for n, each in chosen.items() if helped.isdisjoint(each.features)} - forced
        if not idle:
            return _with_uses(whole, {**why, **{name: gains[name] for name in chosen}}), fitted
        why |= dict.fromkeys(idle - named.keys(), "its effect did not help on later rows")
        chosen = {name: each for name, each in chosen.items() if name not in idle}


def _sources(data: SeriesData) -> dict[str, tuple[str, ...]]:
    """Return the columns of the dataset with the features that stand for each."""
    categories = {encoding.name: encoding.columns for encoding in data.encodings}
    encoded = {feature for features in categories.values() for feature in features}
    numbers = {name: (name,) for name in data.content.columns if name not in encoded}
    return {**numbers, **categories}


def _computed(calendar: CalendarTrial) -> list[Candidate]:
    """Return the calendar inputs as candidates."""
    return [
        Candidate(column=each.name, features=each.columns, known=True, calendar=each)
        for each in calendar.columns
    ]


def _with_chosen(data: SeriesData, chosen: Iterable[Candidate]) -> SeriesData:
    """Return the data with the chosen columns beside those that the recipe names."""
    every = sorted(chosen, key=lambda each: each.calendar is not None)
    computed = tuple(each.calendar for each in every if each.calendar is not None)
    data = with_calendar_inputs(data, computed)
    features = [feature for each in every for feature in each.features]
    known = [data.features[place] for place in data.known]
    known += [feature for each in every if each.known for feature in each.features]
    return data.with_columns(
        tuple(dict.fromkeys((*data.features, *features))),
        known=tuple(dict.fromkeys(known)),
        expected={
            feature: each.lag for each in every if not each.known for feature in each.features
        },
    )


def columns_note(uses: Sequence[ColumnUse]) -> list[str]:
    """Return what the scorecard says about the columns of the dataset, if there are others."""
    computed = [each for each in uses if each.name.startswith(PREFIX)]
    others = [each for each in uses if each.role != "target" and each not in computed]
    parts = {"other columns": others, "inputs from the times": computed}
    return [f"{name}: {'; '.join(each.told for each in own)}" for name, own in parts.items() if own]


def _with_uses(data: SeriesData, why: Mapping[str, str]) -> SeriesData:
    """Return the data with a record of each column of the dataset and of each calendar input."""
    known = {data.features[place] for place in data.known}
    computed = {name for each in data.calendar_inputs for name in each.columns}
    used = {each.name: each.told for each in data.calendar_inputs}
    uses = []
    sources = {name: own for name, own in _sources(data).items() if name not in computed}
    for name, features in sources.items():
        role = "input" if known.isdisjoint(features) else "known ahead"
        if name == data.target:
            role = "target"
        elif set(features).isdisjoint(data.features):
            role = "unused"
        told = "it is forecast" if name == data.target else why[name]
        uses.append(ColumnUse.model_validate({"name": name, "role": role, "why": told}))
    for name in (each for each in why if each.startswith(PREFIX) and each not in sources):
        role, form = ("calendar", f"{used[name]}; ") if name in used else ("unused", "")
        uses.append(ColumnUse(name=name, role=role, why=f"{form}{why[name]}"))
    return replace(data, uses=tuple(uses))


def _unusable(
    data: SeriesData,
    recipe: SeriesRecipe,
    sources: Mapping[str, tuple[str, ...]],
    test: DatasetContent | None,
) -> Iterator[tuple[str, str]]:
    """Yield the columns that cannot be tried, and why."""
    present = np.isfinite(data.content.column(data.target))
    rows, tried = int(present.sum()), 0
    for name, features in sources.items():
        if name == data.target or not set(features).isdisjoint(data.features):
            continue
        columns = [data.content.column(feature)[present] for feature in features]
        missing = int(np.isnan(columns[0]).sum()) if columns else 0
        varying = [feature for feature, own in zip(features, columns, strict=True) if _varies(own)]
        if not features:
            yield name, "it never changes"
        elif recipe.features is not None:
            yield name, "the recipe names the columns to use"
        elif isinstance(test, SeriesContent) and name not in (*test.columns, *test.category_names):
            yield name, "the test set has no such column"
        elif missing > (1 - LEAST_PRESENT) * rows:
            yield name, f"it has no value in {missing} of {rows} rows"
        elif not varying:
            yield name, "it never changes"
        elif not any(_varies(_of(group, each)) for group in data.groups for each in varying):
            yield name, "it never changes within a series"
        elif tried == MOST_TRIED:
            yield name, f"only the first {MOST_TRIED} columns are tried"
        else:
            tried += 1


def _of(group: Group, name: str) -> Floats:
    return group.content.column(name)[: group.split.test_start]


def _varies(values: Floats) -> bool:
    values = values[np.isfinite(values)]
    return len(values) > 0 and bool(values.min() < values.max())


def _candidates(
    data: SeriesData, recipe: SeriesRecipe, names: Sequence[str], forced: frozenset[str]
) -> list[Candidate]:
    """Return the ways in which columns may be used."""
    found = []
    is_open = recipe.known is None and recipe.features is None
    for name, features in _sources(data).items():
        if name not in names:
            continue
        if name in forced or (is_open and _is_planned(data, recipe, features[0])):
            found.append(Candidate(column=name, features=features, known=True))
            continue
        found += [
            Candidate(column=name, features=features, known=False, lag=lag)
            for lag in LAGS
            if WINDOW_PER_LAG * lag <= data.window
        ]
    return found


def _is_planned(data: SeriesData, recipe: SeriesRecipe, name: str) -> bool:
    """Return whether a column continues for a horizon past the end of the target in a series."""
    for group in data.groups:
        own = np.flatnonzero(np.isfinite(group.content.column(name)))
        target = np.flatnonzero(np.isfinite(group.target))
        if len(own) and len(target) and own[-1] >= target[-1] + recipe.steps_ahead:
            return True
    return False


def _unhelpful(outcomes: Mapping[Candidate, Outcome]) -> dict[str, str]:
    """Return why each column is not used, as far as its best candidate tells."""
    best: dict[str, float] = {}
    for each, outcome in outcomes.items():
        best[each.column] = min(outcome.ratio, best.get(each.column, np.inf))
    return {
        name: f"on later rows the error would be {100 * ratio:.3g} % of that without it, "
        "which is no gain beyond noise"
        for name, ratio in best.items()
    }


def _gain(candidate: Candidate, outcome: Outcome) -> str:
    told = f"on later rows the error is {100 * outcome.ratio:.3g} % of that without it"
    return told + (f"; it acts {candidate.lag} steps later" if candidate.lag else "")


def _tried(
    data: SeriesData,
    fitted: Sequence[FittedAnchor],
    candidates: Sequence[Candidate],
    forced: frozenset[str],
) -> dict[Candidate, Outcome]:
    """Try the candidates on series of the file, evenly chosen from those with enough rows."""
    starts = calibration_starts(data)
    able = [each for each in fitted if each.weighed is not None]
    trials = []
    for each in able[:: max(1, len(able) // MOST_SERIES)][:MOST_SERIES]:
        trial = _trial(each, candidates, starts[each.group.label], data.reach.season)
        if trial is not None:
            trials.append(trial)
    if not trials:
        return {each: Outcome(ratio=1.0, used=each.column in forced) for each in candidates}
    outcomes = try_columns(trials, [each.column for each in candidates], always=forced)
    return dict(zip(candidates, outcomes, strict=True))


def _trial(
    fitted: FittedAnchor, candidates: Sequence[Candidate], start: int, season: int | None
) -> Trial | None:
    """Measure the errors of one series' anchor and what the columns explain of them."""
    weighed, group = fitted.weighed, fitted.group
    if weighed is None:
        return None
    values, linear = weighed.values, fitted.maps["calibrating"]
    window, horizon = linear.weights.shape
    first = len(group.target) - len(values)
    start, cut = start - first, group.split.test_start - first
    before = _thinned(np.arange(max(1, int(FIRST_ORIGIN * start)), start - horizon + 1))
    after = _thinned(np.arange(max(start, 1), cut - horizon + 1))
    if not len(before) or not len(after):
        return None
    origins, count = np.concatenate((before, after)), len(before)
    windows = sliding_window_view(led(values, window, season=season), window)[origins]
    errors = values[origins[:, None] + np.arange(horizon)] - linear.forecasts(windows)
    size = float(np.sqrt((errors[:count] ** 2).mean())) or 1.0
    rows: Ids = np.arange(first, len(group.target))
    regressors = []
    for candidate in candidates:
        given = ahead_of(candidate.of(group.content), rows, 1)[:, 0]  # (rows, features)
        parts = [_explained(candidate, own, origins, linear, until=start) for own in given.T]
        added = np.stack(parts, axis=2)  # (n, horizon, features)
        regressors.append((added[:count], added[count:]))
    return Trial(fitted=errors[:count] / size, judged=errors[count:] / size, regressors=regressors)


def _explained(
    candidate: Candidate, column: Floats, origins: Ids, linear: LinearMap, *, until: int
) -> Floats:
    """Return what one unit of effect adds to the forecasts from some origins, (n, horizon).

    Args:
        candidate: how the column is used.
        column: (rows,), without missing values.
        origins: (n,), the rows before which all is known.
        linear: the forecast that the effect is added to.
        until: the rows on which it is measured how the column continues.
    """
    window, horizon = linear.weights.shape
    # Around its mean, as the intercept of the forecast holds what the column adds on average.
    column = column - column[:until].mean()
    padded = np.concatenate((np.full(window, column[0]), column))
    seen = sliding_window_view(padded, window)[origins]
    if candidate.known:
        ahead = column[origins[:, None] + np.arange(horizon)]
    else:
        share, usual = continued(column[:until, None])
        expected = Expected(lags=(candidate.lag,), share=share[None], usual=usual[None])
        ahead = expected.ahead(seen[:, :, None], horizon)[:, :, 0]
        seen = expected.seen(seen[:, :, None])[:, :, 0]
    added: Floats = ahead - replace(linear, intercept=np.zeros(horizon)).forecasts(seen)
    return added


def _thinned(origins: Ids) -> Ids:
    return origins[:: max(1, -(-len(origins) // MOST_ORIGINS))]
