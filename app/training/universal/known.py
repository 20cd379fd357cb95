"""Scale a history, and give the formulas access to what is known at each origin.

An origin is the end of a patch. Nothing at an origin depends on later values: the scale of the
whole history cancels out of everything that follows.
"""

from dataclasses import dataclass

import numpy as np

from app.forecasting.scaling import FLOOR, TINY
from app.training.universal.form import PATCH, PERIODS, Form
from app.training.universal.ops import Array, Ops

LARGEST = 1e6  # of a scaled value
# Further from zero than this many scales, multiplying by a share and adding are the same.
FAR_FROM_ZERO = 100.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """A batch of scaled histories. Float32 except for center and scale."""

    center: Array  # (batch, 1), double, raw: the last value
    scale: Array  # (batch, 1), double, raw: the mean distance from it
    values: Array  # (batch, context), scaled; 0 where missing
    mask: Array  # (batch, context), 1 where there is a value
    zero: Array  # (batch, 1): the scaled position of the raw zero
    periods: Array  # (batch, PERIODS), whole numbers, the shorter first; below 2: none


def known(ops: Ops, history: Array, periods: Array) -> Known:
    """Scale a batch of histories.

    Args:
        ops: the backend.
        history: double (batch, context), oldest first, NaN where missing or before the start.
        periods: float32 (batch, PERIODS).
    """
    context = int(history.shape[1])
    mask = ops.known(history)
    values = ops.fill_unknown(history)
    places = ops.constant(np.arange(1, context + 1, dtype=np.float64)[None])
    newest = ops.largest(mask * places, 1)  # (batch, 1)
    last = ops.pick(values, ops.maximum(newest - 1.0, 0.0))
    center = last
    distance = ops.absolute(values - center) * mask
    mean = ops.total(distance, 1) / ops.maximum(ops.total(mask, 1), 1.0)
    scale = ops.maximum(mean, ops.largest(ops.absolute(values), 1) * FLOOR)
    scale = ops.maximum(scale, TINY)
    scaled = mask * (values - center) / scale
    zero = ops.maximum(ops.minimum(-center / scale, LARGEST), -LARGEST)
    return Known(
        center=center,
        scale=scale,
        values=ops.to_float(ops.maximum(ops.minimum(scaled, LARGEST), -LARGEST)),
        mask=ops.to_float(mask),
        zero=ops.to_float(zero),
        periods=periods,
    )


def running_total(ops: Ops, x: Array) -> Array:
    """Return sums of x (batch, context) from the start to each value, itself included."""
    context = int(x.shape[1])
    patches = context // PATCH
    within = ops.constant(np.triu(np.ones((PATCH, PATCH), np.float32)))
    before = ops.constant(np.triu(np.ones((patches, patches), np.float32), 1))
    inside = ops.matmul(ops.reshape(x, -1, patches, PATCH), within)  # (batch, patches, PATCH)
    ends = ops.reshape(ops.part(inside, 2, PATCH - 1, PATCH), -1, patches)
    carried = ops.reshape(ops.matmul(ends, before), -1, patches, 1)
    return ops.reshape(inside + carried, -1, context)


def at_origins(ops: Ops, x: Array, form: Form) -> Array:
    """Return the values of x (batch, context) at the origins, (batch, steps)."""
    patches = ops.reshape(x, -1, form.patches, PATCH)
    ends = ops.reshape(ops.part(patches, 2, PATCH - 1, PATCH), -1, form.patches)
    return ops.part(ends, 1, form.patches - form.steps, form.patches)


def period(ops: Ops, given: Known, index: int) -> Array:
    """Return the shorter (0) or longer (1) period, (batch, 1)."""
    if not 0 <= index < PERIODS:
        raise ValueError(f"there is no period {index}")
    return ops.part(given.periods, 1, index, index + 1)
