"""Define the training objective: the pinball loss of the quantiles at every origin."""

from typing import Any

import numpy as np
import tensorflow as tf

from app.training.universal.form import HORIZON, LEAST_VALUES, MEDIAN, PATCH, QUANTILES, Form
from app.training.universal.network import Quantiles

Tensor = Any
MEDIAN_WEIGHT = 3.0  # weight, relative to 1 for every other quantile
# The loss is in units of the error of the simple forecasts so far. Without a limit, a series that
# has hardly changed before would outweigh thousands of others.
LEAST_SHARE_OF_SIZE = 0.02
LARGEST = 1e6  # of a scaled value


def weighted_loss(
    found: Quantiles,
    counts: Tensor,
    values: Tensor,
    future: Tensor,
    *,
    chosen: slice,
    form: Form,
) -> tuple[Tensor, Tensor]:
    """Return the summed loss and its weight; see `losses_by_series`."""
    losses, weights = losses_by_series(found, counts, values, future, chosen=chosen, form=form)
    return tf.reduce_sum(losses), tf.reduce_sum(weights)


def losses_by_series(
    found: Quantiles,
    counts: Tensor,
    values: Tensor,
    future: Tensor,
    *,
    chosen: slice,
    form: Form,
    horizon: int = HORIZON,
) -> tuple[Tensor, Tensor]:
    """Return the summed loss of each series and its weight, (batch,) each.

    Args:
        found: at the chosen origins.
        counts: values so far at every origin, (batch, steps, 1).
        values: scaled, (batch, context), NaN where missing.
        future: scaled, (batch, HORIZON), likewise.
        chosen: origins.
        form: sizes.
        horizon: steps ahead that count.
    """
    series = tf.clip_by_value(tf.concat([values, future], 1), -LARGEST, LARGEST)
    target = _targets(series, form)[:, chosen]  # (batch, origins, HORIZON)
    counts = counts[:, chosen]
    is_known = tf.math.logical_not(tf.math.is_nan(target))
    target = tf.where(is_known, target, 0.0)
    size = tf.reduce_mean(tf.abs(tf.where(tf.math.is_nan(series), 0.0, series)), 1)  # (batch,)
    unit = tf.maximum(found.scale, LEAST_SHARE_OF_SIZE * size[:, None, None])
    error = (target - found.median) / unit
    gaps = found.gaps / unit[..., None]  # (batch, steps, HORIZON, GAPS)
    losses = MEDIAN_WEIGHT * 0.5 * tf.abs(error)
    for side in (-1, 1):
        away = tf.zeros_like(error)
        levels = range(MEDIAN - 1, -1, -1) if side < 0 else range(MEDIAN + 1, len(QUANTILES))
        for level in levels:
            away += side * gaps[..., level if side < 0 else level - 1]
            left = error - away
            losses += tf.maximum(QUANTILES[level] * left, (QUANTILES[level] - 1.0) * left)
    steps = np.arange(1, HORIZON + 1)
    shares = steps**-0.5 / (1 + steps / 4) ** 0.2 * (steps <= horizon)
    weight = tf.constant(shares.astype(np.float32))
    weight = weight * tf.cast(is_known, tf.float32) * tf.cast(counts >= LEAST_VALUES, tf.float32)
    return tf.reduce_sum(losses * weight, (1, 2)), tf.reduce_sum(weight, (1, 2))


def _targets(series: Tensor, form: Form) -> Tensor:
    """Return the HORIZON values after every origin, (batch, steps, HORIZON)."""
    first = (form.patches - form.steps + 1) * PATCH
    patches = tf.reshape(series[:, first:], (series.shape[0], -1, PATCH))
    count = HORIZON // PATCH
    return tf.concat([patches[:, i : i + form.steps] for i in range(count)], 2)
