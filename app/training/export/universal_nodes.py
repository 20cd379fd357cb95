"""The shipped `universal` as a part of another version's graph."""

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import NodeProto

from app.artifact.files import FORECAST, HISTORY, SEASON_PERIODS, UNIVERSAL_FORECAST
from app.forecasting.frequencies import Periods
from app.training.export.graph_builder import Graph

PREFIX = "universal."


def universal_nodes(
    graph: Graph, values: str, shipped: bytes, *, window: int, horizon: int, periods: Periods
) -> str:
    """Add the nodes of `universal` that lead to its forecast, and return that, (batch, horizon).

    Args:
        graph: that is under construction.
        values: its tensor of raw values, double (batch, window), without missing ones.
        shipped: the ONNX file of `universal`.
        window: steps in `values`.
        horizon: steps ahead, at most those of `universal`.
        periods: rows in the season and in a longer one; 0 for none.
    """
    model = onnx.load_model_from_string(shipped).graph
    context = model.input[0].type.tensor_type.shape.dim[1].dim_value
    own = {FORECAST: f"{PREFIX}every_step", HISTORY: f"{PREFIX}{HISTORY}"}

    def named(name: str) -> str:
        return own.get(name, f"{PREFIX}{name}") if name else ""

    _history(graph, values, window=window, context=context)
    graph.constant(named(SEASON_PERIODS), np.array([periods], np.int64))
    needed = _leading_to(FORECAST, model.node)
    read = {name for node in needed for name in node.input} - {SEASON_PERIODS}
    for tensor in model.initializer:
        if tensor.name in read:
            copied = onnx.TensorProto()
            copied.CopyFrom(tensor)
            copied.name = named(tensor.name)
            graph.constants.append(copied)
    for node in needed:
        renamed = onnx.NodeProto()
        renamed.CopyFrom(node)
        renamed.input[:] = [named(name) for name in node.input]
        renamed.output[:] = [named(name) for name in node.output]
        graph.nodes.append(renamed)
    bounds = [graph.ids(f"{PREFIX}{name}", value) for name, value in (("from", 0), ("to", horizon))]
    axis = graph.ids(f"{PREFIX}axis", 1)
    return graph.add("Slice", [named(FORECAST), *bounds, axis], UNIVERSAL_FORECAST)


def _history(graph: Graph, values: str, *, window: int, context: int) -> None:
    """Add what `universal` reads, (batch, context, 1), NaN before the window begins."""
    if window < context:
        pads = graph.ids(f"{PREFIX}pads", 0, context - window, 0, 0)
        nothing = graph.constant(f"{PREFIX}nothing", np.array(np.nan))
        values = graph.add("Pad", [values, pads, nothing], f"{PREFIX}padded")
    elif window > context:
        starts, ends = graph.ids(f"{PREFIX}start", -context), graph.ids(f"{PREFIX}end", window)
        newest = [values, starts, ends, graph.ids(f"{PREFIX}newest_axis", 1)]
        values = graph.add("Slice", newest, f"{PREFIX}newest")
    feature = graph.ids(f"{PREFIX}feature", 2)
    graph.add("Unsqueeze", [values, feature], f"{PREFIX}{HISTORY}")


def _leading_to(output: str, nodes: Iterable[NodeProto]) -> list[NodeProto]:
    """Return the nodes that an output depends on, in their order."""
    wanted, found = {output}, []
    for node in reversed(list(nodes)):
        if not wanted.isdisjoint(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]
