"""`Anchor.forecasts` as nodes of the artifact's graph, computed in double precision."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from app.artifact.files import FUTURE, HISTORY, SERIES
from app.forecasting.anchors import LARGEST_LOGARITHM, LARGEST_VALUE, Anchor
from app.forecasting.frequencies import Periods
from app.training.export.graph_builder import Graph
from app.training.export.universal_nodes import universal_nodes


@dataclass(frozen=True, kw_only=True)
class UniversalPart:
    """What the graph needs to know about `universal` if it has a share of the anchor."""

    graph: bytes  # its ONNX file
    periods: Periods


def anchor_nodes(
    graph: Graph,
    anchor: Anchor,
    target: int,
    known: tuple[int, ...] = (),
    *,
    universal: UniversalPart | None = None,
    expected: tuple[int, ...] = (),
) -> str:
    """Add an anchor and return its forecast: (batch, horizon), or (batch, 1) if steps are equal.

    For an anchor of several series, the graph gets the optional input `series`.

    Args:
        graph: reads `history`.
        anchor: what to compute.
        target: index of the target among the features.
        known: features known ahead; there is an input `future` for them.
        universal: needed if `universal` has a share.
        expected: features not known ahead whose effects the anchor has.
    """
    rows = _Rows(graph, is_table=anchor.series > 1)
    values, is_log = _scaled(graph, anchor, rows, target)
    effects = [
        *_known_effects(graph, anchor, rows, known),
        *_expected_effects(graph, anchor, rows, expected),
    ]
    for place, (each, _) in enumerate(effects):
        values = graph.add("Sub", [values, each], f"anchor_without{place}")
    anchored = _affine(graph, anchor, rows, values)
    if len(anchor.universal):
        if universal is None:
            raise ValueError("universal has a share of the anchor, and is not given")
        seen = "anchor_values"
        if anchor.effects.any():
            seen = _out_of_scale(graph, values, is_log, "anchor_seen")
        other = _universal(graph, anchor, rows, seen, universal)
        graph.add("Sub", [other, anchored], "anchor_to_universal")
        share = rows.of("anchor.universal", anchor.universal[:, None])
        part = graph.add("Mul", ["anchor_to_universal", share], "anchor_universal_part")
        anchored = graph.add("Add", [anchored, part], "anchor_with_universal")
    for place, (_, ahead) in enumerate(effects):
        anchored = graph.add("Add", [anchored, ahead], f"anchor_with{place}")
    return _out_of_scale(graph, anchored, is_log, "anchor_forecast")


def _affine(graph: Graph, anchor: Anchor, rows: "_Rows", values: str) -> str:
    """Return the affine function of a window in the scale: (batch, horizon), or (batch, 1)."""
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
    return anchored


def _universal(
    graph: Graph, anchor: Anchor, rows: "_Rows", seen: str, universal: UniversalPart
) -> str:
    """Return the forecast of `universal` in the scale, (batch, horizon), from raw windows."""
    forecast = universal_nodes(
        graph,
        seen,
        universal.graph,
        window=anchor.window,
        horizon=anchor.horizon,
        periods=universal.periods,
    )
    return _into_scale(graph, anchor, rows, forecast, "anchor_universal")[0]


def _out_of_scale(graph: Graph, values: str, is_log: str | None, name: str) -> str:
    """Return values in the series' own unit."""
    if is_log is None:
        return values
    largest = graph.constant(f"{name}_largest", np.array(LARGEST_LOGARITHM))
    graph.add("Min", [values, largest], f"{name}_logarithm")
    powers = graph.add("Exp", [f"{name}_logarithm"], f"{name}_powers")
    return graph.add("Where", [is_log, powers, values], name) if is_log else powers


