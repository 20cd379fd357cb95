"""The artifact's ONNX file: the whole model, raw values in and out, or ids in, probabilities out.

Built with `onnx.helper` from the weights, one ONNX `LSTM`, `GRU` or `RNN` node per layer. Values
are scaled in double: in float, 1,000,000.01 - 1,000,000.00 was 0. The recurrent nodes are float.
Equal weights give equal bytes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, ValueInfoProto, helper

from app.artifact.files import (
    FORECAST,
    FUTURE,
    HISTORY,
    LENGTHS,
    PROBABILITIES,
    SERIES,
    TOKENS,
    UNIVERSAL_FORECAST,
)
from app.forecasting.anchors import LARGEST_VALUE, Anchor
from app.forecasting.scaling import FLOOR, TINY, Affine
from app.language.mixture import Mixture
from app.training.architecture import GATES, STATES, Architecture, Weights
from app.training.export.anchor_graph import UniversalPart, anchor_nodes
from app.training.export.graph_builder import Graph
from app.training.export.ngram_graph import mixture_nodes

Shape = list[str | int | None]

# The position of Keras' gates in ONNX: LSTM input, output, forget, candidate; GRU as in Keras.
GATE_ORDER = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2), "rnn": (0,)}
OPERATORS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
ACTIVATIONS = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "Relu"}
# Beyond these, a double or the float after it would overflow; so finite inputs stay finite.
LARGEST_SCALED = 1e9


def series_graph(
    architecture: Architecture,
    weights: Weights,
    *,
    window: int,
    network_window: int | None = None,
    scaling: Affine | None,
    target: int,
    target_scaling: Affine | None,
    anchor: Anchor | None,
    known: tuple[int, ...] = (),
    expected: tuple[int, ...] = (),
    at_least: float | None = None,
    universal: UniversalPart | None = None,
) -> bytes:
    """Build a model from `history` double (batch, window, features) to `forecast` (batch, horizon).

    Args:
        architecture: the shape of the network.
        weights: by name.
        window: steps that the graph reads.
        network_window: how many of the newest of them the network sees; None for all.
        scaling: of the features; None if measured on each window, as in `WindowScaling`.
        target: index of the target among the features; needed if windows are scaled or anchored.
        target_scaling: of the target; None with window scaling.
        anchor: the network's output is added to its forecast, a function of the target's window; if
            None, to the scaling's center, which is the last value if windows are scaled.
        known: features known ahead, whose effects the anchor has; they get an input `future`.
        expected: features not known ahead whose effects the anchor has.
        at_least: lower forecasts are raised to this; None for no limit.
        universal: needed if the anchor gives it a share; its forecast is then an output, too.
    """
    graph = Graph()
    seen = HISTORY
    if network_window is not None and network_window < window:
        starts, ends = graph.ids("seen_start", -network_window), graph.ids("seen_end", window)
        seen = graph.add("Slice", [HISTORY, starts, ends, graph.ids("seen_axis", 1)], "seen")
    if scaling is None:
        scaled, center, scale = _scale_by_window(graph, seen, target)
    else:
        scaled = _scale_by_training(graph, seen, scaling)
        if target_scaling is None:
            raise ValueError("a target scaling goes with the features' scaling")
        scale = graph.constant("target_scale", target_scaling.scale.astype(np.float64))
        center = graph.constant("target_center", target_scaling.center.astype(np.float64))
    if anchor is not None:
        center = anchor_nodes(graph, anchor, target, known, universal=universal, expected=expected)
    graph.add("Cast", [scaled], "scaled_float", to=TensorProto.FLOAT)
    # ONNX Runtime reads (window, batch, features)
    graph.add("Transpose", ["scaled_float"], "steps", perm=[1, 0, 2])
    top, _ = _layers(graph, architecture, weights, "steps", lengths="", states=False)
    graph.add("Gemm", [top, *_output_layer(graph, weights)], "output")
    graph.add("Cast", ["output"], "output_double", to=TensorProto.DOUBLE)
    graph.add("Mul", ["output_double", scale], "change")
    if at_least is None:
        graph.add("Add", ["change", center], FORECAST)
    else:
        graph.constant("at_least", np.array(at_least))
        graph.add("Add", ["change", center], "sum")
        graph.add("Max", ["sum", "at_least"], FORECAST)
    outputs = [FORECAST]
    if anchor is not None and len(anchor.universal):
        outputs.append(UNIVERSAL_FORECAST)
    return graph.to_bytes(
        _series_inputs(window, architecture, anchor, known),
        [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["batch", architecture.outputs])
            for name in outputs
        ],
    )


def _series_inputs(
    window: int, architecture: Architecture, anchor: Anchor | None, known: tuple[int, ...]
) -> list[ValueInfoProto]:
    shape: Shape = ["batch", window, architecture.inputs]
    inputs = [helper.make_tensor_value_info(HISTORY, TensorProto.DOUBLE, shape)]
    if anchor is not None and anchor.series > 1:
        inputs.append(helper.make_tensor_value_info(SERIES, TensorProto.INT64, ["numbers"]))
    if anchor is not None and known:
        ahead: Shape = ["batch", architecture.outputs, len(known)]
        inputs.append(helper.make_tensor_value_info(FUTURE, TensorProto.DOUBLE, ahead))
    return inputs


def text_graph(
    architecture: Architecture,
    weights: Weights,
    *,
    window: int | None,
    every_step: bool = False,
    mixture: Mixture | None = None,
) -> bytes:
    """Build a model from `tokens` int64 (batch, steps) to `probabilities` (batch, vocabulary).

    Args:
        architecture: the shape of the network.
        weights: by name.
        window: number of steps; None for any number, with `lengths` and with states as inputs and
            outputs.
        every_step: return (batch, steps, vocabulary), after each step, to judge many tokens in one
            run; not the form in an artifact.
        mixture: an n-gram that the network's probabilities are mixed with; for streams only.
    """
    graph = Graph()
    stream = window is None
    graph.add("Transpose", [TOKENS], "ids", perm=[1, 0])  # (steps, batch)
    if architecture.embedding is None:
        graph.constant("depth", np.array(architecture.inputs, np.int64))
        graph.constant("off_on", np.array([0.0, 1.0], np.float32))
        graph.add("OneHot", ["ids", "depth", "off_on"], "steps", axis=-1)
    else:
        graph.constant("embedding", weights["embedding"])
        graph.add("Gather", ["embedding", "ids"], "steps")
    lengths = LENGTHS if stream else ""
    last, every = _layers(graph, architecture, weights, "steps", lengths=lengths, states=stream)
    if every_step:
        graph.add("Transpose", [every], "hidden", perm=[1, 0, 2])  # (batch, steps, units)
        kernel, bias = _output_layer(graph, weights)
        graph.add("MatMul", ["hidden", kernel], "product")
        graph.add("Add", ["product", bias], "logits")
    else:
        graph.add("Gemm", [last, *_output_layer(graph, weights)], "logits")
    if mixture is None:
        graph.add("Softmax", ["logits"], PROBABILITIES, axis=-1)
    else:
        graph.add("Softmax", ["logits"], "network_probabilities", axis=-1)
        mixture_nodes(graph, mixture, "network_probabilities", every_step=every_step)

    steps: str | int = "steps_count" if window is None else window
    inputs = [helper.make_tensor_value_info(TOKENS, TensorProto.INT64, ["batch", steps])]
    shape: Shape = (
        ["batch", steps, architecture.outputs] if every_step else ["batch", architecture.outputs]
    )
    outputs = [helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, shape)]
    if stream:
        inputs.append(helper.make_tensor_value_info(LENGTHS, TensorProto.INT32, ["batch"]))
        own = () if mixture is None else (mixture.state,)
        for name, units in (*architecture.states(), *own):
            state: Shape = [1, "batch", units]
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, state))
            outputs.append(helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, state))
    return graph.to_bytes(inputs, outputs)


def _scale_by_training(graph: Graph, seen: str, scaling: Affine) -> str:
    """Return (seen - center) / scale by the training rows' figures, within the range of a float."""
    graph.constant("center", scaling.center.astype(np.float64))
    graph.constant("scale", scaling.scale.astype(np.float64))
    graph.constant("lowest", np.array(-LARGEST_SCALED))
    graph.constant("highest", np.array(LARGEST_SCALED))
    graph.add("Sub", [seen, "center"], "centered")
    graph.add("Div", ["centered", "scale"], "divided")
    return graph.add("Clip", ["divided", "lowest", "highest"], "scaled")


