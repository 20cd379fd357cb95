"""Settling a series' anchor: its season, its window, and which of the simple forecasts it is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import Manifest
from app.artifact.series_records import AnchorCandidate, SeriesAnchor
from app.errors import Unprocessable
from app.forecasting import anchors
from app.forecasting.anchor_choice import Chosen, Fit, choose
from app.forecasting.anchors import Anchor
from app.forecasting.autoregression import MOST_FITTED_ROWS
from app.forecasting.frequencies import season_candidates
from app.forecasting.season import detect_season
from app.forecasting.windows import Windows
from app.judging.notes import anchor_of, anchor_to_keep
from app.recipes.recipe import AnchorName, SeriesRecipe
from app.training.series.anchor_blocks import blocks, thinning, units
from app.training.series.data import (
    DEFAULT_WINDOW,
    Floats,
    SeriesData,
    gaps_leave_too_few,
    typical_rows,
)

SEASONAL: tuple[AnchorName, ...] = ("season", "season-change")
CANDIDATES: tuple[AnchorName, ...] = ("persistence", *SEASONAL, "autoregression")
# A window left to us grows for a season while half of the training rows are examples still, and an
# epoch stays short: so many steps, examples times window, take some 2 s.
ROWS_PER_SEASON_STEP = 2
MOST_STEPS_PER_EPOCH = 400_000
MOST_SEARCHED_SERIES = 50


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The anchor of a run by name; what of it is fitted, is fitted in each phase."""

    record: SeriesAnchor
    window: int  # of anchor and network


def settle_anchor(
    data: SeriesData, recipe: SeriesRecipe, *, start_from: Manifest | None = None
) -> Settled | None:
    """The anchor that the recipe names, or that validation data choose; None: none.

    Args:
        data: the series; its window may grow for a season if the recipe leaves it open.
        recipe: what to train.
        start_from: of the version that the run starts from. Its network has learnt what comes on
            top of its anchor, so `auto` stays with that.

    Raises:
        Unprocessable: the recipe's anchor cannot be had on this data, or is not the start's.
    """
    start = None if start_from is None else anchor_of(start_from)
    wanted = recipe.anchor if start_from is None else anchor_to_keep(recipe, start_from)
    if wanted == "none":
        return None
    if wanted == "persistence":
        return Settled(record=SeriesAnchor(name=wanted, chosen=False), window=data.window)
    season = start.season if start is not None else _season(data)
    if wanted == "auto":
        return _chosen(data, recipe, season)
    if wanted == "autoregression":
        return Settled(record=_named_autoregression(data, recipe, start), window=data.window)
    window = _asked_window(data, recipe, season)
    return Settled(record=SeriesAnchor(name=wanted, season=season, chosen=False), window=window)


def fit_anchor(
    record: SeriesAnchor,
    examples: Windows,
    numbers: npt.NDArray[np.intp],
    *,
    target: int,
    alone: bool,
) -> Anchor:
    """The anchor of a phase, fitted on its examples.

    Args:
        record: which anchor.
        examples: windows, series after series.
        numbers: of those that lie in the phase's training rows, (n,).
        target: which feature the target is.
        alone: they are of one series.

    Raises:
        Unprocessable: there is too little to fit it on.
    """
    window = examples.inputs.shape[1]
    forms = _forms(record.season, window, examples.horizon, alone=alone)[record.name]
    fit = forms[int(record.level)]
    chosen = numbers[-MOST_FITTED_ROWS:] if alone else numbers[:: thinning(len(numbers))]
    try:
        return fit(examples.inputs[chosen, :, target], examples.targets[chosen])
    except (ValueError, np.linalg.LinAlgError) as error:
        raise Unprocessable.at(
            "recipe.anchor", f"{record.name} cannot be fitted on the training rows: {error}"
        ) from error


def _forms(
    season: int | None, window: int, horizon: int, *, alone: bool
) -> dict[AnchorName, tuple[Fit, ...]]:
    """How each anchor is made for a window, the steadiest form first.

    Seasonal ones only with a season. The second form of the autoregression has a level term.
    """

    def autoregression(inputs: Floats, targets: Floats, *, level: bool) -> Anchor:
        lags = anchors.lags_for(len(inputs), window=inputs.shape[1])
        return anchors.autoregression(inputs, targets, lags=lags, alone=alone, level=level)

    def as_given(make: Callable[..., Anchor], **given: int) -> tuple[Fit, ...]:
        return (lambda _inputs, _targets: make(window=window, horizon=horizon, **given),)

    levels = (False, True) if alone else (False,)
    forms: dict[AnchorName, tuple[Fit, ...]] = {
        "persistence": as_given(anchors.persistence),
        "autoregression": tuple(partial(autoregression, level=level) for level in levels),
    }
    if season is not None:
        forms["season"] = as_given(anchors.last_season, season=season)
        forms["season-change"] = as_given(anchors.last_season_change, season=season)
    return forms


