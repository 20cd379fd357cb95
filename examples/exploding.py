"""A training that explodes, and the same with its gradients clipped.

    python -m examples.exploding

An RNN with relu reads 50 numbers and learns their mean. Its W_hh is 1.02 times the identity: each
step multiplies the state, and on the way back the gradient, by 1.02.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.cells.losses import mean_squared_error
from app.cells.network import Network
from app.cells.optimizers import clip_norm

STEPS, UNITS, BATCH = 50, 8, 32
W_HH = 1.02
LEARNING_RATE = 0.03
LARGEST_NORM = 1.0
UPDATES = 300
SHOWN = (0, 1, 10, 100, UPDATES - 1)


@dataclass(frozen=True, kw_only=True)
class Update:
    """One update of the training."""

    loss: float
    norm: float  # of the gradient, before clipping


def train(*, clipped: bool, updates: int = UPDATES, seed: int = 0) -> Iterator[Update]:
    """Train by plain gradient descent; end when the gradient is no longer finite."""
    generator = np.random.default_rng(seed)
    network = Network.random(
        generator, cell="rnn", inputs=1, layers=(UNITS,), outputs=1, activation="relu"
    )
    network.layers[0].recurrent[:] = W_HH * np.eye(UNITS)
    for _ in range(updates):
        inputs = generator.uniform(size=(BATCH, STEPS, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            trace = network.forward(inputs, every_step=False)
            loss, d_outputs = mean_squared_error(trace.outputs, inputs.mean(axis=1))
            gradients = network.backward(trace, d_outputs).weights
            norm = clip_norm(gradients, LARGEST_NORM if clipped else np.inf)
        yield Update(loss=loss, norm=norm)
        if not np.isfinite(norm):
            return
        for name, weight in network.weights().items():
            np.subtract(weight, LEARNING_RATE * gradients[name], out=weight)


def main() -> None:
    """Print loss and gradient norm of both trainings."""
    for clipped in (False, True):
        sys.stdout.write("gradients clipped to a norm of 1\n" if clipped else "not clipped\n")
        for number, update in enumerate(train(clipped=clipped)):
            if number in SHOWN:
                sys.stdout.write(
                    f"  update {number:>3}: loss {update.loss:.1e}, gradient {update.norm:.1e}\n"
                )


if __name__ == "__main__":
    main()
