"""Draw a page of made-up series: `python -m models.pretrain.pictures [FOLDER]`."""

import sys
from pathlib import Path

import numpy as np

from examples.svg import Picture
from models.pretrain.generator import Block, Layout, make
from models.pretrain.recursions import Floats

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SEED = 21
COLUMNS, ROWS = 5, 8
WIDTH, HEIGHT, MARGIN = 190.0, 76.0, 10.0
LAYOUTS = {
    "universal-long": Layout(context=272, horizon=64, short=False, shortest=120),
    "universal-short": Layout(context=96, horizon=24, short=True, shortest=20),
}


def page(block: Block, title: str) -> str:
    """Return a page with one small picture per series, its periods above it."""
    width, height = (int(count * size) for count, size in ((COLUMNS, WIDTH), (ROWS, HEIGHT)))
    picture = Picture(width, height, title)
    for number, (values, periods) in enumerate(zip(block.values, block.periods, strict=True)):
        left, top = number % COLUMNS * WIDTH + MARGIN, number // COLUMNS * HEIGHT + MARGIN
        told = " and ".join(f"{period:.0f}" for period in periods if period > 1) or "none"
        picture.text(left, top + 4, told, kind="soft")
        for piece in _pieces(values, left, top + 8):
            picture.line(piece, "a")
    return picture.to_svg()


def _pieces(values: Floats, left: float, top: float) -> list[list[tuple[float, float]]]:
    """Return lines between the gaps of a series."""
    known = np.flatnonzero(np.isfinite(values))
    low, high = values[known].min(), values[known].max()
    span = max(float(high - low), 1e-9)
    scale = (WIDTH - 2 * MARGIN) / (len(values) - known[0])
    points = [
        (
            left + (place - known[0]) * scale,
            top + (HEIGHT - 3 * MARGIN) * float(high - values[place]) / span,
        )
        for place in known
    ]
    breaks = np.flatnonzero(np.diff(known) > 1) + 1
    return [
        points[start:end]
        for start, end in zip([0, *breaks], [*breaks, len(points)], strict=True)
        if end - start > 1
    ]


def main(arguments: list[str]) -> None:
    """Draw both pages."""
    folder = Path(arguments[0]) if arguments else PICTURES
    for name, layout in LAYOUTS.items():
        block = make(seed=SEED, block=0, count=COLUMNS * ROWS, layout=layout)
        svg = page(block, "Series that the universal network is trained on, all made up")
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
