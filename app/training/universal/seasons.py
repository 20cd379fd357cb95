"""Seasonal profiles: for every time, what its season was in the cycles before.

A profile at time t looks at t - P, t - 2P and so on alone, so that one array over all times serves
every origin: a forecast of h steps from origin o reads it at o + h, or whole periods earlier where
that cycle is not over yet.
"""

from dataclasses import dataclass

import numpy as np

from app.training.universal.form import HORIZON, Form
from app.training.universal.known import Known, period, running_total
from app.training.universal.ops import Array, Ops

CYCLES = 6  # of the shorter period
# Weight from cycle to cycle: the last one alone, or where it has a gap the one before; their mean.
LAST, MEAN = 0.02, 0.75
LONGER_CYCLES, LONGER = 4, 0.7
REST_CYCLES, REST = 4, 0.7
SMOOTH_CYCLES, SMOOTH = 3, 0.8
SMOOTH_SHARE = 16  # a smooth season averages a sixteenth of its period to both sides
LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Profiles:
    """Seasons at every time from the start to HORIZON steps past the end.

    In the order of SEASONS without the first and the multiplied one.
    """

    values: Array  # (batch, profiles, context + HORIZON), 0 where undefined
    defined: Array  # likewise, 1 or 0
    periods: Array  # (batch, profiles, 1), after which one is read again
    reach: Array  # likewise: so many steps past an origin it is read before the period is over


def profiles(ops: Ops, given: Known, form: Form) -> Profiles:
    """Return the seasonal profiles of a batch of histories."""
    short, long = period(ops, given, 0), period(ops, given, 1)
    total, weight = _lagged(ops, given.values, given.mask, short, (CYCLES, (LAST, MEAN)), form=form)
    values, defined = _means(ops, total, weight)
    total, weight = _lagged(
        ops, given.values, given.mask, long, (LONGER_CYCLES, (LONGER,)), form=form
    )
    longer, longer_defined = _means(ops, total, weight)
    added = _rest(ops, given, longer, longer_defined, form)
    total, weight = _smooth(ops, given, ops.maximum(short, long), form)
    smooth, smooth_defined = _means(ops, total, weight)
    lengths = [ops.maximum(x, 1.0) for x in (short, long, ops.maximum(short, long))]
    width = ops.floor(lengths[2] / float(SMOOTH_SHARE))
    order = (0, 0, 1, 0, 2)
    reaches = [*(lengths[index] for index in order[:-1]), ops.maximum(lengths[2] - width, 1.0)]
    return Profiles(
        values=ops.concat([values, longer, (longer + added) * longer_defined, smooth], 1),
        defined=ops.concat([defined, longer_defined, longer_defined, smooth_defined], 1),
        periods=_column(ops, [lengths[index] for index in order]),
        reach=_column(ops, reaches),
    )


def _column(ops: Ops, parts: list[Array]) -> Array:
    return ops.reshape(ops.concat(parts, 1), -1, len(parts), 1)


def _times(ops: Ops, form: Form) -> Array:
    """Return all times, (1, 1, context + HORIZON)."""
    return ops.constant(np.arange(form.context + HORIZON, dtype=np.float32)[None, None])


def _cycles(ops: Ops, count: int, length: Array) -> Array:
    """Return 1 to `count` periods, (batch, count, 1)."""
    numbers = ops.constant(np.arange(1, count + 1, dtype=np.float32)[None, :, None])
    return ops.reshape(length, -1, 1, 1) * numbers


def _powers(ops: Ops, count: int, shares: tuple[float, ...]) -> Array:
    """Return weights of the cycles, (1, shares, count)."""
    rows = [[share**cycle for cycle in range(count)] for share in shares]
    return ops.constant(np.array(rows, np.float32)[None])