@dataclass
class _Rows:
    """Picks each window's series from arrays with a row for each series."""

    graph: Graph
    is_table: bool
    _added: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.is_table:
            self.graph.constant(SERIES, np.zeros(1, np.int64))  # its value if it is left out

    def of(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add an array (series, …) once, and return the rows of the batch's series."""
        if name not in self._added:
            self.graph.constant(name, array)
            self._added[name] = name
            if self.is_table:
                self._added[name] = self.graph.add(
                    "Gather", [name, SERIES], f"{name}_of_series", axis=0
                )
        return self._added[name]


def _scaled(graph: Graph, anchor: Anchor, rows: _Rows, target: int) -> tuple[str, str | None]:
    """Return the target's window in the anchor's scale, and which series are in logarithms.

    The second is None if none are, and an empty name if all are.
    """
    graph.constant("anchor_lowest", np.array(-LARGEST_VALUE))
    graph.constant("anchor_highest", np.array(LARGEST_VALUE))
    graph.constant("anchor_target", np.array(target, np.int64))
    graph.add("Gather", [HISTORY, "anchor_target"], "anchor_given", axis=2)  # (batch, window)
    values = graph.add("Clip", ["anchor_given", "anchor_lowest", "anchor_highest"], "anchor_values")
    return _into_scale(graph, anchor, rows, values, "anchor_window")


def _into_scale(
    graph: Graph, anchor: Anchor, rows: _Rows, values: str, name: str
) -> tuple[str, str | None]:
    """Return values (batch, steps) in the anchor's scale, and which series are in logarithms."""
    logs = np.array([[scale.log] for scale in anchor.scales])  # (series, 1)
    if not logs.any():
        return values, None
    # Also for series that are not in logarithms, so that no value is infinite.
    floors = np.array([[scale.floor or 1.0] for scale in anchor.scales])
    graph.add("Max", [values, rows.of("anchor.floor", floors)], f"{name}_positive")
    logarithms = graph.add("Log", [f"{name}_positive"], f"{name}_logarithms")
    if logs.all():
        return logarithms, ""
    is_log = rows.of("anchor.log", logs)
    return graph.add("Where", [is_log, logarithms, values], f"{name}_in_scale"), is_log


def _known_effects(
    graph: Graph, anchor: Anchor, rows: _Rows, known: tuple[int, ...]
) -> list[tuple[str, str]]:
    """Return what columns known ahead add to the window and to the steps ahead, if there are any.

    Effects are (1, known, 1), or (batch, known, 1).
    """
    if not known:
        return []
    effects = rows.of("anchor.effects", anchor.effects[:, : len(known), None])
    graph.ids("anchor_known", *known)
    graph.ids("anchor_effect_axis", 2)
    seen = graph.add("Gather", [HISTORY, "anchor_known"], "anchor_known_seen", axis=2)
    return [(_effect(graph, seen, effects), _effect(graph, FUTURE, effects))]


def _expected_effects(
    graph: Graph, anchor: Anchor, rows: _Rows, features: tuple[int, ...]
) -> list[tuple[str, str]]:
    """Return what each other column adds, (batch, window) and (batch, horizon)."""
    expected, horizon = anchor.expected, anchor.horizon
    places = expected.places(anchor.window, horizon)  # (horizon, columns)
    factors, offsets = expected.factors(horizon), expected.offsets(horizon)
    added = []
    for at, (feature, lag) in enumerate(zip(features, expected.lags, strict=True)):
        name = f"anchor.expected{at}"
        effect = rows.of(f"{name}.effect", anchor.effects[:, anchor.known + at, None])
        graph.constant(f"{name}.feature", np.array(feature, np.int64))
        graph.ids(f"{name}.seen_rows", *np.maximum(np.arange(anchor.window) - lag, 0).tolist())
        graph.ids(f"{name}.rows", *places[:, at].tolist())
        graph.add("Gather", [HISTORY, f"{name}.feature"], f"{name}.column", axis=2)
        graph.add("Gather", [f"{name}.column", f"{name}.seen_rows"], f"{name}.acting", axis=1)
        graph.add("Gather", [f"{name}.column", f"{name}.rows"], f"{name}.last", axis=1)
        factor = rows.of(f"{name}.factor", factors[:, :, at])
        offset = rows.of(f"{name}.offset", offsets[:, :, at])
        graph.add("Mul", [f"{name}.last", factor], f"{name}.kept")
        graph.add("Add", [f"{name}.kept", offset], f"{name}.ahead")
        added.append(
            (
                graph.add("Mul", [f"{name}.acting", effect], f"{name}.seen_effect"),
                graph.add("Mul", [f"{name}.ahead", effect], f"{name}.ahead_effect"),
            )
        )
    return added


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
