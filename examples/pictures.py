"""Draw the pictures of `docs/chapter.md`: `python -m examples.pictures [FOLDER]`.

Most are drawn from formulas and from the shipped versions' files. Two show trained networks, which
`examples.memory` trains first; that takes about a minute.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from app.artifact.files import read_artifact
from app.cells.activations import ACTIVATIONS, ActivationName
from app.config import PROJECT_DIR, shipped_dir
from examples import memory, stock, updates
from examples.svg import Axes, Picture

FABLE_WORDS = ("long", "ago", ",", "the", "mice")


def networks() -> Picture:
    """Draw an MLP with one hidden layer, and a deep network with three."""
    picture = Picture(760, 300, "A multilayer perceptron and a deep network")
    picture.text(40, 30, "multilayer perceptron", kind="title")
    picture.layers((3, 4, 2), left=60, top=50, height=190, gap=110)
    picture.text(380, 30, "deep network", kind="title")
    picture.layers((3, 4, 4, 4, 2), left=400, top=50, height=190, gap=80)
    for x, label in ((60, "input"), (170, "hidden"), (280, "output")):
        picture.text(x, 272, label, anchor="middle", kind="soft")
    for x, label in ((400, "input"), (560, "three hidden layers"), (720, "output")):
        picture.text(x, 272, label, anchor="middle", kind="soft")
    return picture


def unrolled() -> Picture:
    """Draw a recurrent layer, rolled in and unrolled over four steps."""
    picture = Picture(760, 300, "A recurrent network, rolled in and unrolled over time")
    picture.text(40, 30, "rolled in", kind="title")
    picture.text(250, 30, "unrolled: one layer per step, the same weights in each", kind="title")
    _step(picture, 60, ("x", "h", "y"))
    # The loop: the state goes back into the layer.
    picture.line([(130, 150), (160, 150), (160, 95), (95, 95)])
    picture.arrow((95, 95), (95, 128))
    picture.text(166, 126, "W_hh", kind="soft")
    for number in range(4):
        x = 260 + 125 * number
        _step(picture, x, (f"x{number + 1}", f"h{number + 1}", f"y{number + 1}"), loop=False)
        if number < 3:  # the last step passes its state to no other
            picture.arrow((x + 70, 150), (x + 125, 150))
            picture.text(x + 98, 142, "W_hh", anchor="middle", kind="soft")
    return picture


def _step(picture: Picture, x: float, names: tuple[str, str, str], *, loop: bool = True) -> None:
    """Draw input, hidden layer and output of a step, from the bottom up."""
    low, middle, high = names
    picture.unit(x + 35, 250, label=low)
    picture.arrow((x + 35, 236), (x + 35, 172))
    picture.text(x + 42, 210, "W_xh", kind="soft")
    picture.box(x, 128, 70, 44, middle)
    start = x + 15 if loop else x + 35
    picture.arrow((start, 128), (start, 84))
    picture.text(start - 6, 112, "W_hy", anchor="end", kind="soft")
    picture.unit(start, 70, label=high)


def outputs() -> Picture:
    """Draw an output after every step beside one output at the end."""
    picture = Picture(760, 300, "An output after every step, and one output at the end")
    picture.text(40, 30, "an output after every step: four losses", kind="title")
    picture.text(440, 30, "one output at the end: one loss", kind="title")
    for left, tokens, targets in (
        (40, ("h", "e", "l", "l"), ("e", "l", "l", "o")),
        (440, ("long", "ago", ","), ("", "", "the")),
    ):
        for number, (token, target) in enumerate(zip(tokens, targets, strict=True)):
            x = left + 85 * number
            picture.text(x + 30, 264, token, anchor="middle")
            picture.arrow((x + 30, 244), (x + 30, 196))
            picture.box(x, 152, 60, 44, "state")
            if number + 1 < len(tokens):
                picture.arrow((x + 60, 174), (x + 85, 174))
            if target:
                picture.arrow((x + 30, 152), (x + 30, 104))
                picture.text(x + 30, 92, target, anchor="middle")
    return picture


def squashing() -> Picture:
    """Draw tanh and sigmoid with their slopes."""
    picture = Picture(760, 320, "Tanh and sigmoid squash any number; their slopes are small")
    kinds: tuple[tuple[float, ActivationName, float], ...] = ((60, "tanh", -1), (440, "sigmoid", 0))
    for left, name, low in kinds:
        axes = Axes(
            picture=picture, left=left, top=60, width=280, height=180,
            x_range=(-5, 5), y_range=(low - 0.1, 1.1),
        )  # fmt: skip
        axes.frame(
            [(x, str(x)) for x in (-4, -2, 0, 2, 4)],
            [(y, f"{y:g}") for y in np.linspace(low, 1, 5)],
        )
        xs = np.linspace(-5, 5, 101)
        squashed = ACTIVATIONS[name].squash(xs)
        axes.curve(xs.tolist(), squashed.tolist(), "a")
        axes.curve(xs.tolist(), ACTIVATIONS[name].slope(squashed).tolist(), "b dash")
        largest = ACTIVATIONS[name].slope(ACTIVATIONS[name].squash(np.zeros(1)))[0]
        picture.text(left, 30, f"{name}: {low:g} to 1, slope at most {largest:g}", kind="title")
    for left, kind, label in ((60, "a", "value"), (180, "b dash", "slope")):
        picture.line([(left, 294), (left + 30, 294)], kind)
        picture.text(left + 38, 298, label)
    return picture


def gates() -> Picture:
    """Draw an LSTM step: three gates and a candidate around the cell state."""
    picture = Picture(760, 380, "One step of an LSTM: forget, input, candidate and output gate")
    picture.arrow((20, 80), (740, 80), "a")
    picture.text(20, 48, "c before: the conveyor belt")
    picture.text(740, 60, "c after", anchor="end")
    columns = (
        (110.0, "forget σ", "f"),
        (240.0, "input σ", "i"),
        (370.0, "candidate tanh", "g"),
        (560.0, "output σ", "o"),
    )
    picture.line([(20, 330), (600, 330)])
    picture.text(20, 352, "x now and h before: every gate sees both")
    for x, name, letter in columns:
        picture.arrow((x, 330), (x, 282))
        picture.box(x - 55, 238, 110, 44, name)
        picture.text(x - 8 if letter == "i" else x + 8, 228, letter, kind="soft", anchor="middle")
    picture.arrow((110, 238), (110, 96), "b")
    picture.unit(110, 80, label="×")
    picture.arrow((240, 238), (292, 172), "c")
    picture.arrow((370, 238), (318, 172), "c")
    picture.unit(305, 158, label="×")
    picture.arrow((305, 144), (305, 96), "c")
    picture.unit(305, 80, label="+")
    picture.arrow((560, 238), (560, 184), "d")
    picture.arrow((650, 80), (574, 160), "a")
    picture.text(626, 128, "tanh", kind="soft")
    picture.unit(560, 170, label="×")
    picture.arrow((574, 174), (740, 210), "d")
    picture.text(740, 232, "h after", anchor="end")
    return picture


def encoding() -> Picture:
    """Draw the fable's words as numbers, and the numbers as one-hot vectors."""
    manifest, _ = read_artifact(shipped_dir("models") / "belling-the-cat" / "1")
    vocabulary = manifest.text.vocabulary if manifest.text else ()
    picture = Picture(760, 300, "The fable's words as ids and as one-hot vectors")
    picture.text(40, 30, f"{len(vocabulary)} symbols, by how often they occur", kind="title")
    size = 5.2
    for row, word in enumerate(FABLE_WORDS):
        number, y = vocabulary.index(word), 60 + 44 * row
        picture.text(40, y + 15, word)
        picture.text(130, y + 15, str(number), anchor="end")
        picture.bar(150, y, width=size * len(vocabulary), height=20, share=0)
        picture.bar(150 + size * number, y, width=size, height=20, share=1)
    picture.text(150, 280, "one unit per symbol; only the word's own is 1", kind="soft")
    return picture


def stock_plot() -> Picture:
    """Draw the shipped stock model on the days it was judged on, in both alignments."""
    _, scorecard = read_artifact(shipped_dir("models") / "google-stock" / "1")
    curve = scorecard.series.curve if scorecard.series else ()
    return stock.picture(
        stock.Judged(
            today=np.array([point.persistence for point in curve]),
            forecast=np.array([point.forecast for point in curve]),
            actual=np.array([point.actual for point in curve]),
        )
    )


DRAWN: Mapping[str, Callable[[], Picture]] = {
    "networks.svg": networks,
    "unrolled.svg": unrolled,
    "outputs.svg": outputs,
    "squashing.svg": squashing,
    "updates.svg": updates.picture,
    "gates.svg": gates,
    "encoding.svg": encoding,
    "stock.svg": stock_plot,
}


def main(arguments: list[str]) -> None:
    """Draw all pictures."""
    folder = Path(arguments[0]) if arguments else PROJECT_DIR / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in DRAWN.items():
        (folder / name).write_text(draw().to_svg(), encoding="utf-8")
    memory.main([str(folder)])


if __name__ == "__main__":
    main(sys.argv[1:])
