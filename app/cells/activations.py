"""Activation functions, with derivatives expressed by their output."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ActivationName = Literal["tanh", "sigmoid", "relu"]


@dataclass(frozen=True, kw_only=True)
class Activation:
    """An activation function, element by element."""

    squash: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]  # the derivative as a function of the output


def sigmoid(x: Floats) -> Floats:
    """Compute 1 / (1 + exp(-x)) so that no x overflows."""
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def sigmoid_slope(y: Floats) -> Floats:
    """Return the derivative of the sigmoid where its value is y."""
    return y * (1.0 - y)


def _tanh(x: Floats) -> Floats:
    result: Floats = np.tanh(x)
    return result


def _tanh_slope(y: Floats) -> Floats:
    return 1.0 - y * y


def _relu(x: Floats) -> Floats:
    result: Floats = np.maximum(x, 0.0)
    return result


def _relu_slope(y: Floats) -> Floats:
    return (y > 0).astype(np.float64)


ACTIVATIONS: Mapping[ActivationName, Activation] = {
    "tanh": Activation(squash=_tanh, slope=_tanh_slope),
    "sigmoid": Activation(squash=sigmoid, slope=sigmoid_slope),
    "relu": Activation(squash=_relu, slope=_relu_slope),
}
