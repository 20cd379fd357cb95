"""Export the universal network as one ONNX file: raw values in, forecasts and intervals out."""

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper

from app.artifact.files import FORECAST, HISTORY, INTERVALS, LEVELS, SEASON_PERIODS
from app.forecasting.intervals import LOWEST_LEVEL
from app.training.universal.features import features
from app.training.universal.form import CONTEXT, HORIZON, PERIODS, QUANTILES, Form
from app.training.universal.known import known
from app.training.universal.network import (
    SHUT,
    Weights,
    all_quantiles,
    answer,
    hidden_states,
)
from app.training.universal.onnx_ops import OnnxOps, Value

QUANTILE_VALUES = "quantiles"
LEVELS_LEFT_OUT = (80, 95)
ONNX_GATES = (0, 3, 1, 2)  # ONNX: input, output, forget, candidate
LEVELS_END = 100

Arrays = Mapping[str, npt.NDArray[np.float32]]


def universal_graph(weights: Arrays, form: Form) -> bytes:
    """Return the ONNX file.

    Inputs: `history` double (batch, CONTEXT, 1), oldest first, NaN where missing or before the
    start; `periods` int64 (batch or 1, PERIODS), the shorter first, 0 for none, may be left out;
    `levels` int64 (levels,), whole numbers from 50 to 99, may be left out. Outputs: `forecast`
    double (batch, HORIZON), the median; `intervals` double (batch, HORIZON, levels, 2).
    """
    ops = OnnxOps()
    raw = ops.given(HISTORY, _example())
    history = ops.reshape(raw, -1, CONTEXT)
    told = ops.given(SEASON_PERIODS, np.array([[12, 0]]))
    one_each = ops.part(ops.fill_unknown(history), 1, 0, 1) * 0.0  # (batch, 1)
    periods = ops.to_float(ops.to_double(told) + one_each)
    given = known(ops, history, periods)
    found = features(ops, given, form)
    constants = {name: ops.constant(array) for name, array in weights.items()}
    hidden = hidden_states(ops, constants, found, _Recurrence(ops, weights), form)
    last = slice(form.steps - 1, form.steps)
    quantiles = answer(ops, constants, found, hidden, chosen=last, form=form)
    values = all_quantiles(ops, quantiles)  # (batch, 1, HORIZON, QUANTILES)
    raw_values = ops.to_double(ops.reshape(values, -1, HORIZON, len(QUANTILES))) * ops.reshape(
        given.scale, -1, 1, 1
    ) + ops.reshape(given.center, -1, 1, 1)
    median = ops.to_double(ops.reshape(quantiles.median, -1, HORIZON))
    ops.node("Add", [median * given.scale, given.center], median.example, name=FORECAST)
    _add_intervals(ops, raw_values)
    ops.graph.constant(SEASON_PERIODS, np.zeros((1, PERIODS), np.int64))
    ops.graph.constant(LEVELS, np.array(LEVELS_LEFT_OUT, np.int64))
    return ops.graph.to_bytes(
        [
            helper.make_tensor_value_info(HISTORY, TensorProto.DOUBLE, ["batch", CONTEXT, 1]),
            helper.make_tensor_value_info(
                SEASON_PERIODS, TensorProto.INT64, ["batch or 1", PERIODS]
            ),
            helper.make_tensor_value_info(LEVELS, TensorProto.INT64, ["levels_count"]),
        ],
        [
            helper.make_tensor_value_info(FORECAST, TensorProto.DOUBLE, ["batch", HORIZON]),
            helper.make_tensor_value_info(
                INTERVALS, TensorProto.DOUBLE, ["batch", HORIZON, "levels_count", 2]
            ),
        ],
    )


class _Recurrence:
    """LSTM layers as ONNX nodes."""

    def __init__(self, ops: OnnxOps, weights: Arrays) -> None:
        self.ops, self.weights = ops, weights

    def __call__(
        self, x: Value, started: Value, *, weights: Weights, layer: int, units: int
    ) -> Value:
        """Return the outputs of every step, (batch, steps, units)."""
        del weights  # as constants; the node wants them in another layout
        ops = self.ops
        # An extra input closes the input gate before the first value.
        steps = ops.transpose(ops.concat([x, 1.0 - started], 2), 1, 0, 2)
        kernel, recurrent, bias = (
            self.weights[f"layer{layer}.{part}"] for part in ("kernel", "recurrent", "bias")
        )
        shut = np.zeros((1, 4 * units), np.float32)
        shut[0, :units] = SHUT
        kernel = np.concatenate([kernel, shut])
        both = np.stack([bias, np.zeros_like(bias)])
        constants = [
            ops.constant(_reordered(kernel).T[None]),
            ops.constant(_reordered(recurrent).T[None]),
            ops.constant(_reordered(both).reshape(1, -1)),
        ]
        count = x.shape[1]
        output = ops.node(
            "LSTM",
            [steps, *constants],
            np.zeros((count, 1, 1, units), np.float32),
            hidden_size=units,
        )
        return ops.reshape(ops.transpose(output, 2, 0, 1, 3), -1, count, units)


def _reordered(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    parts = np.split(columns, len(ONNX_GATES), axis=-1)
    return np.concatenate([parts[gate] for gate in ONNX_GATES], axis=-1)


def _add_intervals(ops: OnnxOps, quantiles: Value) -> None:
    """Add the bounds of the requested levels, interpolated between the network's quantiles."""
    table = ops.constant(level_weights().reshape(LEVELS_END, -1))
    levels = ops.given(LEVELS, np.array(LEVELS_LEFT_OUT))
    count = len(LEVELS_LEFT_OUT)
    rows = ops.node("Gather", [table, levels], np.zeros((count, 2 * len(QUANTILES))))
    rows = ops.reshape(rows, -1, len(QUANTILES))  # (levels * 2, QUANTILES)
    bounds = ops.matmul(quantiles, ops.transpose(rows, 1, 0))
    shape = ops.constant(np.array([0, HORIZON, -1, 2], np.int64))
    example = bounds.example.reshape(1, HORIZON, -1, 2)
    ops.node("Reshape", [bounds, shape], example, name=INTERVALS)


def level_weights() -> npt.NDArray[np.float64]:
    """Return the weights of the quantiles in the bounds of each level, (100, 2, QUANTILES).

    Between two quantiles, a bound is linear in the quantile of the standard normal. NaN below level
    50.
    """
    normal = NormalDist()
    known_places = [normal.inv_cdf(quantile) for quantile in QUANTILES]
    weights = np.full((LEVELS_END, 2, len(QUANTILES)), np.nan)
    for level in range(LOWEST_LEVEL, LEVELS_END):
        for side, share in enumerate((0.5 - level / 200, 0.5 + level / 200)):
            place = normal.inv_cdf(share)
            weights[level, side] = [
                np.interp(place, known_places, row) for row in np.eye(len(QUANTILES))
            ]
    return weights


def _example() -> npt.NDArray[np.float64]:
    """Return a history from which to derive shapes."""
    return np.sin(np.arange(CONTEXT, dtype=np.float64))[None, :, None]
