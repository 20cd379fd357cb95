"""Build LSTM versions of any size with random weights, in the artifact format."""

from dataclasses import replace

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from app.artifact.files import FORECAST, HISTORY
from tests.artifacts import Artifact, persistence_artifact

GATES = 4


def lstm_artifact(*, units: int, window: int) -> Artifact:
    """Build one LSTM layer over separately scaled windows; it adds to the last value."""
    artifact = persistence_artifact(window=window)
    return replace(artifact, graph=_graph(units, window))


def _graph(units: int, window: int) -> bytes:
    random = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return random.normal(0, 0.1, shape).astype(np.float32)

    constants = {
        "last": np.array([-1]),
        "end": np.array([2**31 - 1]),
        "time_axis": np.array([1]),
        "floor": np.array(1e-12),
        "kernel": weights(1, GATES * units, 1),
        "recurrent": weights(1, GATES * units, units),
        "bias": weights(1, 2 * GATES * units),
        "dense": weights(units, 1),
    }
    nodes = [
        helper.make_node("Slice", [HISTORY, "last", "end", "time_axis"], ["center"]),
        helper.make_node("Sub", [HISTORY, "center"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceMean", ["distance"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Max", ["mean", "floor"], ["scale"]),
        helper.make_node("Div", ["difference", "scale"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["floats"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node(
            "LSTM",
            ["by_time", "kernel", "recurrent", "bias"],
            ["", "state"],
            hidden_size=units,
        ),
        helper.make_node("Squeeze", ["state", "zero_axis"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["change"]),
        helper.make_node("Cast", ["change"], ["change_double"], to=TensorProto.DOUBLE),
        helper.make_node("Squeeze", ["scale", "time_axis"], ["scale_flat"]),
        helper.make_node("Squeeze", ["center", "time_axis"], ["center_flat"]),
        helper.make_node("Mul", ["change_double", "scale_flat"], ["move"]),
        helper.make_node("Add", ["move", "center_flat"], [FORECAST]),
    ]
    constants["zero_axis"] = np.array([0])
    graph = helper.make_graph(
        nodes,
        "lstm",
        [helper.make_tensor_value_info(HISTORY, TensorProto.DOUBLE, ["batch", window, 1])],
        [helper.make_tensor_value_info(FORECAST, TensorProto.DOUBLE, ["batch", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    serialised: bytes = model.SerializeToString()
    return serialised
