"""The rows before the cut on which anchors are compared."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.forecasting.anchor_choice import Block
from app.forecasting.autoregression import MOST_FITTED_ROWS
from app.forecasting.windows import Windows, windows
from app.recipes.recipe import SeriesRecipe
from app.training.series.data import Floats, Group, SeriesData

# Fewer origins are too few to choose on: rows before the validation part are taken too, up to half
# of those before the cut, in blocks, each forecast by what was fitted before it.
WANTED_ORIGINS = 120
WIDEST_SHARE = 0.5
LEAST_SHARE = 0.15  # where no validation part is kept
BLOCKS = 4
MOST_ORIGINS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One series."""

    windows: Windows  # of its target alone
    group: Group
    unit: float


def units(data: SeriesData) -> Floats:
    """The mean change from row to row of each series before the cut, (groups,); NaN: none."""
    own = np.full(len(data.groups), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        for number, group in enumerate(data.groups):
            changes = np.abs(np.diff(group.target[: group.split.test_start]))
            changes = changes[np.isfinite(changes)]
            mean = changes.mean() if len(changes) else np.nan
            own[number] = mean if 0 < mean < np.inf else np.nan
    return own


def blocks(
    data: SeriesData, recipe: SeriesRecipe, *, window: int, own_units: Floats
) -> list[Block]:
    """Stretches of rows to compare on, with what lies before each to fit on; oldest first.

    Args:
        data: the series.
        recipe: says which rows are validation rows.
        window: past values the anchors are given.
        own_units: of `units`; series without one are left out.
    """
    index = data.target_index or 0
    parts = [
        _Part(
            windows=windows(
                group.inputs[:, [index]], group.target, window=window, horizon=recipe.steps_ahead
            ),
            group=group,
            unit=float(unit),
        )
        for group, unit in zip(data.groups, own_units, strict=True)
        if np.isfinite(unit)
    ]
    if not parts:
        return []
    validated = sum(int(part.group.split.validation(part.windows).sum()) for part in parts)
    share = None if validated >= WANTED_ORIGINS else _share(data, recipe)
    edges = [_borders(part.group, share=share) for part in parts]
    return [
        _block(parts, [(edge[number], edge[number + 1]) for edge in edges], validated=validated)
        for number in range(len(edges[0]) - 1)
    ]


def _block(parts: list[_Part], stretches: list[tuple[int, int]], *, validated: int) -> Block:
    """Origins in a stretch of each series, and what lies before it."""
    every = 1 if len(parts) == 1 else thinning(sum(len(part.windows) for part in parts))
    before, later, units_of_later = [], [], []
    for part, (start, stop) in zip(parts, stretches, strict=True):
        own = part.windows
        ends = own.first + own.horizon
        known = np.flatnonzero(ends <= start)[-MOST_FITTED_ROWS:][::every]
        inside = (own.first >= start) & (own.first < stop) & (ends <= part.group.split.test_start)
        ahead = np.flatnonzero(inside)[:: max(1, -(-validated // MOST_ORIGINS))]
        before.append(_picked(own, known))
        later.append(_picked(own, ahead))
        units_of_later.append(np.full((len(ahead), 1), part.unit))
    fitted, asked = Windows.join(before), Windows.join(later)
    return Block(
        windows=fitted.inputs[:, :, 0],
        targets=fitted.targets,
        later_windows=asked.inputs[:, :, 0],
        later_targets=asked.targets,
        unit=np.concatenate(units_of_later),
    )


def thinning(examples: int) -> int:
    """Each how manieth example of several series is fitted on: some of each, not all of many."""
    return max(1, -(-examples // MOST_FITTED_ROWS))


def _picked(own: Windows, numbers: npt.NDArray[np.intp]) -> Windows:
    return Windows(
        inputs=own.inputs[numbers], targets=own.targets[numbers], first=own.first[numbers]
    )


def _share(data: SeriesData, recipe: SeriesRecipe) -> float:
    """Which part of the rows before the cut to compare on, for enough origins."""
    rows = sum(group.split.test_start for group in data.groups)
    least = max(recipe.validation_fraction, LEAST_SHARE)
    return max(least, min(WIDEST_SHARE, WANTED_ORIGINS / max(rows, 1)))


def _borders(group: Group, *, share: float | None) -> list[int]:
    """The first row of each block of a series, and the end of the last one."""
    cut = group.split.test_start
    if share is None:
        return [group.split.validation_start, cut]
    begin = min(group.split.validation_start, cut - round(cut * share))
    return [int(row) for row in np.linspace(begin, cut, BLOCKS + 1).round()]
