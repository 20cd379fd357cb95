"""The anchors of a run: which simple forecasts they are made of, and how each phase fits them."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from app.artifact.manifest import Manifest
from app.artifact.series_records import (
    AnchorCandidate,
    AnchorMember,
    ColumnEffect,
    SeriesAnchor,
)
from app.errors import Unprocessable
from app.forecasting.anchors import Anchor, persistence
from app.forecasting.histories import Reach
from app.forecasting.metrics import rmse
from app.forecasting.mixture import Candidate
from app.judging.notes import anchor_of, anchor_to_keep
from app.recipes.recipe import AnchorName, SeriesRecipe
from app.training.series.anchor_parts import anchors_of_parts
from app.training.series.calibration import calibration_starts
from app.training.series.data import Floats, Group, SeriesData
from app.training.series.fitted_anchor import (
    PHASES,
    FittedAnchor,
    Mixed,
    fit_anchor,
    universal_share,
)
from app.training.series.seasons import find_seasons
from app.training.series.universal import UniversalMember, universal_member
from app.training.task import Phase
from app.training.universal.form import CONTEXT

CANDIDATES: tuple[AnchorName, ...] = (
    "persistence",
    "season",
    "season-change",
    "season-drift",
    "theta",
    "smoothing",
    "autoregression",
)
SEASONAL: frozenset[AnchorName] = frozenset({"season", "season-change", "season-drift"})
# How many seasons an anchor reads, within limits; of a long season two.
SEASONS_READ = 6
FEWEST_READ = 60
MOST_READ = 400
LONG_SEASON = 60
SHARE_READ = 0.75  # share of the rows of a typical series, at most
# The same for the anchor `universal`. Windows of the held-out rows then begin with some rows that
# are put before the series; without the oldest rows, its error on AirPassengers is a tenth larger.
SHARE_READ_BY_UNIVERSAL = 0.9
# A history is filled if no hole in it is longer than this share of the window.
LONGEST_HOLE = 2 / 3
FEWEST_ROWS = 3  # at least a season and one row more, or this many
# Limit for the weights of all series' own anchors together: 16 MB in the artifact.
MOST_WEIGHTS = 4_000_000
MOST_THREADS = 4  # fit the anchors of several series side by side
# How many series are averaged for the anchor of any other series.
MOST_AVERAGED = 300
LEAST_TOLD_WEIGHT = 0.005


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The anchor of a run by name, and how much of a history it reads."""

    record: SeriesAnchor
    names: tuple[AnchorName, ...]  # candidates that it is mixed from
    seasons: tuple[int, ...]
    reach: Reach
    universal: bool  # whether it may have a share


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesAnchors:
    """What the network of each phase adds to."""

    record: SeriesAnchor
    by_phase: Mapping[Phase, Anchor]
    universal: UniversalMember | None = None  # if it has a share
    fitted: tuple[FittedAnchor, ...] = ()  # of the series that it was fitted on
    # `universal` with weights that were trained further, for the phases that have such
    tuned: Mapping[Phase, UniversalMember] = field(default_factory=dict)

    def member(self, phase: Phase) -> UniversalMember | None:
        """Return `universal` as the network of a phase has it; None without a share."""
        return self.tuned.get(phase, self.universal)


def settle_anchor(
    data: SeriesData, recipe: SeriesRecipe, *, start_from: Manifest | None = None
) -> Settled | None:
    """Settle which candidates the recipe's anchor is mixed from; None if it has no anchor.

    Args:
        data: the series.
        recipe: what to train.
        start_from: the manifest of the version that the run starts from. Its network has learnt
            what to add to its anchor, so `auto` keeps that anchor.

    Raises:
        Unprocessable: the recipe's anchor cannot be fitted to this data, or differs from that of
            `start_from`.
    """
    start = None if start_from is None else anchor_of(start_from)
    wanted = recipe.anchor if start_from is None else anchor_to_keep(recipe, start_from)
    if wanted == "none":
        return None
    seasons = find_seasons(data) if start is None or start.season is None else (start.season,)
    name: AnchorName = "average" if wanted == "auto" else wanted
    names = CANDIDATES if name in {"average", "universal"} else (name,)
    window = _window(data, recipe, seasons, reads_all=name == "universal")
    season = seasons[0] if seasons else None
    if name in SEASONAL:
        _check_seasonal(name, recipe, season, window)
    fitting = tuple(each for each in seasons if each < window)
    reach = Reach(
        window=window,
        # If the recipe sets a window, a history must fill it.
        least=window if recipe.window else min(window, max(FEWEST_ROWS, (season or 0) + 1)),
        longest_hole=int(LONGEST_HOLE * window),
        season=fitting[0] if fitting else None,
    )
    record = SeriesAnchor(
        name=name,
        season=season if name in SEASONAL else None,
        chosen=wanted == "auto",
    )
    return Settled(
        record=record,
        names=names,
        seasons=fitting,
        reach=reach,
        universal=name == "universal"
        or (
            recipe.anchor == "auto"
            and name == "average"
            and (start is None or start.universal is not None)
        ),
    )


