"""An ONNX graph under construction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Attribute = Any  # the values onnx.helper takes: a number, a string, or a list of either

OPSET = 17
IR_VERSION = 8


@dataclass
class Graph:
    """A graph under construction: nodes in order, constants by name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """Add a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def ids(self, name: str, *values: int) -> str:
        """Add an int64 vector, for axes and shapes, and return its name."""
        return self.constant(name, np.array(values, np.int64))

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str],
        **attributes: Attribute,
    ) -> str:
        """Add a node and return its first named output."""
        names = [outputs] if isinstance(outputs, str) else list(outputs)
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return next(name for name in names if name)

    def to_bytes(
        self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> bytes:
        """Return the finished file.

        Raises:
            onnx.checker.ValidationError: the graph is not valid ONNX.
        """
        graph = helper.make_graph(self.nodes, "stepahead", inputs, outputs, self.constants)
        model = helper.make_model(
            graph, producer_name="stepahead", opset_imports=[helper.make_opsetid("", OPSET)]
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
