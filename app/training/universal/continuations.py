"""Compute simple forecasts from every origin: each way to remove the season with each continuation.

Treatment j leaves a series that trend k describes by a level and a slope, so the forecast for h
steps is profile_j(h) + level_jk + slope_jk * h. The network chooses and mixes them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.training.universal.form import PATCH, SEASONS, TRENDS, Form
from app.training.universal.known import (
    FAR_FROM_ZERO,
    Known,
    at_origins,
    period,
    running_total,
)
from app.training.universal.ops import Array, Ops
from app.training.universal.seasons import Profiles, profiles, read_ahead
from app.training.universal.trends import SLOWEST, continuations, smoothed

MULTIPLIED = SEASONS.index("mean season, multiplied")
MEAN, BOTH = 1, 3  # places among the profiles
RATIOS = (0.2, 5.0)  # a multiplied season is not shrunk or stretched further
LEAST_WEIGHT = 0.5  # number of values without their season that a treatment needs


@dataclass(frozen=True, kw_only=True, eq=False)
class Continuations:
    """All simple forecasts in parts. J is the number of SEASONS, K that of TRENDS."""

    profiles: Profiles
    levels: Array  # (batch, J, K, origins)
    slopes: Array  # (batch, J, K, origins)
    last: Array  # (batch, 1, origins), the last value before each origin
    ratio: Array  # (batch, 1, origins), of the multiplied season
    zero: Array  # (batch, 1, 1)
    longer: Array  # (batch, 1, 1, 1), 1 where there is a longer season
    usable: Array  # (batch, J, 1, origins), 1 where the treatment is currently defined


def continue_series(ops: Ops, given: Known, form: Form) -> Continuations:
    """Compute the parts of all simple forecasts."""
    found = profiles(ops, given, form)
    longer = ops.reshape(ops.positive(period(ops, given, 1) - 1.5), -1, 1, 1)
    signals, masks = _signals(ops, given, found, longer, form)
    smooth = smoothed(ops, signals, masks, form)
    levels, slopes = continuations(ops, smooth)
    ratio = _ratio(ops, given, signals, masks, form)
    zero = ops.reshape(given.zero, -1, 1, 1)
    # A season with a single mean is only a level, which "zero" would continue, so it does not
    # count.
    mean = ops.part(_signal(ops, smooth.mean, 0), 2, SLOWEST, SLOWEST + 1)
    none = ops.concat([mean, ops.part(_signal(ops, levels, 0), 2, 1, len(TRENDS))], 2)
    by = ops.reshape(ratio, -1, 1, 1, form.steps)
    multiplied = _multiplied(ops, levels, by, ops.reshape(zero, -1, 1, 1, 1))
    stretched = _signal(ops, slopes, -2) - _signal(ops, slopes, -1) * by
    weight = ops.part(smooth.weight, 2, SLOWEST, SLOWEST + 1)
    weight = _treated(ops, _signal(ops, weight, 0), weight, _signal(ops, weight, -1))
    return Continuations(
        profiles=found,
        levels=_treated(ops, none, levels, multiplied),
        slopes=_treated(ops, _signal(ops, slopes, 0), slopes, stretched),
        last=ops.reshape(_signal(ops, smooth.last, 0), -1, 1, form.steps),
        ratio=ratio,
        zero=zero,
        longer=ops.reshape(longer, -1, 1, 1, 1),
        usable=ops.positive(weight - LEAST_WEIGHT),
    )


def profiles_ahead(
    ops: Ops, parts: Continuations, leads: npt.NDArray[np.float32], chosen: slice, form: Form
) -> Array:
    """Return the profile of every treatment, (batch, J, leads, origins).

    Args:
        ops: the backend.
        parts: of the forecasts.
        leads: steps ahead.
        chosen: which of the origins.
        form: sizes.
    """
    values, defined = read_ahead(
        ops,
        parts.profiles,
        ops.constant(origin_places(form)[None, None, None, chosen]),
        ops.constant(leads[None, None, :, None]),
        form,
    )
    shape = (-1, 1, 1, count_of(chosen))
    last, ratio = (
        ops.reshape(at_chosen(ops, x, 2, chosen), *shape) for x in (parts.last, parts.ratio)
    )
    # Where a profile is undefined, the last value takes its place: a forecast without a season.
    filled = last + (values - last) * defined
    mean, both = _signal(ops, filled, MEAN), _signal(ops, filled, BOTH)
    full = mean + (both - mean) * parts.longer
    zero = ops.reshape(parts.zero, -1, 1, 1, 1)
    return ops.concat(
        [
            mean * 0.0,
            ops.part(filled, 1, 0, MULTIPLIED - 1),
            zero + (full - zero) * ratio,
            ops.part(filled, 1, MULTIPLIED - 1, len(SEASONS) - 2),
        ],
        1,
    )


def at_chosen(ops: Ops, x: Array, axis: int, chosen: slice) -> Array:
    """Return x at the chosen origins."""
    return ops.part(x, axis, chosen.start, chosen.stop, chosen.step or 1)


def count_of(chosen: slice) -> int:
    """Return the number of chosen origins."""
    return len(range(chosen.start, chosen.stop, chosen.step or 1))


def origin_places(form: Form) -> npt.NDArray[np.float32]:
    """Return the position of the last known value of each origin, (steps,)."""
    patches = np.arange(form.patches - form.steps, form.patches)
    return ((patches + 1) * PATCH - 1).astype(np.float32)


def _signals(
    ops: Ops, given: Known, found: Profiles, longer: Array, form: Form
) -> tuple[Array, Array]:
    """Return the series, the series minus each profile, and the signals of the multiplied season.

    The last two are the series and the profile that is multiplied: both seasons, or the only one if
    not both are known.
    """
    values, mask = (ops.reshape(x, -1, 1, form.context) for x in (given.values, given.mask))
    known_profiles = ops.part(found.values, 2, 0, form.context)
    masks = ops.part(found.defined, 2, 0, form.context) * mask
    left = (values - known_profiles) * masks
    full, full_mask = (
        _signal(ops, x, MEAN) + (_signal(ops, x, BOTH) - _signal(ops, x, MEAN)) * longer
        for x in (known_profiles, masks)
    )
    return (
        ops.concat([values, left, values * full_mask, full * full_mask], 1),
        ops.concat([mask, masks, full_mask, full_mask], 1),
    )


def _ratio(ops: Ops, given: Known, signals: Array, masks: Array, form: Form) -> Array:
    """Return the ratio of the last season to its profile, (batch, 1, steps), or 1."""
    length = ops.maximum(period(ops, given, 0), period(ops, given, 1))
    mask = ops.reshape(_signal(ops, masks, -1), -1, form.context)
    own, usual = (
        _over_season(
            ops,
            ops.reshape(_signal(ops, signals, index), -1, form.context) - given.zero * mask,
            length,
            form,
        )
        for index in (-2, -1)
    )
    below = running_total(ops, ops.positive(given.zero - given.values) * given.mask)
    never_below = 1.0 - ops.positive(at_origins(ops, below, form))
    near = ops.positive(FAR_FROM_ZERO - ops.absolute(given.zero))
    counts = ops.positive(own) * ops.positive(usual) * never_below * near
    ratio = own / ops.maximum(usual, 1e-6)
    ratio = ops.minimum(ops.maximum(ratio, RATIOS[0]), RATIOS[1])
    return ops.reshape(ratio * counts + (1.0 - counts), -1, 1, form.steps)


def _over_season(ops: Ops, x: Array, length: Array, form: Form) -> Array:
    """Return sums over the season before each origin, (batch, steps)."""
    sums = ops.concat([ops.part(x, 1, 0, 1) * 0.0, running_total(ops, x)], 1)
    ends = ops.constant((origin_places(form) + 1)[None])  # (1, steps)
    starts = ops.maximum(ends - length, 0.0)
    return ops.pick(sums, ends + starts * 0.0) - ops.pick(sums, starts)


def _multiplied(ops: Ops, levels: Array, ratio: Array, zero: Array) -> Array:
    """Return the levels of what the multiplied profile leaves."""
    own, usual = _signal(ops, levels, -2), _signal(ops, levels, -1)
    left = own - (zero + (usual - zero) * ratio)
    return ops.concat([ops.part(own, 2, 0, 1) * 0.0, ops.part(left, 2, 1, len(TRENDS))], 2)


def _treated(ops: Ops, none: Array, signals: Array, multiplied: Array) -> Array:
    """Return values for SEASONS, in their order, from values for the signals."""
    return ops.concat(
        [
            none,
            ops.part(signals, 1, 1, MULTIPLIED),
            multiplied,
            ops.part(signals, 1, MULTIPLIED, len(SEASONS) - 1),
        ],
        1,
    )


def _signal(ops: Ops, x: Array, index: int) -> Array:
    """Return one signal; a negative index counts from the end."""
    index %= int(x.shape[1])
    return ops.part(x, 1, index, index + 1)
