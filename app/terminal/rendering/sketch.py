"""A line chart drawn with braille dots, two across and four down in each character."""

import numpy as np
import numpy.typing as npt

ACROSS, DOWN = 2, 4
BLANK = 0x2800
# The bit of each dot, by row and column within a character (Unicode, block "Braille Patterns").
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def sketch(values: npt.NDArray[np.float64], *, width: int, height: int) -> list[str]:
    """Return the chart as lines of text, the largest value at the top.

    Args:
        values: (rows,), oldest first; the line is broken where one is missing.
        width: in characters.
        height: in lines.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    low, high = float(known.min()), float(known.max())
    rows = height * DOWN
    # Halves, so that even the range of the largest floats is finite.
    scaled = (values / 2 - low / 2) / ((high / 2 - low / 2) or 1.0)
    levels = scaled * (rows - 1) if high > low else np.where(np.isfinite(values), rows / 2, np.nan)
    marks = np.zeros((height, width), dtype=np.int64)  # (lines, characters) of bits
    before = np.nan
    for place, part in enumerate(_stretches(levels, width * ACROSS)):
        known = part[np.isfinite(part)]
        if not len(known):
            before = np.nan
            continue
        ends = [known.min(), known.max(), *([before] if np.isfinite(before) else [])]
        for level in range(round(min(ends)), round(max(ends)) + 1):
            down = rows - 1 - level
            marks[down // DOWN, place // ACROSS] |= DOTS[down % DOWN][place % ACROSS]
        before = known[-1]
    return ["".join(chr(BLANK + int(bits)) for bits in line).rstrip(chr(BLANK)) for line in marks]


def _stretches(levels: npt.NDArray[np.float64], count: int) -> list[npt.NDArray[np.float64]]:
    """Split the values into one part per column of dots; interpolate if there are too few."""
    if len(levels) < count:
        places = np.linspace(0, len(levels) - 1, count)
        levels = np.interp(places, np.arange(len(levels)), levels)
    return np.array_split(levels, count)