def _scale_by_window(graph: Graph, seen: str, target: int) -> tuple[str, str, str]:
    """Build `WindowScaling`: the scaled history, and center and scale of the target, (batch, 1)."""
    graph.constant("lowest", np.array(-LARGEST_VALUE))
    graph.constant("highest", np.array(LARGEST_VALUE))
    graph.constant("floor_share", np.array(FLOOR))
    graph.constant("tiny", np.array(TINY))
    graph.ids("last", -1)
    graph.add("Clip", [seen, "lowest", "highest"], "values")
    graph.add("Gather", ["values", "last"], "center", axis=1)  # (batch, 1, features)
    graph.add("Sub", ["values", "center"], "difference")
    graph.add("Abs", ["difference"], "size")
    graph.add("ReduceMean", ["size"], "mean_size", axes=[1], keepdims=1)
    graph.add("Abs", ["values"], "magnitude")
    graph.add("ReduceMax", ["magnitude"], "largest", axes=[1], keepdims=1)
    graph.add("Mul", ["largest", "floor_share"], "share")
    # The maximum, not the sum: ONNX Runtime treats 1e-300 as 0 and drops an Add of it, so a window
    # of zeros would be divided by 0.
    graph.add("Max", ["mean_size", "share", "tiny"], "scale")
    graph.add("Div", ["difference", "scale"], "scaled")
    graph.constant("target_index", np.array(target, np.int64))
    graph.add("Gather", ["center", "target_index"], "target_center", axis=2)  # (batch, 1)
    graph.add("Gather", ["scale", "target_index"], "target_scale", axis=2)
    return "scaled", "target_center", "target_scale"


