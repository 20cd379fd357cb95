"""Weight updates that are too small, right and too large, on one weight of the "hello" network.

    python -m examples.updates

The weight leads from the first unit to the letter "l" in W_hy. The loss is the cross-entropy of
"ello" after "hell", in which every second letter is an "l".
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.cells.losses import cross_entropy
from examples.hello import VOCABULARY, ids_of, network
from examples.svg import Axes, Picture

START = -4.0
UPDATES = 6
LEARNING_RATES = {"too small": 0.2, "right": 1.0, "too large": 4.0}
RANGE = (-5.0, 9.0)
L = VOCABULARY.index("l")


@dataclass(frozen=True, kw_only=True)
class Descent:
    """Gradient descent on one weight; one entry more than there are updates."""

    weights: tuple[float, ...]
    losses: tuple[float, ...]


def loss_and_slope(weight: float) -> tuple[float, float]:
    """Return the loss, and its derivative by the weight."""
    hello = network()
    hello.output_kernel[0, L] = weight
    trace = hello.forward(ids_of("hell")[None])
    loss, d_outputs = cross_entropy(trace.outputs, ids_of("ello")[None])
    gradient = hello.backward(trace, d_outputs).weights["output.kernel"]  # (3, 4)
    return loss, float(gradient[0, L])


def descend(learning_rate: float, *, start: float = START, updates: int = UPDATES) -> Descent:
    """Follow the negative gradient for some updates."""
    weights, losses = [start], [loss_and_slope(start)[0]]
    for _ in range(updates):
        weights.append(weights[-1] - learning_rate * loss_and_slope(weights[-1])[1])
        losses.append(loss_and_slope(weights[-1])[0])
    return Descent(weights=tuple(weights), losses=tuple(losses))


def picture() -> Picture:
    """Draw the loss over the weight, and where each learning rate leads."""
    drawn = Picture(960, 330, "Weight updates that are too small, right and too large")
    grid = np.linspace(*RANGE, 121)
    curve = [loss_and_slope(float(weight))[0] for weight in grid]
    low, high = min(curve) - 0.3, max(curve) + 0.3
    for number, (name, rate) in enumerate(LEARNING_RATES.items()):
        axes = Axes(
            picture=drawn, left=60 + 310 * number, top=60, width=260, height=200,
            x_range=RANGE, y_range=(low, high),
        )  # fmt: skip
        axes.frame(
            [(x, f"{x:g}") for x in (-4, 0, 4, 8)],
            [(y, str(y)) for y in range(6, int(high) + 1, 2)],
            x_label="weight",
            y_label="loss",
        )
        axes.curve(grid.tolist(), curve, "a")
        path = descend(rate)
        axes.curve(path.weights, path.losses, "b dash")
        for weight, loss in zip(path.weights, path.losses, strict=True):
            drawn.unit(*axes.place(weight, loss), radius=4)
        drawn.text(60 + 310 * number, 30, f"{name}: learning rate {rate:g}", kind="title")
    return drawn


def lines() -> Iterator[str]:
    """Yield what the command prints: weight and loss after each update."""
    descents = [descend(rate) for rate in LEARNING_RATES.values()]
    titles = (f"{name}: {rate:g}" for name, rate in LEARNING_RATES.items())
    yield "update" + "".join(f"{title:>18}" for title in titles)
    for number in range(UPDATES + 1):
        cells = (f"{each.weights[number]:>10.3f} {each.losses[number]:>7.3f}" for each in descents)
        yield f"{number:>6}" + "".join(cells)


def main() -> None:
    """Print the three descents."""
    sys.stdout.writelines(f"{line}\n" for line in lines())


if __name__ == "__main__":
    main()
