"""The held-out curve as an SVG drawing, for a page without scripts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.artifact.scorecard import CurvePoint

WIDTH, HEIGHT = 900, 330
LEFT, RIGHT, TOP, BOTTOM = 70, 10, 10, 30
STEPS = (1, 2, 2.5, 5, 10)
TICKS = 5
LINES = {
    "persistence": "repeating the last value",
    "forecast": "forecast",
    "actual": "actual value",
}


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A labelled position on an axis, in the drawing's units."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the drawing."""

    key: str
    name: str
    points: str  # of an SVG polyline


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Lines and axes, in the drawing's units."""

    lines: list[Line]
    band: str | None  # points of an SVG polygon, the intervals; None if there are none
    across: list[Tick]
    up: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def picture(curve: Sequence[CurvePoint]) -> Picture | None:
    """Draw actual values, forecasts and persistence; return None for fewer than two rows."""
    if len(curve) < 2:  # a line has two ends
        return None
    values: list[float] = [getattr(point, key) for point in curve for key in LINES]
    ends = [
        (row, point.low, point.high)
        for row, point in enumerate(curve)
        if point.low is not None and point.high is not None
    ]
    values += [bound for _, low, high in ends for bound in (low, high)]
    ticks = round_ticks(min(values), max(values))
    bottom, top = min(ticks[0], *values), max(ticks[-1], *values)

    def x(row: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * row / (len(curve) - 1)

    def y(value: float) -> float:
        share: float = (value - bottom) / (top - bottom)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    lines = [
        Line(
            key=key,
            name=name,
            points=" ".join(
                f"{x(row):.1f},{y(getattr(point, key)):.1f}" for row, point in enumerate(curve)
            ),
        )
        for key, name in LINES.items()
    ]
    around = [(row, high) for row, _, high in ends] + [(row, low) for row, low, _ in reversed(ends)]
    shown = sorted({0, (len(curve) - 1) // 2, len(curve) - 1})
    return Picture(
        lines=lines,
        band=" ".join(f"{x(row):.1f},{y(bound):.1f}" for row, bound in around) or None,
        across=[Tick(at=x(row), label=curve[row].time or str(row + 1)) for row in shown],
        up=[Tick(at=y(value), label=f"{value:,.6g}") for value in ticks],
    )


def round_ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers from at or below `low` to at or above `high`."""
    if not high > low:
        margin = max(1.0, abs(low) * 1e-9)  # above 1e16, adding 1 changes nothing
        low, high = low - margin, high + margin
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in STEPS if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, last + 1)]
