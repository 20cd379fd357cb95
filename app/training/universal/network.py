"""Define the universal network: features to quantiles, by two LSTM layers between dense ones.

For each step ahead, its output determines how to mix the simple forecasts, how far to shift the
mixture, and how widely to spread the quantiles around it. With an output layer of zeros, the
mixture follows the errors so far.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.training.universal.continuations import at_chosen, count_of, profiles_ahead
from app.training.universal.features import Features
from app.training.universal.form import (
    HORIZON,
    KNOTS,
    MEDIAN,
    QUANTILES,
    SEASONS,
    TRENDS,
    Form,
)
from app.training.universal.ops import Array, Ops

Weights = Mapping[str, Array]

INPUTS = 218
COUNTED = len(SEASONS) * len(TRENDS)
GAPS = len(QUANTILES) - 1
# Per knot: a logit for each treatment and trend, two powers of the errors, the gaps.
PER_KNOT = len(SEASONS) + len(TRENDS) + 2 + GAPS
PER_STEP = 2  # shift and spread
OUTPUTS = len(KNOTS) * PER_KNOT + HORIZON * PER_STEP
SHUT = -30.0  # added to the input gate before the first value, so that the state stays zero
SPREAD_RANGE = 6.0


class Recurrence(Protocol):
    """Runs an LSTM layer on a backend."""

    def __call__(
        self, x: Array, started: Array, *, weights: Weights, layer: int, units: int
    ) -> Array:
        """Return the outputs of every step, (batch, steps, units), of x (batch, steps, inputs)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantiles:
    """The network's answer at the chosen origins."""

    median: Array  # (batch, origins, HORIZON), scaled
    gaps: Array  # (batch, origins, HORIZON, GAPS), above 0: between neighbouring quantiles
    scale: Array  # (batch, origins, 1)


def weight_shapes(form: Form) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight by name. LSTM kernels have Keras's layout and gate order."""
    units = form.units
    shapes: dict[str, tuple[int, ...]] = {
        "input.kernel": (INPUTS, units),
        "input.bias": (units,),
    }
    for layer in range(form.layers):
        shapes[f"layer{layer}.kernel"] = (units, 4 * units)
        shapes[f"layer{layer}.recurrent"] = (units, 4 * units)
        shapes[f"layer{layer}.bias"] = (4 * units,)
    shapes["hidden.kernel"] = (2 * units, form.hidden)
    shapes["hidden.bias"] = (form.hidden,)
    shapes["output.kernel"] = (form.hidden, OUTPUTS)
    shapes["output.bias"] = (OUTPUTS,)
    return shapes


