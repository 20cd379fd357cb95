"""Truncated backpropagation: cut a text into parts and carry the state from part to part.

    python -m examples.truncated

The forward run stays the same. Backward, nothing crosses a cut, so only one part's trace has to be
kept, but the gradient lacks what the later parts would have sent back.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cells.cell import CellName
from app.cells.learn import made_up_text
from app.cells.losses import cross_entropy
from app.cells.network import Network
from app.language.tokenizer import Tokenizer

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

STEPS, UNITS = 128, 32
LENGTHS = (1, 2, 4, 8, 16, 32, 64, STEPS)
CELLS: tuple[CellName, ...] = ("rnn", "lstm")


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """What truncating after so many steps costs."""

    steps: int
    error: float  # norm of the difference from the whole gradient, as a share of its norm


def gradient(network: Network, ids: Ids, *, steps: int) -> dict[str, Floats]:
    """Return the gradient of the cross-entropy of each next token, cut after every `steps` steps.

    Args:
        network: stays as it is.
        ids: (tokens,); the last is only a target.
        steps: how far each part is propagated back.
    """
    total = {name: np.zeros_like(weight) for name, weight in network.weights().items()}
    state: Sequence[Floats] | None = None
    for start in range(0, len(ids) - 1, steps):
        targets = ids[start + 1 : start + steps + 1]  # (steps of this part,)
        trace = network.forward(ids[None, start : start + len(targets)], state)
        _, d_outputs = cross_entropy(trace.outputs, targets[None])
        for name, part in network.backward(trace, d_outputs).weights.items():
            total[name] += part
        state = trace.final
    return total


def truncations(cell: CellName, *, seed: int = 0) -> list[Truncation]:
    """Compare the truncated gradients of an untrained network with the whole one."""
    text = made_up_text(STEPS + 1)
    tokenizer = Tokenizer.fit(text, unit="word")
    ids = tokenizer.encode(text).ids
    generator, size = np.random.default_rng(seed), len(tokenizer)
    network = Network.random(generator, cell=cell, inputs=size, layers=(UNITS,), outputs=size)
    whole = gradient(network, ids, steps=STEPS)
    return [
        Truncation(steps=steps, error=_distance(gradient(network, ids, steps=steps), whole))
        for steps in LENGTHS
    ]


def _distance(gradients: Mapping[str, Floats], whole: Mapping[str, Floats]) -> float:
    """Return how far the recurrent kernels' gradients lie apart, as a share of the whole one."""
    name = "layer0.recurrent"
    return float(np.linalg.norm(gradients[name] - whole[name]) / np.linalg.norm(whole[name]))


def lines() -> Iterator[str]:
    """Yield what the command prints."""
    yield f"steps   error of the gradient of W_hh, {STEPS} tokens"
    yield "     " + "".join(f"{cell.upper():>9}" for cell in CELLS)
    for row in zip(*(truncations(cell) for cell in CELLS), strict=True):
        yield f"{row[0].steps:>5}" + "".join(f"{each.error:>9.1%}" for each in row)


def main() -> None:
    """Print the errors of both cells."""
    sys.stdout.writelines(f"{line}\n" for line in lines())


if __name__ == "__main__":
    main()