def fit_anchors(data: SeriesData, recipe: SeriesRecipe, settled: Settled) -> SeriesAnchors:
    """Weigh the candidates on rows before the cut, and fit them for each phase.

    With several series, each gets an anchor of its own unless that takes too much space; any other
    series gets their average.
    """
    if settled.names == ("persistence",) and not (data.known or data.expected):
        same = persistence(window=data.window, horizon=recipe.steps_ahead)
        return SeriesAnchors(record=settled.record, by_phase=dict.fromkeys(PHASES, same))
    whole = settled.record.name == "universal"
    several = len(data.groups) > 1
    own = len(data.groups) == data.all_series > 1
    own &= data.window * recipe.steps_ahead * len(data.groups) <= MOST_WEIGHTS
    chosen = data.groups if own or not several else _sampled(data.groups)
    member = _member(data, recipe, settled)
    mixing = Mixed(
        window=settled.reach.window,
        horizon=recipe.steps_ahead,
        seasons=settled.seasons,
        names=settled.names,
        season=settled.reach.season,
        known=data.known,
        expected=data.expected,
        universal=member if isinstance(member, UniversalMember) and not whole else None,
    )
    fitted = _fitted(mixing, chosen, calibration_starts(data), shared=several)
    used = [each.of_universal(mixing) for each in fitted] if whole else fitted
    record = _record(settled, fitted, data, own=own)
    record = record.model_copy(update={"universal": universal_share(member, used)})
    if whole and not data.with_effects:  # then it is the same for all series
        several, used = False, used[:1]
    by_phase = anchors_of_parts(
        settled.record, single=used if own or not several else [], averaged=used if several else []
    )
    return SeriesAnchors(
        record=record,
        by_phase=by_phase,
        universal=member
        if isinstance(member, UniversalMember) and len(by_phase["training"].universal)
        else None,
        fitted=tuple(fitted),
    )


def _fitted(
    mixing: Mixed, groups: Sequence[Group], starts: Mapping[str, int], *, shared: bool
) -> list[FittedAnchor]:
    """Fit the anchors of several series side by side; NumPy lets other threads run."""
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, MOST_THREADS)) as pool:
        fit = partial(fit_anchor, mixing, shared=shared)
        return [*pool.map(fit, groups, [starts[group.label] for group in groups])]


def _member(
    data: SeriesData, recipe: SeriesRecipe, settled: Settled
) -> UniversalMember | str | None:
    """Return `universal`, why it takes no part, or None if the recipe leaves it out.

    Raises:
        Unprocessable: the anchor is `universal`, and it cannot forecast so many steps.
    """
    if not settled.universal:
        return None
    find = partial(universal_member, data, window=settled.reach.window, horizon=recipe.steps_ahead)
    if settled.record.name != "universal":
        return find()
    member = find(is_limited=False)
    if isinstance(member, str):
        raise Unprocessable.at("recipe.horizon", member)
    return member


