"""Check artifacts from elsewhere, which are hostile until every file is proven to be plain data.

`python -m app.artifact.untrusted FOLDER` checks a folder of files and prints, as JSON, what is
wrong. It runs in a process of its own with limits on memory and time, because a crafted file may
crash or starve a parser.
"""

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, TensorProto
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from app.artifact.files import (
    ARTIFACT_FILES,
    JUDGED,
    MODEL,
    WEIGHTS,
    read_artifact,
)
from app.artifact.manifest import Manifest
from app.artifact.onnx_session import forecasts, token_probabilities, zero_states

MEMORY_BYTES = 4 << 30
CPU_SECONDS = 120
# Operators that compute or move numbers. None of them loops, branches, draws random numbers, opens
# files or takes strings.
# fmt: off
OPERATORS = frozenset({
    "Abs", "Add", "And", "ArgMax", "ArgMin", "Cast", "Ceil", "Clip", "Concat", "Constant",
    "ConstantOfShape", "CumSum", "Div", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "GRU",
    "Gather", "GatherElements", "GatherND", "Gemm", "Greater", "GreaterOrEqual", "Identity",
    "IsInf", "IsNaN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log",
    "LogSoftmax", "MatMul", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "Not", "OneHot", "Or", "Pad",
    "Pow", "RNN", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape", "Round",
    "ScatterElements", "ScatterND", "Shape", "Sigmoid", "Sign", "Size", "Slice", "Softmax",
    "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile", "TopK", "Transpose",
    "Unsqueeze", "Where", "Xor",
})
# fmt: on
DOMAINS = frozenset({"", "ai.onnx"})


class Untrusted(ValueError):
    """A file may not be part of an artifact; the message names it and says why."""


def check_artifact(folder: Path) -> None:
    """Prove that a folder's files are an artifact and nothing more.

    Args:
        folder: holds the files under their names, and nothing else.

    Raises:
        Untrusted: a file is missing, unknown or damaged, or could do more than compute.
    """
    unknown = {path.name for path in folder.iterdir()} - set(ARTIFACT_FILES)
    if unknown:
        raise Untrusted(f"{min(unknown)!r} is not a file of an artifact")
    try:
        manifest, _ = read_artifact(folder)
    except FileNotFoundError as error:
        raise Untrusted(str(error).replace(f"{folder} ", "it ")) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise Untrusted(f"{error.title}: {place}: {first['msg']}") from error
    _check_weights(folder / WEIGHTS)
    for name in (MODEL, JUDGED):
        if (folder / name).exists():
            graph = (folder / name).read_bytes()
            _check_graph(name, graph)
            _try_graph(name, graph, manifest)


def _check_weights(path: Path) -> None:
    try:
        with safe_open(path, framework="np") as weights:
            for name in weights.keys():  # noqa: SIM118 - not a mapping
                if not np.isfinite(weights.get_tensor(name)).all():
                    raise Untrusted(f"{WEIGHTS}: {name} contains values that are not finite")
    except (SafetensorError, TypeError) as error:
        raise Untrusted(f"{WEIGHTS} is not a safetensors file: {error}") from error


def _check_graph(name: str, graph: bytes) -> None:
    try:
        model = onnx.load_model_from_string(graph)
        refers = any(_external(tensor) for tensor in _tensors(model.graph))
        if not refers:
            onnx.checker.check_model(model)
    except Exception as error:  # a boundary: protobuf and the checker raise all kinds of errors
        raise Untrusted(f"{name} is not an ONNX file: {_first_line(error)}") from error
    if refers:
        raise Untrusted(f"{name} refers to data in other files")
    _check_operators(name, model)


def _check_operators(name: str, model: ModelProto) -> None:
    domains = {entry.domain for entry in model.opset_import} - DOMAINS
    if domains or model.functions or model.training_info:
        what = f"operators of {min(domains)!r}" if domains else "functions of its own"
        raise Untrusted(f"{name} defines {what}; only ONNX's own operators are allowed")
    for node in model.graph.node:
        if node.domain not in DOMAINS or node.op_type not in OPERATORS:
            raise Untrusted(f"{name} uses the operator {node.op_type[:40]!r}, which is not allowed")
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise Untrusted(f"{name} contains a graph inside {node.op_type}")


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def _external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or bool(tensor.external_data)


def _try_graph(name: str, graph: bytes, manifest: Manifest) -> None:
    """Run the graph once, as the service would."""
    try:
        answer, wanted = _answer(name, graph, manifest)
    except Exception as error:  # ONNX Runtime's errors have no common base class
        raise Untrusted(
            f"{name} does not run as its manifest says: {_first_line(error)}"
        ) from error
    if answer.shape != wanted or not np.isfinite(answer).all():
        raise Untrusted(
            f"{name} returns shape {answer.shape} instead of {wanted}, or numbers that are not "
            "finite"
        )


def _answer(
    name: str, graph: bytes, manifest: Manifest
) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Return the graph's output for a plain input, and the expected shape."""
    length = manifest.window or manifest.min_history
    if manifest.series is not None:
        history = np.ones((1, length, len(manifest.series.columns_read)))
        future = np.ones((1, manifest.horizon, len(manifest.series.columns_ahead)))
        return forecasts(graph, history, future=future), (1, manifest.horizon)
    if manifest.text is None:
        raise ValueError("the manifest describes neither a series nor a text")
    text = manifest.text
    states = [(state.name, state.units) for state in text.states]
    start = zero_states(states, 1) if text.reading == "stream" else None
    probabilities, _ = token_probabilities(graph, np.zeros((1, length), np.int64), start)
    judged = text.judged_vocabulary if name == JUDGED else None
    return probabilities, (1, len(judged or text.vocabulary))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def main(folder: Path) -> None:
    """Check a folder within limits and print `{"error": null}` or what is wrong."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    try:
        check_artifact(folder)
        error = None
    except Untrusted as refused:
        error = str(refused)
    except MemoryError:
        error = f"it needs more than {MEMORY_BYTES >> 30} GB of memory"
    print(json.dumps({"error": error}))  # noqa: T201 - the answer to the parent


if __name__ == "__main__":
    main(Path(sys.argv[1]))
