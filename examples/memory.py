"""Show what a plain recurrent network forgets and an LSTM keeps.

    python -m examples.memory [FOLDER]

trains both on made-up sequences after the chapter's examples: a symbol 50 steps back, the clouds in
the sky, the language spoken there, he and she. Given a folder, it also draws the gradient curves
and the forget gate into it. Takes about a minute.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cells.cell import CellName
from examples.learning import Learned, learn
from examples.sequences import MEN, WOMEN, Task, clouds, far_symbol, language, subjects
from examples.svg import Axes, Picture

Floats = NDArray[np.float64]

CELLS: tuple[CellName, ...] = ("rnn", "lstm")
LOWEST = -10  # below 10^-10 a curve is drawn at the bottom
SENTENCE = ("bob", "walks", "then", "sings", "alice", "walks", "home", "john", "sings", "again")


def far(cell: CellName) -> Learned:
    """Train on the symbol 50 steps back."""
    return learn(far_symbol(), cell, units=24, batches=500)


def near(cell: CellName) -> Learned:
    """Train on "the clouds are in the sky", for which a plain RNN is enough."""
    return learn(clouds(), cell, units=24, batches=400, learning_rate=0.005)


def spoken(cell: CellName) -> Learned:
    """Train on "the language spoken there is", which needs an LSTM."""
    return learn(language(), cell, units=24, batches=600, learning_rate=0.004)


def genders() -> Learned:
    """Train an LSTM to say "he" or "she" after the last subject."""
    return learn(subjects(), "lstm", units=8, batches=400, learning_rate=0.01)


def gates_over(learned: Learned) -> tuple[int, Floats, Floats]:
    """Find the unit that carries the gender, with its forget gate and cell state over `SENTENCE`.

    Returns:
        The unit; its forget gate (words,); its cell state after each word (words,).
    """
    vocabulary = subjects().vocabulary
    unit = carrier(learned)
    ids = np.array([[vocabulary.index(word) for word in SENTENCE]])
    trace = learned.network.forward(ids).layers[0]
    return unit, trace.gates["forget"][0, :, unit], trace.states["cell"][0, 1:, unit]


def carrier(learned: Learned) -> int:
    """Return the unit whose cell state best separates men from women two words after the name."""
    vocabulary = subjects().vocabulary
    cells = []
    for names in (MEN, WOMEN):
        ids = np.array([[vocabulary.index(word) for word in (n, "walks", "home")] for n in names])
        cells.append(learned.network.forward(ids).layers[0].states["cell"][:, -1])  # (2, units)
    men, women = cells
    return int(np.abs(men.mean(axis=0) - women.mean(axis=0)).argmax())


def gradient_picture(curves: dict[CellName, Learned], task: Task) -> Picture:
    """Draw the gradient norm back through time, before and after training, on a log scale."""
    picture = Picture(720, 360, f"Gradient norm back through time: {task.name}")
    steps = len(curves["rnn"].before.norms)
    axes = Axes(
        picture=picture, left=70, top=50, width=440, height=240,
        x_range=(0, steps - 1), y_range=(LOWEST, 1),
    )  # fmt: skip
    axes.frame(
        [(x, str(x)) for x in range(0, steps, 10)],
        [(y, f"1e{y}" if y else "1") for y in range(LOWEST, 1, 2)],
        x_label="steps back from the answer",
        y_label="norm of the gradient, as a share of the last step's",
    )
    for number, (cell, colour) in enumerate((("rnn", "b"), ("lstm", "a"))):
        learned = curves[cell]  # type: ignore[index]  # the loop spells out the names of cells
        for row, (told, norms, dash) in enumerate(
            (("untrained", learned.before.norms, " dash"), ("trained", learned.after.norms, ""))
        ):
            axes.curve(range(steps), _logarithms(norms), colour + dash)
            y = 80 + 90 * number + 26 * row
            picture.line([(530, y - 4), (560, y - 4)], colour + dash)
            picture.text(568, y, f"{cell.upper()}, {told}")
        picture.text(568, 132 + 90 * number, f"{learned.right:.0%} right", kind="soft")
    return picture


def gate_picture(learned: Learned) -> Picture:
    """Draw the forget gate of the unit that carries the gender, over a sentence."""
    unit, forget, cell = gates_over(learned)
    names = {*MEN, *WOMEN}
    picture = Picture(720, 330, "The forget gate closes at each new subject")
    axes = Axes(
        picture=picture, left=70, top=50, width=620, height=200,
        x_range=(-0.5, len(SENTENCE) - 0.5), y_range=(-1.1, 1.1),
    )  # fmt: skip
    ticks = [(float(y), f"{y:g}") for y in (-1, -0.5, 0, 0.5, 1)]
    axes.frame([(x, word) for x, word in enumerate(SENTENCE)], ticks)
    for place, word in enumerate(SENTENCE):
        if word in names:
            x, y = axes.place(place, 1.1)
            picture.text(x, y - 6, "new subject", anchor="middle", kind="soft")
    axes.curve(range(len(SENTENCE)), forget.tolist(), "b")
    axes.curve(range(len(SENTENCE)), (cell / np.abs(cell).max()).tolist(), "a")
    picture.line([(70, 300), (100, 300)], "b")
    picture.text(108, 304, f"forget gate of unit {unit}")
    picture.line([(300, 300), (330, 300)], "a")
    picture.text(338, 304, "its cell state: one sign for he, the other for she")
    return picture


def main(arguments: list[str]) -> None:
    """Train all networks; print the results and draw the pictures."""
    started = time.perf_counter()
    farthest = {cell: far(cell) for cell in CELLS}
    _report(far_symbol(), farthest)
    _report(clouds(), {cell: near(cell) for cell in CELLS})
    _report(language(), {cell: spoken(cell) for cell in CELLS})
    learned = genders()
    unit, forget, _ = gates_over(learned)
    sys.stdout.write(
        f"{subjects().name}: {learned.right:.0%} right; forget gate of unit {unit}, which carries "
        "the gender:\n  "
        + "  ".join(f"{word} {gate:.2f}" for word, gate in zip(SENTENCE, forget, strict=True))
        + f"\n{time.perf_counter() - started:.0f} s\n"
    )
    if arguments:
        folder = Path(arguments[0])
        folder.mkdir(parents=True, exist_ok=True)
        pictures = {
            "gradients.svg": gradient_picture(farthest, far_symbol()),
            "forget-gate.svg": gate_picture(learned),
        }
        for name, picture in pictures.items():
            (folder / name).write_text(picture.to_svg(), encoding="utf-8")


def _report(task: Task, results: dict[CellName, Learned]) -> None:
    for cell, learned in results.items():
        sys.stdout.write(
            f"{task.name}: {cell.upper()} {learned.right:.0%} right (guessing "
            f"{learned.guessing:.0%}) after {len(learned.losses)} batches; the answer lies "
            f"{task.steps_back} steps back, the gradient reached {learned.before.reached} before "
            f"training and {learned.after.reached} after it\n"
        )


def _logarithms(norms: Floats) -> list[float]:
    relative = np.maximum(norms / norms[0], 10.0**LOWEST)
    found: list[float] = np.minimum(np.log10(relative), 1.0).tolist()
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