def initial_weights(form: Form, *, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return initial weights: Glorot uniform, orthogonal, forget bias 1, output layer zero."""
    chance = np.random.default_rng(seed)
    weights: dict[str, npt.NDArray[np.float32]] = {}
    for name, shape in weight_shapes(form).items():
        if name.startswith("output") or len(shape) == 1:
            array = np.zeros(shape)
            if name.startswith("layer"):
                array[form.units : 2 * form.units] = 1.0
        elif name.endswith("recurrent"):
            blocks = [np.linalg.qr(chance.normal(size=(shape[0],) * 2))[0] for _ in range(4)]
            array = np.concatenate(blocks, axis=1)
        else:
            array = chance.uniform(-1, 1, shape) * np.sqrt(6 / sum(shape))
        weights[name] = array.astype(np.float32)
    return weights


def hidden_states(
    ops: Ops, weights: Weights, found: Features, recurrence: Recurrence, form: Form
) -> Array:
    """Return the input of the output layer at every origin, (batch, steps, 2 * units)."""
    flat = ops.reshape(found.inputs, -1, int(found.inputs.shape[2]))
    entered = ops.relu(ops.matmul(flat, weights["input.kernel"]) + weights["input.bias"])
    entered = ops.reshape(entered, -1, form.steps, form.units)
    hidden = entered
    for layer in range(form.layers):
        output = recurrence(hidden, found.started, weights=weights, layer=layer, units=form.units)
        hidden = output if layer == 0 else hidden + output
    return ops.concat([entered, hidden], 2)


def answer(
    ops: Ops, weights: Weights, found: Features, hidden: Array, *, chosen: slice, form: Form
) -> Quantiles:
    """Return the quantiles at some origins.

    Args:
        ops: the backend.
        weights: by name.
        found: the features.
        hidden: at every origin.
        chosen: origins, as places among the LSTM's steps.
        form: sizes.
    """
    count = count_of(chosen)
    flat = ops.reshape(at_chosen(ops, hidden, 1, chosen), -1, 2 * form.units)
    inner = ops.relu(ops.matmul(flat, weights["hidden.kernel"]) + weights["hidden.bias"])
    output = ops.matmul(inner, weights["output.kernel"]) + weights["output.bias"]
    output = ops.reshape(output, -1, count, OUTPUTS)
    at_knots = ops.reshape(
        ops.part(output, 2, 0, len(KNOTS) * PER_KNOT), -1, count, len(KNOTS), PER_KNOT
    )
    shift = ops.part(output, 2, len(KNOTS) * PER_KNOT, OUTPUTS - HORIZON)
    spread = ops.part(output, 2, OUTPUTS - HORIZON, OUTPUTS)
    scale = at_chosen(ops, found.scale, 1, chosen)
    mixture = _mixture(ops, at_knots, found, chosen)
    growth = ops.constant(_growth()[None, None])
    median = _mixed(ops, mixture, found, chosen, form) + shift * growth * scale
    gaps = ops.softplus(ops.part(at_knots, 3, PER_KNOT - GAPS, PER_KNOT))
    gaps = ops.matmul(_between(ops), gaps)  # (batch, origins, HORIZON, GAPS)
    spread = ops.minimum(ops.maximum(spread, -SPREAD_RANGE), SPREAD_RANGE)
    width = ops.exp(spread) * growth * scale
    return Quantiles(
        median=median, gaps=gaps * ops.reshape(width, -1, count, HORIZON, 1), scale=scale
    )


def _mixture(ops: Ops, at_knots: Array, found: Features, chosen: slice) -> Array:
    """Return weights of every continuation at every knot, (batch, origins, knots, J * K)."""
    count = count_of(chosen)
    seasons, trends = len(SEASONS), len(TRENDS)
    by_season = ops.reshape(ops.part(at_knots, 3, 0, seasons), -1, count, len(KNOTS), seasons, 1)
    by_trend = ops.reshape(
        ops.part(at_knots, 3, seasons, seasons + trends), -1, count, len(KNOTS), 1, trends
    )
    logits = ops.reshape(by_season + by_trend, -1, count, len(KNOTS), COUNTED)
    first = seasons + trends
    near_share, far_share = (ops.constant(x[None, None, :, None]) for x in _error_powers())
    near_power = ops.softplus(ops.part(at_knots, 3, first, first + 1) + near_share)
    far_power = ops.softplus(ops.part(at_knots, 3, first + 1, first + 2) + far_share)
    near, far, penalty = (
        ops.reshape(at_chosen(ops, x, 1, chosen), -1, count, 1, COUNTED)
        for x in (found.near, found.far, found.penalty)
    )
    return ops.softmax(logits - near * near_power - far * far_power + penalty)


def _mixed(ops: Ops, mixture: Array, found: Features, chosen: slice, form: Form) -> Array:
    """Return the mixed forecast, (batch, origins, HORIZON)."""
    count = count_of(chosen)
    seasons, trends = len(SEASONS), len(TRENDS)
    levels, slopes = (
        ops.reshape(at_chosen(ops, x, 1, chosen), -1, count, 1, COUNTED)
        for x in (found.levels, found.slopes)
    )
    by_season = ops.reshape(mixture, -1, count, len(KNOTS), seasons, trends)
    at_knots = ops.concat(
        [
            ops.reshape(ops.total(by_season, 4), -1, count, len(KNOTS), seasons),
            ops.total(mixture * levels, 3),
            ops.total(mixture * slopes, 3),
        ],
        3,
    )
    ahead = ops.matmul(_between(ops), at_knots)  # (batch, origins, HORIZON, J + 2)
    leads = np.arange(1, HORIZON + 1, dtype=np.float32)
    profile = profiles_ahead(ops, found.parts, leads, chosen, form)  # (batch, J, HORIZON, origins)
    shares = ops.part(ahead, 3, 0, seasons)
    seasonal = ops.total(shares * ops.transpose(profile, 0, 3, 2, 1), 3)
    level = ops.part(ahead, 3, seasons, seasons + 1)
    slope = ops.part(ahead, 3, seasons + 1, seasons + 2)
    steps = ops.constant(leads[None, None, :, None])
    return ops.reshape(seasonal + level + slope * steps, -1, count, HORIZON)


def _between(ops: Ops) -> Array:
    """Return the interpolation from knots to every step ahead, (1, 1, HORIZON, knots)."""
    steps, knots = np.log(np.arange(1, HORIZON + 1)), np.log(KNOTS)
    columns = [np.interp(steps, knots, row) for row in np.eye(len(KNOTS))]
    return ops.constant(np.stack(columns, axis=1).astype(np.float32)[None, None])


def _growth() -> npt.NDArray[np.float32]:
    """Return the usual growth of errors with the steps ahead, (HORIZON,)."""
    return ((1 + np.arange(HORIZON) / 4) ** 0.4).astype(np.float32)


def _error_powers() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return initial powers of near and far errors, before the softplus, by knot."""
    share = np.log(KNOTS) / np.log(KNOTS[-1])
    return (3.0 - 3.0 * share).astype(np.float32), (-2.0 + 5.0 * share).astype(np.float32)


def all_quantiles(ops: Ops, found: Quantiles) -> Array:
    """Return every quantile, (batch, origins, HORIZON, QUANTILES), scaled and in order."""
    below = np.zeros((GAPS, len(QUANTILES)), np.float32)
    for column in range(len(QUANTILES)):
        for gap in range(GAPS):
            if column <= gap < MEDIAN:
                below[gap, column] = -1.0
            elif MEDIAN <= gap < column:
                below[gap, column] = 1.0
    away = ops.matmul(found.gaps, ops.constant(below[None, None]))
    shape = (-1, int(found.median.shape[1]), HORIZON, 1)
    return away + ops.reshape(found.median, *shape)
