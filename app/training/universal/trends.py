"""Compute levels and lines of a signal at every origin: discounted means and regressions.

A discounted mean with weights d^age is simple exponential smoothing with alpha = 1 - d, without an
initial value; a discounted regression is Brown's linear exponential smoothing (1963). Both are
computed from sums of d^age (age)^r and d^age (age)^r y, which allow for gaps and short histories.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.training.universal.form import PATCH, TRENDS, Form
from app.training.universal.ops import Array, Ops

HALF_LIVES = (1.5, 5.0, 20.0, 80.0)
SLOWEST = len(HALF_LIVES) - 1
# Weight of the second to last value, and of the previous patch, where the last value is wanted. In
# a gap of more than two patches, a level takes its place.
LAST_SHARE, LAST_PATCH_SHARE = 1e-2, 1e-15
STAND_IN = HALF_LIVES.index(5.0)
LEAST_SPREAD = 0.25  # added to the variance of time, so that a single value gives no line
LEAST_WEIGHT = 1e-12
LEAST_LAST_WEIGHT = 1e-30

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothed:
    """Smoothed signals at every origin, (batch, signals, HALF_LIVES, origins)."""

    last: Array  # (batch, signals, 1, origins)
    mean: Array
    age: Array  # mean age of the values in the mean, counted from 0
    level: Array  # of the line at the origin
    slope: Array
    weight: Array


def smoothed(ops: Ops, signals: Array, masks: Array, form: Form) -> Smoothed:
    """Smooth signals.

    Args:
        ops: the backend.
        signals: (batch, signals, context), 0 where masked.
        masks: likewise, 1 or 0.
        form: sizes.
    """
    count = int(signals.shape[1])
    patched = ops.reshape(ops.concat([masks, signals], 1), -1, 2 * count * form.patches, PATCH)
    inner = _within_patch()
    moments = ops.matmul(patched, ops.constant(inner))
    moments = ops.reshape(moments, -1, 2 * count, form.patches, inner.shape[1])
    moments = ops.transpose(moments, 0, 3, 1, 2)  # (batch, moments, 2 * signals, patches)
    sums: list[list[Array]] = [[] for _ in range(5)]
    for index, half_life in enumerate(HALF_LIVES):
        own = [_moment(ops, moments, 3 * index + power) for power in range(3)]
        for place, total in enumerate(_across(ops, own, 0.5 ** (1 / half_life), form)):
            sums[place].append(total)
    weight, t, t2, y, ty = (ops.concat(totals, 2) for totals in sums)
    share = 1.0 / ops.maximum(weight, LEAST_WEIGHT)
    mean, age = y * share, t * share
    spread = ops.maximum(t2 * share - age * age, 0.0) + LEAST_SPREAD
    slope = (age * mean - ty * share) / spread  # ages count backwards
    newest = ops.matmul(
        _moment(ops, moments, 3 * len(HALF_LIVES)), ops.constant(_decays(LAST_PATCH_SHARE, form)[0])
    )
    newest = ops.reshape(newest, -1, 2 * count, 1, form.steps)
    last_weight = ops.part(newest, 1, 0, count)
    has_last = ops.positive(last_weight - LEAST_LAST_WEIGHT)
    last = ops.part(newest, 1, count, 2 * count) / ops.maximum(last_weight, LEAST_LAST_WEIGHT)
    stand_in = ops.part(mean, 2, STAND_IN, STAND_IN + 1)
    return Smoothed(
        last=stand_in + (last - stand_in) * has_last,
        mean=mean,
        age=age,
        level=mean + slope * age,
        slope=slope,
        weight=weight,
    )


def continuations(ops: Ops, found: Smoothed) -> tuple[Array, Array]:
    """Return level at the origin and slope of each of TRENDS, (batch, signals, TRENDS, origins).

    The first, "zero", is for signals without their season.
    """
    zero = found.last * 0.0
    half = ops.part(found.slope, 2, SLOWEST, SLOWEST + 1) * 0.5
    # Theta (Assimakopoulos and Nikolopoulos 2000): smoothing with half the slope of the line
    theta = ops.part(found.mean, 2, 0, 1) + half * ops.part(found.age, 2, 0, 1)
    levels = ops.concat(
        [
            zero,
            found.last,
            ops.part(found.mean, 2, 0, SLOWEST),
            ops.part(found.level, 2, 1, SLOWEST + 1),
            theta,
        ],
        2,
    )
    slopes = ops.concat([zero] * 5 + [ops.part(found.slope, 2, 1, SLOWEST + 1), half], 2)
    if int(levels.shape[2]) != len(TRENDS) or int(slopes.shape[2]) != len(TRENDS):
        raise ValueError("there are other continuations than TRENDS")
    return levels, slopes


def _moment(ops: Ops, moments: Array, index: int) -> Array:
    """Return one moment of every patch, (batch, 2 * signals, patches)."""
    shape = (-1, int(moments.shape[2]), int(moments.shape[3]))
    return ops.reshape(ops.part(moments, 1, index, index + 1), *shape)


def _within_patch() -> Matrix:
    """Return weights of a patch's values in its moments, (PATCH, 3 * HALF_LIVES + 1)."""
    age = np.arange(PATCH)[::-1].astype(np.float64)
    columns = [
        0.5 ** (age / half_life) * age**power for half_life in HALF_LIVES for power in range(3)
    ]
    return np.stack([*columns, LAST_SHARE**age], axis=1).astype(np.float32)


def _across(ops: Ops, own: list[Array], discount: float, form: Form) -> list[Array]:
    """Add up patches' moments at every origin.

    Returns:
        Weight, ages, squared ages (of the masks); values, values times age (of the signals); each
        (batch, signals, 1, steps).
    """
    count = int(own[0].shape[1]) // 2
    decay, aged, aged_twice = (ops.constant(matrix) for matrix in _decays(discount**PATCH, form))
    zeroth = ops.matmul(own[0], decay)
    first = ops.matmul(own[1], decay) + ops.matmul(own[0], aged)
    of_masks = [ops.part(moment, 1, 0, count) for moment in own]
    second = (
        ops.matmul(of_masks[2], decay)
        + ops.matmul(of_masks[1], aged) * 2.0
        + ops.matmul(of_masks[0], aged_twice)
    )
    masks, signals = (0, count), (count, 2 * count)
    sums = [
        ops.part(zeroth, 1, *masks),
        ops.part(first, 1, *masks),
        second,
        ops.part(zeroth, 1, *signals),
        ops.part(first, 1, *signals),
    ]
    return [ops.reshape(total, -1, count, 1, form.steps) for total in sums]


def _decays(discount: float, form: Form) -> list[Matrix]:
    """Return d^lag, and that times the lag in values, and times its square; (patches, steps)."""
    origins = np.arange(form.patches - form.steps, form.patches)
    lag = origins[None, :] - np.arange(form.patches)[:, None]
    decay = np.where(lag >= 0, float(discount) ** np.maximum(lag, 0), 0.0)
    values = lag * PATCH
    return [(decay * values**power).astype(np.float32) for power in range(3)]
