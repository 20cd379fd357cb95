"""Check the demands on the default recipe over all series of the accuracy table."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.figures import Figure, at_most
from benchmarks.parts.judged import Beside, Row

LONG_ROWS = 1000
LARGEST_HINDSIGHT_RATIO = 1.02
LARGEST_STRUCTURE_RATIO = 0.9
MOST_SECONDS = 60.0
LEVELS = (80, 95)
MOST_OFF = 0.03  # of coverage


def demands(rows: Sequence[Row]) -> Iterator[Figure]:
    """Return each demand as a figure with its bound; series that miss it are named.

    Args:
        rows: all rows of the table; unpredictable ones are not counted.
    """
    counted = [row for row in rows if row.foreseeable]
    if not counted:
        return
    yield Figure(
        name=f"RMSE by that of the simple forecast chosen on validation rows, mean of "
        f"{len(counted)} series",
        value=float(np.mean([row.chosen.ratio for row in counted])),
        unit="",
        wanted=at_most(1.0),
    )
    yield from _against_hindsight(counted)
    yield from _against_naive(counted)
    slowest = max(counted, key=lambda row: row.seconds)
    yield Figure(
        name="longest training of a series, processor time",
        value=slowest.seconds,
        unit="s",
        wanted=at_most(MOST_SECONDS),
        note=f"{slowest.series}, {slowest.rows:,} rows",
    )
    yield from _coverage(counted)


def _against_hindsight(rows: Sequence[Row]) -> Iterator[Figure]:
    long = [row for row in rows if row.rows >= LONG_ROWS]
    if long:
        worst = max(long, key=lambda row: row.hindsight.ratio)
        yield Figure(
            name=f"RMSE by that of the simple forecast best in hindsight, largest of the "
            f"{len(long)} series with {LONG_ROWS:,} rows or more",
            value=worst.hindsight.ratio,
            unit="",
            wanted=at_most(LARGEST_HINDSIGHT_RATIO),
            note=_told(worst, worst.hindsight),
        )
    if short := [row for row in rows if row.rows < LONG_ROWS]:
        worse = [row for row in short if row.hindsight.verdict == "worse"]
        yield Figure(
            name=f"of {len(short)} shorter series, those significantly worse than it",
            value=len(worse),
            unit="",
            wanted=at_most(0),
            note="; ".join(_told(row, row.hindsight) for row in worse),
        )


def _against_naive(rows: Sequence[Row]) -> Iterator[Figure]:
    learnable = [row for row in rows if row.structure]
    if not learnable:
        return
    yield Figure(
        name=f"RMSE by that of the best naive forecast in hindsight, mean of {len(learnable)} "
        "series with structure",
        value=float(np.mean([row.naive.ratio for row in learnable])),
        unit="",
        wanted=at_most(LARGEST_STRUCTURE_RATIO),
    )
    # With about 20 judged rows a ratio is known to 10 % at best, so a single one means nothing.
    if long := [row for row in learnable if row.rows >= LONG_ROWS]:
        worst = max(long, key=lambda row: row.naive.ratio)
        yield Figure(
            name=f"the same, largest of the {len(long)} with {LONG_ROWS:,} rows or more",
            value=worst.naive.ratio,
            unit="",
            wanted=at_most(LARGEST_STRUCTURE_RATIO),
            note=_told(worst, worst.naive),
        )


def _coverage(rows: Sequence[Row]) -> Iterator[Figure]:
    for level in LEVELS:
        share = _together(rows, level)
        yield Figure(
            name=f"intervals of {level} %, coverage of all judged rows together: off by",
            value=100 * abs(share - level / 100),
            unit="points",
            wanted=at_most(100 * MOST_OFF),
            note=f"{100 * share:.1f} % inside",
        )
    missed = [
        f"{row.series} ({100 * row.coverage(level)[0]:.1f} at {level} %)"
        for row in rows
        for level in LEVELS
        if not _covers(row, level)
    ]
    yield Figure(
        name="intervals of a series farther off than its rows allow",
        value=len(missed),
        unit="",
        wanted=at_most(0),
        note="; ".join(missed),
    )


def _together(rows: Sequence[Row], level: int) -> float:
    """Return the coverage over the judged rows of all series."""
    found = [row.coverage(level) for row in rows if row.coverage(level)[1]]
    inside = sum(share * count for share, count in found)
    return inside / max(1, sum(count for _, count in found))


def _covers(row: Row, level: int) -> bool:
    share, count = row.coverage(level)
    if not count or not row.calibrated:
        return False
    nominal = level / 100
    error = np.sqrt(nominal * (1 - nominal) * (1 / count + 1 / row.calibrated))
    return bool(abs(share - nominal) <= MOST_OFF + 2 * error)


def _told(row: Row, beside: Beside) -> str:
    return f"{row.series}: {beside.ratio:.3f} of {beside.name.replace('_', ' ')}"
