"""Define the array operations in which the universal network is written.

Its formulas are written once, in `seasons`, `trends`, `features` and `network`, and run on two
backends: TensorFlow for training (here) and ONNX for serving (`onnx_ops`). Arrays of both support
`+ - * /` and unary minus, with each other and with numbers.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Array = Any  # a TensorFlow tensor, or a value of a graph under construction
Constant = npt.NDArray[np.float32]


class Ops(Protocol):
    """Operations beyond arithmetic. Axes are counted from 0; the batch is axis 0."""

    def constant(self, value: npt.NDArray[Any]) -> Array:
        """Return a constant array."""

    def known(self, x: Array) -> Array:
        """Return 1 where x is a number and 0 where it is NaN, in double."""

    def fill_unknown(self, x: Array) -> Array:
        """Return x with 0 for NaN, within the range in which sums stay finite."""

    def to_float(self, x: Array) -> Array:
        """Return x as float32."""

    def to_double(self, x: Array) -> Array:
        """Return x as float64."""

    def positive(self, x: Array) -> Array:
        """Return 1 where x > 0, else 0, in float32."""

    def reshape(self, x: Array, *shape: int) -> Array:
        """Return x in another shape; the first size is -1, the batch."""

    def transpose(self, x: Array, *axes: int) -> Array:
        """Return x with its axes in another order."""

    def concat(self, parts: Sequence[Array], axis: int) -> Array:
        """Return arrays joined along an axis."""

    def part(self, x: Array, axis: int, start: int, stop: int, step: int = 1) -> Array:
        """Return a slice along one axis."""

    def pick(self, x: Array, places: Array) -> Array:
        """Return x (batch, n) at places (batch, m), whole numbers in float32, as (batch, m)."""

    def matmul(self, a: Array, b: Array) -> Array:
        """Return the matrix product over the last two axes."""

    def total(self, x: Array, *axes: int) -> Array:
        """Return the sum over axes, which stay with size 1."""

    def largest(self, x: Array, *axes: int) -> Array:
        """Return the maximum over axes, which stay with size 1."""

    def maximum(self, a: Array, b: Array | float) -> Array:
        """Return the larger of each pair."""

    def minimum(self, a: Array, b: Array | float) -> Array:
        """Return the smaller of each pair."""

    def absolute(self, x: Array) -> Array:
        """Return |x|."""

    def floor(self, x: Array) -> Array:
        """Return the largest whole number not above x."""

    def sign(self, x: Array) -> Array:
        """Return -1, 0 or 1."""

    def exp(self, x: Array) -> Array:
        """Return e to the x."""

    def log(self, x: Array) -> Array:
        """Return the natural logarithm."""

    def sqrt(self, x: Array) -> Array:
        """Return the square root."""

    def relu(self, x: Array) -> Array:
        """Return max(x, 0)."""

    def softplus(self, x: Array) -> Array:
        """Return log(1 + exp(x))."""

    def softmax(self, x: Array) -> Array:
        """Return the softmax over the last axis."""


class TensorFlowOps:
    """The operations on TensorFlow tensors."""

    def constant(self, value: npt.NDArray[Any]) -> Array:
        """Return a constant array."""
        return tf.constant(value)

    def known(self, x: Array) -> Array:
        """Return 1 where x is a number and 0 where it is NaN, in double."""
        return tf.cast(tf.math.logical_not(tf.math.is_nan(x)), tf.float64)

    def fill_unknown(self, x: Array) -> Array:
        """Return x with 0 for NaN, within the range in which sums stay finite."""
        return tf.clip_by_value(tf.where(tf.math.is_nan(x), tf.zeros_like(x), x), -1e290, 1e290)

    def to_float(self, x: Array) -> Array:
        """Return x as float32."""
        return tf.cast(x, tf.float32)

    def to_double(self, x: Array) -> Array:
        """Return x as float64."""
        return tf.cast(x, tf.float64)

    def positive(self, x: Array) -> Array:
        """Return 1 where x > 0, else 0, in float32."""
        return tf.cast(x > 0, tf.float32)

    def reshape(self, x: Array, *shape: int) -> Array:
        """Return x in another shape; the first size is -1, the batch."""
        return tf.reshape(x, shape)

    def transpose(self, x: Array, *axes: int) -> Array:
        """Return x with its axes in another order."""
        return tf.transpose(x, axes)

    def concat(self, parts: Sequence[Array], axis: int) -> Array:
        """Return arrays joined along an axis."""
        return tf.concat(list(parts), axis)

    def part(self, x: Array, axis: int, start: int, stop: int, step: int = 1) -> Array:
        """Return a slice along one axis."""
        index = [slice(None)] * axis + [slice(start, stop, step)]
        return x[tuple(index)]

    def pick(self, x: Array, places: Array) -> Array:
        """Return x (batch, n) at places (batch, m), whole numbers in float32, as (batch, m)."""
        return tf.gather(x, tf.cast(places, tf.int32), batch_dims=1)

    def matmul(self, a: Array, b: Array) -> Array:
        """Return the matrix product over the last two axes."""
        return tf.matmul(a, b)

    def total(self, x: Array, *axes: int) -> Array:
        """Return the sum over axes, which stay with size 1."""
        return tf.reduce_sum(x, axes, keepdims=True)

    def largest(self, x: Array, *axes: int) -> Array:
        """Return the maximum over axes, which stay with size 1."""
        return tf.reduce_max(x, axes, keepdims=True)

    def maximum(self, a: Array, b: Array | float) -> Array:
        """Return the larger of each pair."""
        return tf.maximum(a, b)

    def minimum(self, a: Array, b: Array | float) -> Array:
        """Return the smaller of each pair."""
        return tf.minimum(a, b)

    def absolute(self, x: Array) -> Array:
        """Return |x|."""
        return tf.abs(x)

    def floor(self, x: Array) -> Array:
        """Return the largest whole number not above x."""
        return tf.floor(x)

    def sign(self, x: Array) -> Array:
        """Return -1, 0 or 1."""
        return tf.sign(x)

    def exp(self, x: Array) -> Array:
        """Return e to the x."""
        return tf.exp(x)

    def log(self, x: Array) -> Array:
        """Return the natural logarithm."""
        return tf.math.log(x)

    def sqrt(self, x: Array) -> Array:
        """Return the square root."""
        return tf.sqrt(x)

    def relu(self, x: Array) -> Array:
        """Return max(x, 0)."""
        return tf.nn.relu(x)

    def softplus(self, x: Array) -> Array:
        """Return log(1 + exp(x))."""
        return tf.math.softplus(x)

    def softmax(self, x: Array) -> Array:
        """Return the softmax over the last axis."""
        return tf.nn.softmax(x)
