"""Add the operations of `ops` as nodes to an ONNX graph.

Each value carries an example, computed in NumPy from a batch of one history. The formulas use its
shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from app.training.export.graph_builder import Graph

NumPyArray = npt.NDArray[Any]
LARGEST_VALUE = 1e290


@dataclass(frozen=True, eq=False)
class Value:
    """A value of the graph."""

    ops: "OnnxOps"
    name: str
    example: NumPyArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes, with a batch of 1."""
        return self.example.shape

    def __add__(self, other: "Value | float") -> "Value":
        return self.ops.arithmetic("Add", np.add, self, other)

    def __radd__(self, other: float) -> "Value":
        return self.ops.arithmetic("Add", np.add, other, self)

    def __sub__(self, other: "Value | float") -> "Value":
        return self.ops.arithmetic("Sub", np.subtract, self, other)

    def __rsub__(self, other: float) -> "Value":
        return self.ops.arithmetic("Sub", np.subtract, other, self)

    def __mul__(self, other: "Value | float") -> "Value":
        return self.ops.arithmetic("Mul", np.multiply, self, other)

    def __rmul__(self, other: float) -> "Value":
        return self.ops.arithmetic("Mul", np.multiply, other, self)

    def __truediv__(self, other: "Value | float") -> "Value":
        return self.ops.arithmetic("Div", np.divide, self, other)

    def __rtruediv__(self, other: float) -> "Value":
        return self.ops.arithmetic("Div", np.divide, other, self)

    def __neg__(self) -> "Value":
        return self.ops.node("Neg", [self], -self.example)


