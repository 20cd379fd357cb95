"""Define the ways to write a date or time, as patterns over the shape of a cell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from app.reading.vocabulary import NOTATIONS

_SHAPES: dict[str, str] = NOTATIONS["shapes"]


def _expanded(pattern: str) -> str:
    """Return a pattern in which the named ones are inserted."""
    return re.sub(r"(?<!P)<(\w+)>", lambda match: _expanded(_SHAPES[match[1]]), pattern)


_PATTERNS = tuple(
    (kind, re.compile(_expanded(pattern))) for kind, pattern in NOTATIONS["dates"]["patterns"]
)
_CLOCK = re.compile(_expanded(_SHAPES["clock"]))
# dt=2021-03-01, as folders of a data lake are named, or Week of 2021-03-01
_PREFIX = re.compile(r"a{2,9}(?:[=:] ?| a{2,6} )")
_BETWEEN = re.compile(r" ?(?:-|~|/| a{2,3} ) ?")  # the ends of an interval
_LABELS: dict[str, str] = NOTATIONS["dates"]["labels"]


@dataclass(frozen=True, kw_only=True)
class DatePattern:
    """The positions of a date's parts in cells of one shape."""

    kind: str  # day, triple, month, yearday, span, period, fiscal, year, serial, unix, clock
    spans: dict[str, tuple[int, int]]  # part → (start, stop)
    label: str  # for people: yyyy-mm-dd

    def has(self, part: str) -> bool:
        """Return whether the cells have this part."""
        return part in self.spans

    def digits(self, part: str) -> int:
        """Return the number of characters in the part."""
        return self.spans[part][1] - self.spans[part][0]


@lru_cache(maxsize=4096)
def date_patterns(shape: str) -> tuple[DatePattern, ...]:
    """Return possible patterns for cells of this shape as dates or times, the likeliest first."""
    found = tuple(_whole(shape)) or tuple(_intervals(shape))
    prefix = _PREFIX.match(shape)
    if found or prefix is None:
        return found
    return tuple(_moved(pattern, prefix[0]) for pattern in date_patterns(shape[prefix.end() :]))


@lru_cache(maxsize=256)
def clock_pattern(shape: str) -> DatePattern | None:
    """Return the pattern for cells of this shape as times of day, or None."""
    match = _CLOCK.fullmatch(shape)
    return _described("clock", shape, match) if match else None


def _whole(shape: str) -> Iterator[DatePattern]:
    for kind, pattern in _PATTERNS:
        match = pattern.fullmatch(shape)
        if match:
            yield _described(kind, shape, match)


def _intervals(shape: str) -> Iterator[DatePattern]:
    """Return patterns for two dates, or a time and the end of its hour, with a sign between."""
    for between in _BETWEEN.finditer(shape):
        ends = shape[between.end() :]
        if "0" not in ends:
            continue
        for pattern in _whole(shape[: between.start()]):
            same = any(other.kind == pattern.kind for other in _whole(ends))
            if same or (pattern.has("H") and clock_pattern(ends) is not None):
                yield replace(pattern, label=f"{pattern.label} - …")  # its time is its start


def _moved(pattern: DatePattern, prefix: str) -> DatePattern:
    by = len(prefix)
    spans = {name: (start + by, stop + by) for name, (start, stop) in pattern.spans.items()}
    return replace(pattern, spans=spans, label=f"…{prefix[-1]}{pattern.label}")


def _described(kind: str, shape: str, match: re.Match[str]) -> DatePattern:
    spans = {
        name if name == "y2" else name.rstrip("23"): match.span(name)
        for name, text in match.groupdict().items()
        if text is not None and name != "sep"
    }
    label = shape
    for name, (start, stop) in sorted(spans.items(), key=lambda item: -item[1][0]):
        word = _LABELS.get(name, name)
        if name in {"y", "c", "y2"}:
            word = name[0] * (stop - start)
        before = label[:start]
        if name == "H" and before.endswith("a"):
            before = before[:-1] + "T"
        label = before + word + label[stop:]
    return DatePattern(kind=kind, spans=spans, label=label.replace("yyyymd", "yyyymmdd"))
