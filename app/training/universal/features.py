"""Compute what the network sees at every origin: recent values, and errors of simple forecasts."""

from dataclasses import dataclass

import numpy as np

from app.training.universal.continuations import Continuations, continue_series
from app.training.universal.errors import change_counts, mean_errors, measured_profiles
from app.training.universal.form import PATCH, SEASONS, TRENDS, Form
from app.training.universal.known import Known, at_origins, period, running_total
from app.training.universal.ops import Array, Ops

SHARPNESS = 4.0  # power of the inverse error in the weights of the usual mixture
UNUSABLE = 15.0  # subtracted from the logit of a treatment without a season to continue
LEAST_OF_SPREAD = 1e-3
LEAST_SCALE = 1e-5
COUNTED = len(SEASONS) * len(TRENDS)
RATIO_RANGE = (-3.0, 5.0)  # of logarithms
WIDE_RANGE = 6.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """The input of the network, and what its output is combined with."""

    parts: Continuations
    inputs: Array  # (batch, steps, inputs)
    started: Array  # (batch, steps, 1), 1 from the first value on
    levels: Array  # (batch, steps, J * K)
    slopes: Array  # (batch, steps, J * K)
    # (batch, steps, J * K): log of the error of each continuation, relative to the scale
    near: Array
    far: Array  # the same, further ahead
    penalty: Array  # (batch, steps, J * K), for the logits
    scale: Array  # (batch, steps, 1), the error of the default mixture
    counts: Array  # (batch, steps, 1), number of values so far


def features(ops: Ops, given: Known, form: Form) -> Features:
    """Compute the inputs of every LSTM step."""
    parts = continue_series(ops, given, form)
    change, spread, count = _sizes(ops, given, form)
    profile = measured_profiles(ops, parts, form)
    near_error, far_error = mean_errors(
        ops,
        given,
        parts,
        profile,
        change=ops.reshape(change, -1, 1, form.steps),
        form=form,
    )
    penalty = (parts.usable - 1.0) * UNUSABLE + parts.levels * 0.0
    levels, slopes, penalty, near, far = (
        _flat(ops, x, form) for x in (parts.levels, parts.slopes, penalty, near_error, far_error)
    )
    mixture = ops.softmax(ops.log(near) * -SHARPNESS + penalty)  # (batch, steps, J * K)
    scale = ops.total(mixture * near, 2)
    scale = ops.maximum(scale, ops.maximum(spread * LEAST_OF_SPREAD, LEAST_SCALE))
    near, far = _log_ratio(ops, near, scale), _log_ratio(ops, far, scale)
    last = ops.reshape(parts.last, -1, form.steps, 1)
    ahead = _mixed_ahead(ops, mixture, levels, slopes, profile, form=form)
    inputs = [
        *_recent(ops, given, last, ahead, scale=scale, spread=spread, form=form),
        near,
        far,
        *_levels(ops, levels, slopes, last, scale),
        *_context(ops, given, parts, (change, spread, scale, count, last), form),
    ]
    return Features(
        parts=parts,
        inputs=ops.concat(inputs, 2),
        started=ops.positive(count),
        levels=levels,
        slopes=slopes,
        near=near,
        far=far,
        penalty=penalty,
        scale=scale,
        counts=count,
    )


def _sizes(ops: Ops, given: Known, form: Form) -> tuple[Array, Array, Array]:
    """Return mean change, standard deviation and number of the known values, (batch, steps, 1)."""
    first = ops.part(given.values, 1, 0, 1) * 0.0
    before = ops.concat([first, ops.part(given.values, 1, 0, form.context - 1)], 1)
    both = given.mask * ops.concat([first, ops.part(given.mask, 1, 0, form.context - 1)], 1)
    changes = ops.absolute(given.values - before) * both
    sums = [
        ops.reshape(at_origins(ops, running_total(ops, x), form), -1, form.steps, 1)
        for x in (changes, both, given.values, given.values * given.values)
    ]
    counts = ops.reshape(change_counts(ops, given, form), -1, form.steps, 1)
    change = sums[0] / ops.maximum(sums[1], 1.0)
    count = ops.maximum(counts, 1.0)
    mean = sums[2] / count
    variance = sums[3] / count - mean * mean
    return change, ops.sqrt(ops.maximum(variance, 1e-12)), counts


def _flat(ops: Ops, x: Array, form: Form) -> Array:
    """Reshape (batch, J, K, steps) to (batch, steps, J * K)."""
    return ops.transpose(ops.reshape(x, -1, COUNTED, form.steps), 0, 2, 1)