class OnnxOps:
    """Adds nodes to a graph."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._constants: dict[tuple[bytes, str, tuple[int, ...]], Value] = {}
        self._count = 0

    def given(self, name: str, example: NumPyArray) -> Value:
        """Return an input of the graph."""
        return Value(self, name, example)

    def constant(self, value: NumPyArray) -> Value:
        """Return a constant array; equal ones are stored once."""
        array = np.asarray(value, order="C")
        key = (array.tobytes(), array.dtype.str, array.shape)
        if key not in self._constants:
            name = self.graph.constant(f"constant{len(self._constants)}", array)
            self._constants[key] = Value(self, name, array)
        return self._constants[key]

    def node(
        self,
        operator: str,
        inputs: Sequence["Value | str"],
        example: NumPyArray,
        *,
        name: str | None = None,
        **attributes: Any,  # noqa: ANN401 (what ONNX takes)
    ) -> Value:
        """Add a node with one output."""
        self._count += 1
        names = [value if isinstance(value, str) else value.name for value in inputs]
        output = name or f"v{self._count}"
        self.graph.add(operator, names, output, **attributes)
        return Value(self, output, example)

    def arithmetic(
        self,
        operator: str,
        compute: Callable[[NumPyArray, NumPyArray], NumPyArray],
        a: Value | float,
        b: Value | float,
    ) -> Value:
        """Add a node of two operands, one of which may be a number."""
        first, second = self._both(a, b)
        return self.node(operator, [first, second], compute(first.example, second.example))

    def _both(self, a: Value | float, b: Value | float) -> tuple[Value, Value]:
        example = a.example if isinstance(a, Value) else b.example  # type: ignore[union-attr]
        first, second = (
            x if isinstance(x, Value) else self.constant(np.array(x, example.dtype)) for x in (a, b)
        )
        return first, second

    def _ids(self, *values: int) -> Value:
        return self.constant(np.array(values, np.int64))

    def known(self, x: Value) -> Value:
        """Return 1 where x is a number and 0 where it is NaN, in double."""
        unknown = self.node("IsNaN", [x], np.isnan(x.example))
        return 1.0 - self.cast(unknown, np.float64)

    def cast(self, x: Value, dtype: npt.DTypeLike) -> Value:
        """Return x as another type."""
        kinds = {
            np.dtype(np.float32): TensorProto.FLOAT,
            np.dtype(np.float64): TensorProto.DOUBLE,
            np.dtype(np.int64): TensorProto.INT64,
        }
        return self.node("Cast", [x], x.example.astype(dtype), to=kinds[np.dtype(dtype)])

    def fill_unknown(self, x: Value) -> Value:
        """Return x with 0 for NaN, within the range in which sums stay finite."""
        unknown = self.node("IsNaN", [x], np.isnan(x.example))
        zero = self.constant(np.array(0, x.example.dtype))
        filled = self.node("Where", [unknown, zero, x], np.nan_to_num(x.example))
        return self.minimum(self.maximum(filled, -LARGEST_VALUE), LARGEST_VALUE)

    def to_float(self, x: Value) -> Value:
        """Return x as float32."""
        return self.cast(x, np.float32)

    def to_double(self, x: Value) -> Value:
        """Return x as float64."""
        return self.cast(x, np.float64)

    def positive(self, x: Value) -> Value:
        """Return 1 where x > 0, else 0, in float32."""
        zero = self.constant(np.array(0, x.example.dtype))
        return self.cast(self.node("Greater", [x, zero], x.example > 0), np.float32)

    def reshape(self, x: Value, *shape: int) -> Value:
        """Return x in another shape; the first size is -1, the batch."""
        return self.node("Reshape", [x, self._ids(*shape)], x.example.reshape(shape))

    def transpose(self, x: Value, *axes: int) -> Value:
        """Return x with its axes in another order."""
        return self.node("Transpose", [x], x.example.transpose(axes), perm=list(axes))

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Return arrays joined along an axis."""
        example = np.concatenate([part.example for part in parts], axis)
        return self.node("Concat", list(parts), example, axis=axis)

    def part(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Return a slice along one axis."""
        if start == 0 and stop == x.shape[axis] and step == 1:
            return x
        index = (slice(None),) * axis + (slice(start, stop, step),)
        inputs = [x, *(self._ids(number) for number in (start, stop, axis, step))]
        return self.node("Slice", inputs, x.example[index])

    def pick(self, x: Value, places: Value) -> Value:
        """Return x (batch, n) at places (batch, m), whole numbers in float32, as (batch, m)."""
        index = self.cast(places, np.int64)
        example = np.take_along_axis(x.example, index.example, axis=1)
        return self.node("GatherElements", [x, index], example, axis=1)

    def matmul(self, a: Value, b: Value) -> Value:
        """Return the matrix product over the last two axes."""
        return self.node("MatMul", [a, b], a.example @ b.example)

    def total(self, x: Value, *axes: int) -> Value:
        """Return the sum over axes, which stay with size 1."""
        example = x.example.sum(axis=axes, keepdims=True)
        return self.node("ReduceSum", [x, self._ids(*axes)], example, keepdims=1)

    def largest(self, x: Value, *axes: int) -> Value:
        """Return the maximum over axes, which stay with size 1."""
        example = x.example.max(axis=axes, keepdims=True)
        return self.node("ReduceMax", [x], example, axes=list(axes), keepdims=1)

    def maximum(self, a: Value, b: Value | float) -> Value:
        """Return the larger of each pair."""
        return self.arithmetic("Max", np.maximum, a, b)

    def minimum(self, a: Value, b: Value | float) -> Value:
        """Return the smaller of each pair."""
        return self.arithmetic("Min", np.minimum, a, b)

    def absolute(self, x: Value) -> Value:
        """Return |x|."""
        return self.node("Abs", [x], np.abs(x.example))

    def floor(self, x: Value) -> Value:
        """Return the largest whole number not above x."""
        return self.node("Floor", [x], np.floor(x.example))

    def sign(self, x: Value) -> Value:
        """Return -1, 0 or 1."""
        return self.node("Sign", [x], np.sign(x.example))

    def exp(self, x: Value) -> Value:
        """Return e to the x."""
        return self.node("Exp", [x], np.exp(x.example))

    def log(self, x: Value) -> Value:
        """Return the natural logarithm."""
        return self.node("Log", [x], np.zeros_like(x.example))

    def sqrt(self, x: Value) -> Value:
        """Return the square root."""
        return self.node("Sqrt", [x], np.sqrt(np.abs(x.example)))

    def relu(self, x: Value) -> Value:
        """Return max(x, 0)."""
        return self.node("Relu", [x], np.maximum(x.example, 0))

    def softplus(self, x: Value) -> Value:
        """Return log(1 + exp(x))."""
        return self.node("Softplus", [x], np.zeros_like(x.example))

    def softmax(self, x: Value) -> Value:
        """Return the softmax over the last axis."""
        return self.node("Softmax", [x], np.zeros_like(x.example), axis=-1)
