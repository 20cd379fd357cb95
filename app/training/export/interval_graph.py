"""Prediction intervals as nodes of the artifact's graph, computed in double precision.

`levels`, whole numbers from 50 to 99, is an input that may be left out: an initializer then takes
its place. So no interval is computed unless it is asked for, and a graph without the input `levels`
has no intervals.
"""

import math

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from app.artifact.files import FORECAST, HISTORY, INTERVALS, LEVELS
from app.forecasting.intervals import (
    LEAST_RELATIVE,
    LOWEST_LEVEL,
    USUAL_WEIGHT,
    Intervals,
    Volatility,
)
from app.training.export.graph_builder import Graph

LEVELS_LEFT_OUT = (80, 95)
NEWEST = 2**31 - 1  # a slice up to here runs to the end


def with_intervals(plain: bytes, intervals: Intervals, *, target: int) -> bytes:
    """Add the input `levels` and the output `intervals` to a forecaster's graph.

    The input is int64 (levels,); the output double (batch, steps, levels, 2), low and high. The
    existing inputs and outputs stay as they are.

    Args:
        plain: the ONNX file, from `series_graph`.
        intervals: what to compute, in the way of `Intervals.bounds`.
        target: index of the target among the features.

    Raises:
        onnx.checker.ValidationError: the graph is not valid ONNX.
    """
    model = onnx.load_model_from_string(plain)
    horizon = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    added = Graph()
    _add_nodes(added, intervals, horizon=horizon, target=target)
    model.graph.node.extend(added.nodes)
    model.graph.initializer.extend(added.constants)
    model.graph.input.append(
        helper.make_tensor_value_info(LEVELS, TensorProto.INT64, ["levels_count"])
    )
    model.graph.output.append(
        helper.make_tensor_value_info(
            INTERVALS, TensorProto.DOUBLE, ["batch", intervals.steps, "levels_count", 2]
        )
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _add_nodes(graph: Graph, intervals: Intervals, *, horizon: int, target: int) -> None:
    volatility = intervals.volatility
    graph.constant(LEVELS, np.array(LEVELS_LEFT_OUT, np.int64))
    graph.constant("interval_ends", _ends(intervals))
    width = graph.add("Gather", ["interval_ends", LEVELS], "interval_width", axis=1)
    if volatility.changes:
        sizes = _volatility(graph, volatility, target)  # (batch, 1, 1, 1)
        width = graph.add("Mul", [sizes, width], "interval_around")  # (batch, steps, levels, 2)
    forecast = FORECAST
    if intervals.steps < horizon:
        steps = _bounds(graph, "interval_steps", start=0, end=intervals.steps)
        forecast = graph.add("Slice", [FORECAST, *steps], "interval_forecast")
    graph.ids("interval_axes", 2, 3)
    graph.add("Unsqueeze", [forecast, "interval_axes"], "interval_center")  # (batch, steps, 1, 1)
    if intervals.at_least is None:
        graph.add("Add", ["interval_center", width], INTERVALS)
        return
    graph.constant("interval_least", np.array(intervals.at_least))
    graph.add("Add", ["interval_center", width], "interval_bounds")
    graph.add("Max", ["interval_bounds", "interval_least"], INTERVALS)


def _ends(intervals: Intervals) -> npt.NDArray[np.float64]:
    """Return low and high by level, (steps, 100, 2), with the volatility's constant part."""
    volatility = intervals.volatility
    if not volatility.changes:
        factor = 1.0 if volatility.usual is None else volatility.usual
    elif volatility.usual is None:
        factor = 1 / volatility.changes
    else:
        weight, share = volatility.changes + USUAL_WEIGHT, volatility.share
        factor = volatility.usual ** (1 - share) / weight**share
    own = np.stack([intervals.low, intervals.high], axis=-1)  # (steps, 50, 2)
    ends = np.full((intervals.steps, LOWEST_LEVEL + own.shape[1], 2), np.nan)
    ends[:, LOWEST_LEVEL:] = factor * own
    return ends


def _volatility(graph: Graph, volatility: Volatility, target: int) -> str:
    """Add `Volatility.of` as nodes, without its constant factor, (batch, 1, 1, 1)."""
    newest = _bounds(graph, "newest", start=-volatility.changes, end=NEWEST, feature=target)
    before = _bounds(graph, "before", start=-volatility.changes - 1, end=-1, feature=target)
    graph.add("Slice", [HISTORY, *newest], "later_values")  # (batch, changes, 1)
    graph.add("Slice", [HISTORY, *before], "earlier_values")
    graph.add("Sub", ["later_values", "earlier_values"], "changes")
    graph.add("ReduceL1", ["changes"], "changes_sum", axes=[1], keepdims=1)  # (batch, 1, 1)
    graph.ids("volatility_axis", 3)
    sizes = graph.add("Unsqueeze", ["changes_sum", "volatility_axis"], "changes_size")
    if volatility.usual is None:
        return _floored(graph, volatility.changes, sizes, target)
    graph.constant("usual_changes", np.array(USUAL_WEIGHT * volatility.usual))
    sizes = graph.add("Add", [sizes, "usual_changes"], "volatility")
    if math.isclose(volatility.share, 1.0):
        return sizes
    graph.constant("volatility_share", np.array(volatility.share))
    return graph.add("Pow", [sizes, "volatility_share"], "volatility_mixed")


def _floored(graph: Graph, changes: int, sizes: str, target: int) -> str:
    every = _bounds(graph, "every", start=0, end=NEWEST, feature=target)
    graph.add("Slice", [HISTORY, *every], "target_values")  # (batch, window, 1)
    graph.add("Abs", ["target_values"], "target_sizes")
    graph.add("ReduceMax", ["target_sizes"], "target_largest", axes=[1], keepdims=1)
    graph.add("Unsqueeze", ["target_largest", "volatility_axis"], "target_size")
    graph.constant("least_share", np.array(LEAST_RELATIVE * changes))
    graph.add("Mul", ["target_size", "least_share"], "least_size")
    return graph.add("Max", [sizes, "least_size"], "volatility")


def _bounds(
    graph: Graph, name: str, *, start: int, end: int, feature: int | None = None
) -> list[str]:
    """Return starts, ends and axes of a Slice along axis 1, and of one feature along axis 2."""
    starts, ends, axes = [start], [end], [1]
    if feature is not None:
        starts, ends, axes = [start, feature], [end, feature + 1], [1, 2]
    return [
        graph.ids(f"{name}_starts", *starts),
        graph.ids(f"{name}_ends", *ends),
        graph.ids(f"{name}_axes", *axes),
    ]