def _log_ratio(ops: Ops, error: Array, scale: Array) -> Array:
    ratio = ops.log(error / scale)
    return ops.minimum(ops.maximum(ratio, RATIO_RANGE[0]), RATIO_RANGE[1])


def _mixed_ahead(
    ops: Ops, mixture: Array, levels: Array, slopes: Array, profile: Array, *, form: Form
) -> Array:
    """Return the default mixture's forecast of the next patch, (batch, steps, PATCH)."""
    level, slope = ops.total(mixture * levels, 2), ops.total(mixture * slopes, 2)
    by_season = ops.reshape(mixture, -1, form.steps, len(SEASONS), len(TRENDS))
    shares = ops.reshape(ops.total(by_season, 3), -1, form.steps, len(SEASONS), 1)
    ahead = ops.transpose(ops.part(profile, 2, 0, PATCH), 0, 3, 1, 2)
    mixed = ops.reshape(ops.total(shares * ahead, 2), -1, form.steps, PATCH)
    steps = ops.constant(np.arange(1, PATCH + 1, dtype=np.float32)[None, None])
    return mixed + level + slope * steps


def squashed(ops: Ops, x: Array) -> Array:
    """Return sign(x) log(1 + |x|)."""
    return ops.sign(x) * ops.log(ops.absolute(x) + 1.0)


def _recent(
    ops: Ops,
    given: Known,
    last: Array,
    ahead: Array,
    *,
    scale: Array,
    spread: Array,
    form: Form,
) -> list[Array]:
    """Return the patch, its mask, its forecast error, and the forecast of the next patch."""
    values, mask = (
        ops.part(
            ops.reshape(x, -1, form.patches, PATCH), 1, form.patches - form.steps, form.patches
        )
        for x in (given.values, given.mask)
    )
    before = ops.concat([ops.part(ahead, 1, 0, 1) * 0.0, ops.part(ahead, 1, 0, form.steps - 1)], 1)
    counts = ops.reshape(change_counts(ops, given, form), -1, form.steps, 1)
    had_forecast = ops.concat(
        [ops.part(counts, 1, 0, 1) * 0.0, ops.part(ops.positive(counts), 1, 0, form.steps - 1)], 1
    )
    from_last = values - last
    wide = ops.minimum(ops.maximum(from_last / (spread + scale), -WIDE_RANGE), WIDE_RANGE)
    return [
        wide * mask,
        squashed(ops, from_last / scale) * mask,
        mask,
        squashed(ops, (values - before) / scale) * mask * had_forecast,
        squashed(ops, (ahead - last) / scale),
    ]


def _levels(ops: Ops, levels: Array, slopes: Array, last: Array, scale: Array) -> list[Array]:
    """Return levels and slopes without a season, and with the most complete ones, scaled."""
    count, lines = len(TRENDS), TRENDS.index("line 5")
    found = []
    for name, center in (("none", last), ("mean season", 0.0), ("both seasons", 0.0)):
        start = SEASONS.index(name) * count
        level = ops.part(levels, 2, start, start + count) - center
        slope = ops.part(slopes, 2, start + lines, start + count - 1)
        found += [level, slope * float(PATCH)]
    return [squashed(ops, ops.concat(found, 2) / scale)]


def _context(
    ops: Ops,
    given: Known,
    parts: Continuations,
    sizes: tuple[Array, Array, Array, Array, Array],
    form: Form,
) -> list[Array]:
    """Return sizes, counts and periods."""
    change, spread, scale, count, last = sizes
    none = count * 0.0
    lengths = [ops.reshape(period(ops, given, index), -1, 1, 1) + none for index in range(2)]
    seen = [
        squashed(ops, count / ops.maximum(length, 1.0)) * ops.positive(length - 1.5) * 0.5
        for length in lengths
    ]
    away = ops.positive(ops.absolute(given.values - given.zero) - 1e-6)
    zeros = running_total(ops, given.mask * (1.0 - away))
    zeros = ops.reshape(at_origins(ops, zeros, form), -1, form.steps, 1)
    usable = ops.transpose(ops.reshape(parts.usable, -1, len(SEASONS), form.steps), 0, 2, 1)
    return [
        _log_ratio(ops, spread + LEAST_SCALE, scale),
        _log_ratio(ops, change + LEAST_SCALE, scale),
        ops.log(count + 1.0) * 0.3,
        *(ops.log(ops.maximum(length, 1.0)) * 0.3 for length in lengths),
        *seen,
        zeros / ops.maximum(count, 1.0),
        squashed(ops, (parts.zero - last) / scale),
        usable,
    ]
