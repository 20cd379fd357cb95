"""Draw small SVG pictures that can be read on light and on dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Literal

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

# Classes instead of colours, so that one picture suits both kinds of page. The line colours are
# those of Okabe & Ito (2008), which colour-blind readers can tell apart.
STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
text { fill: #1f2328; } .soft { fill: #57606a; } .title { font-weight: 600; font-size: 15px; }
.ink { stroke: #57606a; fill: none; } .grid { stroke: #d0d7de; } .box { fill: #f6f8fa; }
.box { stroke: #57606a; } .unit { fill: #ffffff; stroke: #57606a; }
.a { stroke: #0072b2; } .b { stroke: #d55e00; } .c { stroke: #009e73; } .d { stroke: #b3589b; }
.fill { fill: #0072b2; }
.line { fill: none; stroke-width: 2; } .dash { stroke-dasharray: 5 4; }
.grid, .ink { stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .soft { fill: #9ea7b3; } .ink { stroke: #9ea7b3; }
  .grid { stroke: #3d444d; } .box { fill: #21262d; stroke: #9ea7b3; }
  .unit { fill: #0d1117; stroke: #9ea7b3; }
  .a { stroke: #56b4e9; } .b { stroke: #f0883e; } .c { stroke: #3fb98f; } .d { stroke: #d98cc4; }
  .fill { fill: #56b4e9; }
}
""".strip()
HEAD = 10.0  # length of an arrow's head


@dataclass
class Picture:
    """A picture that is being drawn."""

    width: int
    height: int
    title: str  # for screen readers
    parts: list[str] = field(default_factory=list)

    def line(self, points: Sequence[Point], kind: str = "ink") -> None:
        """Draw a line through points."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="line {kind}" points="{path}"/>')

    def arrow(self, start: Point, end: Point, kind: str = "ink") -> None:
        """Draw a straight line with a head at its end."""
        length = max(1e-9, ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5)
        dx, dy = (end[0] - start[0]) / length * HEAD, (end[1] - start[1]) / length * HEAD
        self.line([start, end], kind)
        self.line(
            [
                (end[0] - dx - dy / 2, end[1] - dy + dx / 2),
                end,
                (end[0] - dx + dy / 2, end[1] - dy - dx / 2),
            ],
            kind,
        )

    def box(self, x: float, y: float, width: float, height: float, label: str = "") -> None:
        """Draw a rounded box with a label in its middle."""
        self.parts.append(
            f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" rx="6"/>'
        )
        if label:
            self.text(x + width / 2, y + height / 2 + 5, label, anchor="middle")

    def bar(self, x: float, y: float, *, width: float, height: float, share: float) -> None:
        """Draw a filled rectangle; `share` is its opacity, from 0 to 1."""
        self.parts.append(
            f'<rect class="fill" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}" fill-opacity="{min(1.0, max(0.1, share)):.2f}"/>'
        )

    def unit(self, x: float, y: float, radius: float = 14, label: str = "") -> None:
        """Draw a circle, a unit of a network."""
        self.parts.append(f'<circle class="unit" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>')
        if label:
            self.text(x, y + 5, label, anchor="middle")

    def text(
        self, x: float, y: float, label: str, *, anchor: Anchor = "start", kind: str = ""
    ) -> None:
        """Write a line of text; y is its baseline."""
        self.parts.append(
            f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(label)}</text>"
        )

    def layers(
        self, columns: Sequence[int], *, left: float, top: float, height: float, gap: float
    ) -> None:
        """Draw fully connected layers from left to right; `columns` are their numbers of units."""
        places = [
            [(left + gap * number, top + height * (unit + 0.5) / count) for unit in range(count)]
            for number, count in enumerate(columns)
        ]
        for before, after in pairwise(places):
            for start in before:
                for end in after:
                    self.line([start, end], "grid")
        for column in places:
            for x, y in column:
                self.unit(x, y)

    def to_svg(self) -> str:
        """Return the picture as an SVG file."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style>\n"
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )


@dataclass(frozen=True, kw_only=True)
class Axes:
    """A plot area of a picture with numbers along its sides."""

    picture: Picture
    left: float
    top: float
    width: float
    height: float
    x_range: Point
    y_range: Point

    def place(self, x: float, y: float) -> Point:
        """Return the place of a pair of numbers in the picture."""
        across = (x - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (y - self.y_range[0]) / (self.y_range[1] - self.y_range[0])
        return self.left + across * self.width, self.top + (1 - up) * self.height

    def frame(
        self,
        x_ticks: Sequence[tuple[float, str]],
        y_ticks: Sequence[tuple[float, str]],
        *,
        x_label: str = "",
        y_label: str = "",
    ) -> None:
        """Draw grid lines with their numbers, and the names of the axes."""
        low, high = self.y_range
        for x, label in x_ticks:
            self.picture.line([self.place(x, low), self.place(x, high)], "grid")
            self.picture.text(
                self.place(x, low)[0],
                self.top + self.height + 18,
                label,
                anchor="middle",
                kind="soft",
            )
        for y, label in y_ticks:
            start, end = self.place(self.x_range[0], y), self.place(self.x_range[1], y)
            self.picture.line([start, end], "grid")
            self.picture.text(self.left - 8, start[1] + 4, label, anchor="end", kind="soft")
        below = self.top + self.height + 38
        self.picture.text(self.left + self.width, below, x_label, anchor="end", kind="soft")
        self.picture.text(self.left, self.top - 10, y_label, kind="soft")

    def curve(self, xs: Sequence[float], ys: Sequence[float], kind: str) -> None:
        """Draw a line through pairs of numbers."""
        self.picture.line([self.place(x, y) for x, y in zip(xs, ys, strict=True)], kind)