def _layers(
    graph: Graph,
    architecture: Architecture,
    weights: Weights,
    steps: str,
    *,
    lengths: str,
    states: bool,
) -> tuple[str, str]:
    """Add one recurrent node per layer; return the top layer's last output and every step's."""
    hidden, last = steps, ""
    graph.ids("directions_axis", 1)
    graph.ids("state_axis", 0)
    for index in range(len(architecture.layers)):
        names = [f"layer{index}.{state}" for state in STATES[architecture.cell]]
        every = f"layer{index}.every"
        ends = [f"{name}_out" for name in names]
        graph.add(
            OPERATORS[architecture.cell],
            [
                hidden,
                *_recurrent_weights(graph, architecture, weights, index),
                lengths,
                *(names if states else []),
            ],
            [f"{every}.directions", *(ends if states else ends[:1])],
            **_attributes(architecture, index),
        )
        # (steps, directions, batch, units), with only one direction
        hidden = graph.add("Squeeze", [f"{every}.directions", "directions_axis"], every)
        last = graph.add("Squeeze", [ends[0], "state_axis"], f"layer{index}.last")
    return last, hidden


def _attributes(architecture: Architecture, index: int) -> dict[str, Any]:
    squash = ACTIVATIONS[architecture.activation]
    activations = {
        "lstm": ["Sigmoid", squash, squash],
        "gru": ["Sigmoid", squash],
        "rnn": [squash],
    }
    attributes: dict[str, Any] = {
        "hidden_size": architecture.layers[index],
        "activations": activations[architecture.cell],
    }
    if architecture.cell == "gru":
        attributes["linear_before_reset"] = 1  # Keras: reset_after
    return attributes


def _recurrent_weights(
    graph: Graph, architecture: Architecture, weights: Weights, index: int
) -> list[str]:
    """Return W, R and B of a layer: one direction, gates as rows in ONNX' order, biases joined."""
    kernel, recurrent, bias = (
        weights[f"layer{index}.{part}"] for part in ("kernel", "recurrent", "bias")
    )
    biases = bias if architecture.cell == "gru" else np.stack([bias, np.zeros_like(bias)])
    order, gates = GATE_ORDER[architecture.cell], GATES[architecture.cell]

    def reordered(columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        parts = np.split(columns, gates, axis=-1)
        return np.concatenate([parts[gate] for gate in order], axis=-1)

    return [
        graph.constant(f"layer{index}.W", reordered(kernel).T[None]),  # (1, gates * units, inputs)
        graph.constant(f"layer{index}.R", reordered(recurrent).T[None]),
        graph.constant(f"layer{index}.B", reordered(biases).reshape(1, -1)),
    ]


def _output_layer(graph: Graph, weights: Weights) -> list[str]:
    return [
        graph.constant("output.kernel", weights["output.kernel"]),
        graph.constant("output.bias", weights["output.bias"]),
    ]