def _lagged(
    ops: Ops,
    values: Array,
    mask: Array,
    length: Array,
    cycles: tuple[int, tuple[float, ...]],
    *,
    form: Form,
) -> tuple[Array, Array]:
    """Return weighted sums of the same phase in the cycles before, and of their weights."""
    count, shares = cycles
    zero = ops.part(values, 1, 0, 1) * 0.0
    places = _times(ops, form) - _cycles(ops, count, length)  # (batch, cycles, times)
    outside = ops.positive(-places) + ops.positive(places - (form.context - 1.0))
    outside = ops.minimum(outside + ops.reshape(ops.positive(1.5 - length), -1, 1, 1), 1.0)
    places = places + (float(form.context) - places) * outside
    places = ops.reshape(places, -1, count * (form.context + HORIZON))
    weights = _powers(ops, count, shares)
    shape = (-1, count, form.context + HORIZON)
    total, weight = (
        ops.matmul(weights, ops.reshape(ops.pick(ops.concat([x, zero], 1), places), *shape))
        for x in (values, mask)
    )
    return total, weight


def _means(ops: Ops, total: Array, weight: Array) -> tuple[Array, Array]:
    """Return weighted means, 0 where there is no weight, and where there is one."""
    defined = ops.positive(weight - LEAST_WEIGHT)
    return defined * total / ops.maximum(weight, LEAST_WEIGHT), defined


def _rest(ops: Ops, given: Known, longer: Array, defined: Array, form: Form) -> Array:
    """Return what the shorter season left of the longer one lately."""
    shape = (-1, form.context)
    mask = ops.reshape(ops.part(defined, 2, 0, form.context), *shape) * given.mask
    rest = (given.values - ops.reshape(ops.part(longer, 2, 0, form.context), *shape)) * mask
    total, weight = _lagged(
        ops, rest, mask, period(ops, given, 0), (REST_CYCLES, (REST,)), form=form
    )
    return _means(ops, total, weight)[0]


def _smooth(ops: Ops, given: Known, length: Array, form: Form) -> tuple[Array, Array]:
    """Return sums over neighbouring phases too, and their weights."""
    width = ops.floor(length / float(SMOOTH_SHARE))
    width = ops.reshape(width, -1, 1, 1)
    zero = ops.part(given.values, 1, 0, 1) * 0.0
    middle = _times(ops, form) - _cycles(ops, SMOOTH_CYCLES, length)
    shape = (-1, SMOOTH_CYCLES, form.context + HORIZON)
    ends, starts = (
        ops.reshape(
            ops.minimum(ops.maximum(place, 0.0), float(form.context)), -1, shape[1] * shape[2]
        )
        for place in (middle + width + 1.0, middle - width)
    )
    weights = _powers(ops, SMOOTH_CYCLES, (SMOOTH,)) * ops.reshape(
        ops.positive(length - 1.5), -1, 1, 1
    )
    sums = [ops.concat([zero, running_total(ops, x)], 1) for x in (given.values, given.mask)]
    total, weight = (
        ops.matmul(weights, ops.reshape(ops.pick(x, ends) - ops.pick(x, starts), *shape))
        for x in sums
    )
    return total, weight


def read_ahead(
    ops: Ops, found: Profiles, origins: Array, leads: Array, form: Form
) -> tuple[Array, Array]:
    """Return the profiles ahead of origins, and where they are defined.

    Args:
        ops: the backend.
        found: to be read.
        origins: float32, places of the last known values; (1, 1, m, 1) or (1, 1, 1, n).
        leads: float32, steps ahead from 1; the other of these shapes.
        form: sizes.

    Returns:
        Two arrays (batch, profiles, m, n).
    """
    count = int(found.periods.shape[1])
    length, reach = (ops.reshape(x, -1, count, 1, 1) for x in (found.periods, found.reach))
    cycle = leads - length * ops.floor((leads - 1.0) / length)  # 1 to length
    cycle = cycle - length * ops.positive(cycle - reach - 0.5)
    places = ops.maximum(origins + cycle, 0.0)  # (batch, profiles, m, n)
    times = form.context + HORIZON
    first = np.arange(count, dtype=np.float32) * times  # where each begins in a row of all
    places = places + ops.constant(first[None, :, None, None])
    rows, columns = int(places.shape[2]), int(places.shape[3])
    places = ops.reshape(places, -1, count * rows * columns)
    values, defined = (
        ops.reshape(ops.pick(ops.reshape(x, -1, count * times), places), -1, count, rows, columns)
        for x in (found.values, found.defined)
    )
    return values, defined
