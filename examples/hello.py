"""The chapter's worked example: an RNN of three units reads "h", then "e", of "hello".

python -m examples.hello
"""

import sys

import numpy as np
from numpy.typing import NDArray

from app.cells.losses import softmax
from app.cells.network import Network

Floats = NDArray[np.float64]

VOCABULARY = "helo"
W_XH = np.array(
    [
        [0.287027, 0.84606, 0.572392, 0.486813],
        [0.902874, 0.871522, 0.691079, 0.18998],
        [0.537524, 0.09224, 0.558159, 0.491528],
    ]
)
W_HH, BIAS = 0.427043, 0.567001
W_HY = np.array(
    [
        [0.37168, 0.974829459, 0.830034886],
        [0.39141, 0.282585823, 0.659835709],
        [0.64985, 0.09821557, 0.334287084],
        [0.91266, 0.32581642, 0.144630018],
    ]
)


def network() -> Network:
    """The chapter's weights; it writes matrix times column, Keras and we rows times matrix."""
    weights = {
        "layer0.kernel": W_XH.T,
        "layer0.recurrent": W_HH * np.eye(3),
        "layer0.bias": np.full(3, BIAS),
        "output.kernel": W_HY.T,
        "output.bias": np.zeros(4),
    }
    return Network.from_weights(weights, cell="rnn")


def steps(letters: str = "he") -> list[tuple[str, Floats]]:
    """What is computed, in order, each with its name."""
    hello = network()
    (layer,) = hello.layers
    ids = np.array([[VOCABULARY.index(letter) for letter in letters]])  # (1, letters)
    run = hello.forward(ids)
    trace = run.layers[0]
    told: list[tuple[str, Floats]] = []
    for place, letter in enumerate(letters):
        told += [
            (f"W_xh · {letter}", layer.kernel[ids[0, place]]),
            ("W_hh · state + bias", trace.products[0, place] + layer.bias),
            (f"state after {letter}", trace.outputs[0, place]),
        ]
    logits = run.outputs[0, -1]
    return [*told, ("output", logits), ("softmax", softmax(logits))]


def main() -> None:
    """Print them."""
    for name, values in steps():
        shown = "  ".join(f"{value:.6f}" for value in values)
        sys.stdout.write(f"{name:<20} {shown}\n")
    said = VOCABULARY[int(steps()[-1][1].argmax())]
    sys.stdout.write(f'it says "{said}": untrained, it is wrong ("l" would be right)\n')


if __name__ == "__main__":
    main()