def _sampled(groups: Sequence[Group]) -> list[Group]:
    """Return the longest series, spread evenly over the file if many are equally long."""
    longest = sorted(groups, key=lambda group: -group.split.test_start)
    enough = [each for each in groups if each.split.test_start >= longest[0].split.test_start // 2]
    step = max(1, len(enough) // MOST_AVERAGED)
    return enough[::step][:MOST_AVERAGED]


def _window(
    data: SeriesData, recipe: SeriesRecipe, seasons: Sequence[int], *, reads_all: bool
) -> int:
    """Return how many past rows the anchor reads, at least as many as the network.

    Args:
        data: the series.
        recipe: what to train.
        seasons: of the series.
        reads_all: whether it takes as many as `universal` does.
    """
    if recipe.window is not None:
        return recipe.window
    rows = int(np.median([group.split.rows for group in data.groups]))
    longest = max(seasons, default=1)
    wanted = 2 * longest
    if longest <= LONG_SEASON:
        wanted = max(FEWEST_READ, min(SEASONS_READ * longest, MOST_READ))
    most = int(SHARE_READ * rows)
    if reads_all:
        wanted, most = CONTEXT, int(SHARE_READ_BY_UNIVERSAL * rows)
    if 1 < len(data.groups) == data.all_series and not reads_all:
        kept = MOST_WEIGHTS // (recipe.steps_ahead * len(data.groups))
        most = min(most, max(kept, data.network_window))
    return max(data.network_window, min(wanted, most))


def _check_seasonal(
    name: AnchorName, recipe: SeriesRecipe, season: int | None, window: int
) -> None:
    """Check that the seasonal anchor a recipe names can be fitted.

    Raises:
        Unprocessable: no season was found, or it does not fit into the window.
    """
    if season is None:
        raise Unprocessable.at(
            "recipe.anchor",
            f"{name}: no season was found before the cut; auto chooses another anchor",
        )
    needed = 2 * season if name == "season-drift" else season + 1
    if window < needed:
        raise Unprocessable.at(
            "recipe.window" if recipe.window is not None else "recipe.anchor",
            f"the season of {season} rows that was found needs a window of at least {needed} rows, "
            f"not {window}; "
            + ("set that or more, or leave it open" if recipe.window else "send more rows"),
        )


def _record(
    settled: Settled, fitted: Sequence[FittedAnchor], data: SeriesData, *, own: bool
) -> SeriesAnchor:
    """Return what the manifest says about the anchors."""
    known = [(each.group, each.weighed) for each in fitted if each.weighed is not None]
    if not known and settled.record.name == "universal":
        return settled.record
    if not known:
        return settled.record.model_copy(update={"name": "persistence", "season": None})
    pooled = len(data.groups) > 1
    units = dict(zip((group.label for group in data.groups), data.units, strict=True))
    errors: dict[AnchorName, list[Floats]] = {}
    weights: dict[Candidate, float] = {}
    for group, weighed in known:
        unit = units[group.label] if pooled else 1.0
        every = {**weighed.errors(), "average": weighed.error}
        for name, own_errors in every.items():
            if np.isfinite(unit):
                errors.setdefault(name, []).append((own_errors / unit).ravel())
        for candidate, weight in zip(
            weighed.mixture.candidates, weighed.mixture.weights, strict=True
        ):
            weights[candidate] = weights.get(candidate, 0.0) + weight / len(known)
    figures = {name: rmse(np.concatenate(each), np.zeros(1)) for name, each in errors.items()}
    return settled.record.model_copy(
        update={
            "origins": sum(len(weighed.mixture.origins) for _, weighed in known),
            "pooled": pooled,
            "own": own,
            "logarithmic": sum(weighed.scale.log for _, weighed in known),
            "effects": _effects(fitted, data),
            "candidates": _candidates(figures, settled),
            "members": tuple(
                AnchorMember(name=candidate.name, form=candidate.form, weight=weight)
                for candidate, weight in sorted(weights.items(), key=lambda item: -item[1])
                if weight >= LEAST_TOLD_WEIGHT
            ),
        }
    )


def _candidates(
    figures: Mapping[AnchorName, float], settled: Settled
) -> tuple[AnchorCandidate, ...]:
    """Return the error of each candidate, or why it has none."""
    return tuple(
        AnchorCandidate(
            name=name,
            error=figures.get(name),
            missing=None if name in figures else _why_missing(name, settled),
        )
        for name in ("average", *CANDIDATES)
        if name in figures or name in settled.names
    )


def _effects(fitted: Sequence[FittedAnchor], data: SeriesData) -> tuple[ColumnEffect, ...]:
    """Return what each other column adds."""
    effects = np.stack([each.effects["judging"] for each in fitted])  # (series, columns)
    places = (*data.known, *(feature for feature, _ in data.expected))
    return tuple(
        ColumnEffect(
            name=data.features[place], effect=float(own.mean()), series=int(np.count_nonzero(own))
        )
        for place, own in zip(places, effects.T, strict=True)
    )


def _why_missing(name: AnchorName, settled: Settled) -> str:
    if name in SEASONAL and not settled.seasons:
        return "no season was found before the cut that fits into the window"
    return "too few rows come before the cut"
