"""Run the universal network in TensorFlow, for training: every origin of every history at once."""

from typing import Any

import tensorflow as tf

from app.training.cell_steps import step_of
from app.training.recurrence import run_layer
from app.training.universal.features import features
from app.training.universal.form import Form
from app.training.universal.known import known
from app.training.universal.network import (
    SHUT,
    Quantiles,
    Weights,
    answer,
    hidden_states,
)
from app.training.universal.ops import TensorFlowOps

Tensor = Any
OPS = TensorFlowOps()


def run_recurrent(
    x: Tensor, started: Tensor, *, weights: Weights, layer: int, units: int
) -> Tensor:
    """Return the outputs of an LSTM layer at every step, (batch, steps, units).

    Args:
        x: (batch, steps, inputs).
        started: (batch, steps, 1), 1 from a history's first value on, else 0: until then the input
            gate is shut.
        weights: by name.
        layer: counted from 0.
        units: units of the layer.
    """
    projected = x @ weights[f"layer{layer}.kernel"] + weights[f"layer{layer}.bias"]
    gate = tf.constant([SHUT, 0.0, 0.0, 0.0])
    projected += (1.0 - started) * tf.repeat(gate, units)
    batch = int(x.shape[0])
    zero = tf.zeros((batch, units))
    outputs, _ = run_layer(
        step_of("lstm", "tanh"),
        tf.transpose(projected, (1, 0, 2)),  # (steps, batch, 4 * units)
        weights[f"layer{layer}.recurrent"],
        tf.zeros((4 * units,)),
        [zero, zero],
    )
    return tf.transpose(outputs, (1, 0, 2))


def run(weights: Weights, history: Tensor, periods: Tensor, form: Form) -> Quantiles:
    """Return quantiles at every origin.

    Args:
        weights: by name.
        history: float (batch, context), NaN where missing.
        periods: float32 (batch, PERIODS).
        form: sizes.
    """
    found = features(OPS, known(OPS, tf.cast(history, tf.float64), periods), form)
    hidden = hidden_states(OPS, weights, found, run_recurrent, form)
    return answer(OPS, weights, found, hidden, chosen=slice(0, form.steps), form=form)
