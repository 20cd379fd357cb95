"""Optimizers, which change weights in place by their gradients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Optimizer(Protocol):
    """What the optimizers have in common."""

    def update(self, weights: Mapping[str, Floats], gradients: Mapping[str, Floats]) -> None:
        """Change the weights against their gradients, name by name."""
        ...


@dataclass(kw_only=True)
class Adagrad:
    """Steps that shrink with the sum of squared gradients (Duchi, Hazan & Singer 2011)."""

    learning_rate: float = 0.1
    epsilon: float = 1e-8
    _squares: dict[str, Floats] = field(default_factory=dict, init=False)

    def update(self, weights: Mapping[str, Floats], gradients: Mapping[str, Floats]) -> None:
        """See `Optimizer.update`."""
        for name, array in weights.items():
            squares = self._squares.setdefault(name, np.zeros_like(array))
            squares += gradients[name] ** 2
            step = gradients[name] / (np.sqrt(squares) + self.epsilon)
            np.subtract(array, self.learning_rate * step, out=array)


@dataclass(kw_only=True)
class Adam:
    """Steps from running means of gradients and their squares (Kingma & Ba 2015, algorithm 1)."""

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    _count: int = field(default=0, init=False)
    _means: dict[str, Floats] = field(default_factory=dict, init=False)
    _squares: dict[str, Floats] = field(default_factory=dict, init=False)

    def update(self, weights: Mapping[str, Floats], gradients: Mapping[str, Floats]) -> None:
        """See `Optimizer.update`."""
        self._count += 1
        # Both means start at 0; dividing by these factors corrects the bias.
        grown = 1 - self.beta_1**self._count
        squared = 1 - self.beta_2**self._count
        for name, array in weights.items():
            gradient = gradients[name]
            mean = self._means.setdefault(name, np.zeros_like(array))
            square = self._squares.setdefault(name, np.zeros_like(array))
            mean += (1 - self.beta_1) * (gradient - mean)
            square += (1 - self.beta_2) * (gradient**2 - square)
            step = (mean / grown) / (np.sqrt(square / squared) + self.epsilon)
            np.subtract(array, self.learning_rate * step, out=array)


def clip_norm(gradients: Mapping[str, Floats], largest: float) -> float:
    """Scale all gradients in place so that their joint norm is at most `largest`.

    This keeps an exploding gradient from undoing the training (Pascanu, Mikolov & Bengio 2013).

    Returns:
        The norm before scaling.
    """
    norm = float(np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values())))
    if norm > largest:
        for gradient in gradients.values():
            np.multiply(gradient, largest / norm, out=gradient)
    return norm
