"""The chapter's worked example in its seven steps: an RNN with three units reads "he" of "hello".

python -m examples.hello
"""

import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from app.cells.losses import cross_entropy, softmax
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


def network(*, recurrent: float = W_HH) -> Network:
    """Return the chapter's network; Keras and we write rows times matrix, the chapter the reverse.

    Args:
        recurrent: the one number that the chapter calls W_hh.
    """
    weights = {
        "layer0.kernel": W_XH.T.copy(),
        "layer0.recurrent": recurrent * np.eye(3),
        "layer0.bias": np.full(3, BIAS),
        "output.kernel": W_HY.T.copy(),
        "output.bias": np.zeros(4),
    }
    return Network.from_weights(weights, cell="rnn")


def ids_of(letters: str) -> NDArray[np.int64]:
    """Return the letters as ids, (letters,)."""
    return np.array([VOCABULARY.index(letter) for letter in letters])


def steps() -> list[tuple[str, Floats]]:
    """Return what the chapter's seven steps compute, each with its name."""
    hello = network()
    (layer,) = hello.layers
    h, e = ids_of("he")
    run = hello.forward(np.array([[h, e]]))
    trace = run.layers[0]
    logits = run.outputs[0]  # (2, 4)
    return [
        ("1  W_xh · h", layer.kernel[h]),
        ("2  W_hh · 0 + bias", trace.products[0, 0] + layer.bias),
        ("3  state after h", trace.outputs[0, 0]),
        ("4  W_hh · state + bias", trace.products[0, 1] + layer.bias),
        ("   W_xh · e", layer.kernel[e]),
        ("5  state after e", trace.outputs[0, 1]),
        ("6  output W_hy · state", logits[1]),
        ("7  softmax", softmax(logits[1])),
    ]


def losses() -> list[float]:
    """Return the cross-entropy after "h" and after "e", in nats, where "e" and "l" are right."""
    logits = network().forward(ids_of("he")[None]).outputs[0]  # (2, 4)
    targets = ids_of("el")
    return [cross_entropy(logits[t, None], targets[t, None])[0] for t in range(len(targets))]


def lines() -> Iterator[str]:
    """Yield what the command prints."""
    yield "one-hot columns of " + ", ".join(VOCABULARY)
    yield from _matrix(np.eye(len(VOCABULARY)), digits=0)
    yield "W_xh (states x letters); a one-hot column picks one of its columns"
    yield from _matrix(W_XH)
    yield "W_hy (letters x states)"
    yield from _matrix(W_HY)
    yield f"W_hh {W_HH}, bias {BIAS}"
    for name, values in steps():
        yield f"{name:<23} " + "  ".join(f"{value:.6f}" for value in values)
    said = VOCABULARY[int(steps()[-1][1].argmax())]
    yield f'it expects "{said}", but "l" comes next: nothing has been learned yet'
    first, second = losses()
    yield f"cross-entropy {first:.6f} (e after h) + {second:.6f} (l after e) = {first + second:.6f}"


def _matrix(values: Floats, *, digits: int = 6) -> Iterator[str]:
    for row in values:
        yield "  " + "  ".join(f"{value:.{digits}f}" for value in row)


def main() -> None:
    """Print the example."""
    sys.stdout.writelines(f"{line}\n" for line in lines())


if __name__ == "__main__":
    main()