def _named_autoregression(
    data: SeriesData, recipe: SeriesRecipe, start: SeriesAnchor | None
) -> SeriesAnchor:
    """The autoregression that a recipe asks for, in the form that validation data choose."""
    if start is not None:
        return SeriesAnchor(name="autoregression", level=start.level, chosen=False)
    forms = _forms(None, data.window, recipe.steps_ahead, alone=len(data.groups) == 1)
    asked = {"autoregression": forms["autoregression"]}
    found = choose(asked, blocks(data, recipe, window=data.window, own_units=units(data)))
    level = bool(found.forms.get("autoregression", 0))
    return SeriesAnchor(name="autoregression", level=level, chosen=False)


def _season(data: SeriesData) -> int | None:
    """The season most series share, in the rows before the cut; None: fewer than half have one.

    Those without a whole window there have no say.
    """
    candidates = season_candidates(data.content.frequency)
    able = [group for group in data.groups if group.split.test_start > data.window]
    longest = sorted(able, key=lambda group: -group.split.test_start)[:MOST_SEARCHED_SERIES]
    found = [
        detect_season(group.target[: group.split.test_start], candidates=candidates)
        for group in longest
    ]
    periods = Counter(season.period for season in found if season is not None)
    if not periods:
        return None
    period, count = max(periods.items(), key=lambda item: (item[1], -item[0]))
    return period if 2 * count >= len(longest) else None


def _asked_window(data: SeriesData, recipe: SeriesRecipe, season: int | None) -> int:
    """The window for a seasonal anchor that the recipe asks for.

    Raises:
        Unprocessable: no season was found, or it does not fit.
    """
    if season is None:
        raise Unprocessable.at(
            "recipe.anchor",
            f"{recipe.anchor}: no season was found before the cut; auto takes another anchor then",
        )
    if recipe.window is not None and recipe.window <= season:
        raise Unprocessable.at(
            "recipe.window",
            f"{recipe.window} does not hold the season of {season} rows that was found; "
            f"set it to {season + 1} or more, or leave it open",
        )
    return max(data.window, season + 1)


def _chosen(data: SeriesData, recipe: SeriesRecipe, season: int | None) -> Settled:
    """The anchor that validation data choose; the window grows only if it needs that."""
    missing: dict[str, str] = {}
    widest = data.window
    if season is None:
        missing |= dict.fromkeys(SEASONAL, "no season was found before the cut")
    elif reason := _too_long(data, recipe, season):
        missing |= dict.fromkeys(SEASONAL, reason)
    else:
        widest = max(widest, season + 1)
    # As short as that, a window shows the season to the autoregression and the network as well.
    narrow = widest if widest <= DEFAULT_WINDOW else data.window
    forms = _forms(season, widest, recipe.steps_ahead, alone=len(data.groups) == 1)
    candidates: dict[str, tuple[Fit, ...]] = {
        name: forms[name] for name in CANDIDATES[1:] if name not in missing
    }
    if widest > narrow:
        candidates["autoregression"] = tuple(
            _of_the_last(narrow, fit) for fit in candidates["autoregression"]
        )
    own_units = units(data)
    chosen = choose(candidates, blocks(data, recipe, window=widest, own_units=own_units))
    record = _record(chosen, season, missing, own_units=own_units)
    return Settled(record=record, window=widest if record.season is not None else narrow)


def _of_the_last(window: int, fit: Fit) -> Fit:
    """A fit on the last values of longer windows, as it will be if the window stays short."""

    def shortened(inputs: Floats, targets: Floats) -> Anchor:
        fitted = fit(inputs[:, -window:], targets)
        older = np.zeros((inputs.shape[1] - window, fitted.horizon))
        return replace(fitted, weights=np.concatenate([older, fitted.weights]))

    return shortened


def _too_long(data: SeriesData, recipe: SeriesRecipe, season: int) -> str | None:
    """Why a season does not fit into the window, if it does not."""
    needed = season + 1
    if needed <= data.window:
        return None
    if recipe.window is not None:
        return f"the season of {season} rows does not fit into the window of {recipe.window}"
    rows = typical_rows(data.groups)
    if needed * ROWS_PER_SEASON_STEP > rows - recipe.steps_ahead:
        return f"the season of {season} rows leaves too few of {rows} as examples"
    if needed * sum(group.split.rows for group in data.groups) > MOST_STEPS_PER_EPOCH:
        return f"a window for the season of {season} rows would take too long to train on"
    if gaps_leave_too_few(data.groups, recipe, needed):
        return f"missing values leave too few windows that hold the season of {season} rows"
    return None


def _record(
    chosen: Chosen, season: int | None, missing: dict[str, str], *, own_units: Floats
) -> SeriesAnchor:
    pooled = len(own_units) > 1
    size = 1.0 if pooled or not np.isfinite(own_units[0]) else float(own_units[0])
    reasons = {**chosen.missing, **missing}
    figures = {name: error * size for name, error in chosen.errors.items() if np.isfinite(error)}
    name = next(name for name in CANDIDATES if name == chosen.name)
    return SeriesAnchor(
        name=name,
        season=season if name in SEASONAL else None,
        level=name == "autoregression" and chosen.forms[name] > 0,
        chosen=True,
        origins=chosen.origins,
        pooled=pooled,
        candidates=tuple(
            AnchorCandidate(name=name, error=figures.get(name), missing=reasons.get(name))
            for name in CANDIDATES
        ),
    )
