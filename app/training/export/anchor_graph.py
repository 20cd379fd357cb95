"""`Anchor.forecasts` as nodes of the artifact's graph, computed in double precision."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from app.artifact.files import FUTURE, HISTORY, SERIES
from app.forecasting.anchors import LARGEST_LOGARITHM, LARGEST_VALUE, Anchor
from app.training.export.graph_builder import Graph


def anchor_nodes(graph: Graph, anchor: Anchor, target: int, known: tuple[int, ...] = ()) -> str:
    """Add an anchor and return its forecast: (batch, horizon), or (batch, 1) if steps are equal.

    For an anchor of several series, the graph gets the optional input `series`.

    Args:
        graph: reads `history`.
        anchor: what to compute.
        target: index of the target among the features.
        known: features known ahead; there is an input `future` for them.
    """
    rows = _Rows(graph, is_table=anchor.series > 1)
    values, is_log = _scaled(graph, anchor, rows, target)
    effects = rows.of("anchor.effects", anchor.effects[:, :, None]) if known else ""
    if known:  # effects are (known, 1), or (batch, known, 1)
        graph.ids("anchor_known", *known)
        graph.ids("anchor_effect_axis", 2)
        seen = graph.add("Gather", [HISTORY, "anchor_known"], "anchor_known_seen", axis=2)
        values = graph.add("Sub", [values, _effect(graph, seen, effects)], "anchor_without")
    graph.ids("anchor_last_step", -1)
    last = graph.add("Gather", [values, "anchor_last_step"], "anchor_last", axis=1)  # (batch, 1)
    anchored = last
    if anchor.weights.any():
        graph.add("Sub", [values, last], "anchor_differences")
        change = _change(graph, anchor, rows)
        anchored = graph.add("Add", [anchored, change], "anchor_changed")
    if anchor.level.any():
        center = rows.of("anchor.center", anchor.center[:, None])
        graph.add("Sub", [last, center], "anchor_distance")
        level = rows.of("anchor.level", anchor.level)
        graph.add("Mul", ["anchor_distance", level], "anchor_return")
        anchored = graph.add("Add", [anchored, "anchor_return"], "anchor_returned")
    if anchor.intercept.any():
        intercept = rows.of("anchor.intercept", anchor.intercept)
        anchored = graph.add("Add", [anchored, intercept], "anchor_shifted")
    if known:
        anchored = graph.add(
            "Add", [anchored, _effect(graph, FUTURE, effects)], "anchor_with_effects"
        )
    if is_log is None:
        return anchored
    graph.constant("anchor_largest", np.array(LARGEST_LOGARITHM))
    graph.add("Min", [anchored, "anchor_largest"], "anchor_logarithm")
    powers = graph.add("Exp", ["anchor_logarithm"], "anchor_powers")
    return graph.add("Where", [is_log, powers, anchored], "anchor_forecast") if is_log else powers


@dataclass
class _Rows:
    """Picks each window's series from arrays with a row for each series."""

    graph: Graph
    is_table: bool

    def __post_init__(self) -> None:
        if self.is_table:
            self.graph.constant(SERIES, np.zeros(1, np.int64))  # its value if it is left out

    def of(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add an array (series, …) and return the rows of the batch's series."""
        if not self.is_table:
            return self.graph.constant(name, array)
        self.graph.constant(name, array)
        return self.graph.add("Gather", [name, SERIES], f"{name}_of_series", axis=0)


def _scaled(graph: Graph, anchor: Anchor, rows: _Rows, target: int) -> tuple[str, str | None]:
    """Return the target's window in the anchor's scale, and which series are in logarithms.

    The second is None if none are, and an empty name if all are.
    """
    graph.constant("anchor_lowest", np.array(-LARGEST_VALUE))
    graph.constant("anchor_highest", np.array(LARGEST_VALUE))
    graph.constant("anchor_target", np.array(target, np.int64))
    graph.add("Gather", [HISTORY, "anchor_target"], "anchor_given", axis=2)  # (batch, window)
    values = graph.add("Clip", ["anchor_given", "anchor_lowest", "anchor_highest"], "anchor_values")
    logs = np.array([[scale.log] for scale in anchor.scales])  # (series, 1)
    if not logs.any():
        return values, None
    # Also for series that are not in logarithms, so that no value is infinite.
    floors = np.array([[scale.floor or 1.0] for scale in anchor.scales])
    graph.add("Max", [values, rows.of("anchor.floor", floors)], "anchor_positive")
    logarithms = graph.add("Log", ["anchor_positive"], "anchor_logarithms")
    if logs.all():
        return logarithms, ""
    is_log = rows.of("anchor.log", logs)
    return graph.add("Where", [is_log, logarithms, values], "anchor_in_scale"), is_log


def _effect(graph: Graph, columns: str, effects: str) -> str:
    """Return what known columns (batch, rows, known) add to each row, (batch, rows)."""
    product = graph.add("MatMul", [columns, effects], f"{columns}_effects")  # (batch, rows, 1)
    return graph.add("Squeeze", [product, "anchor_effect_axis"], f"{columns}_effect")


def _change(graph: Graph, anchor: Anchor, rows: _Rows) -> str:
    """Return what the differences to the last value add, (batch, horizon)."""
    if not rows.is_table:
        graph.constant("anchor.weights", anchor.weights[0])
        return graph.add("MatMul", ["anchor_differences", "anchor.weights"], "anchor_change")
    single = rows.of("anchor.weights", anchor.weights.astype(np.float32))
    graph.add("Cast", [single], "anchor_weights_double", to=TensorProto.DOUBLE)
    graph.ids("anchor_row_axis", 1)
    graph.add("Unsqueeze", ["anchor_differences", "anchor_row_axis"], "anchor_rows")
    graph.add("MatMul", ["anchor_rows", "anchor_weights_double"], "anchor_products")
    return graph.add("Squeeze", ["anchor_products", "anchor_row_axis"], "anchor_change")
