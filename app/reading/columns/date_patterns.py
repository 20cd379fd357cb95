"""Define the ways to write a date or time, as patterns over the shape of a cell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

_AM_OR_PM = r"aa|a\. ?a\."  # AM, or a. m. as in Spanish
_ZONE = r"a{1,5}[+-]0{1,2}(?::?00)?|a{1,5}|[+-]00:?00|[+-]00"
_CLOCK_AND_ZONE = (
    rf"(?:(?P<AP2>{_AM_OR_PM}) )?(?P<H>0{{1,2}})"
    r"(?::(?P<M>00)(?::(?P<S>00)(?:[.,:](?P<F>0{1,9}))?)?"
    r"|\.(?P<M2>00)\.(?P<S2>00)(?:\.(?P<F2>0{1,9}))?|a(?P<M3>00))?"
    rf"(?:[ -]?(?P<AP>{_AM_OR_PM})(?!a))?(?: ?(?P<zone>{_ZONE}))?(?: \([a ]+\))?"
)
_TIME = rf"(?:(?:a| {{1,2}}|, ?| a |[-_:]| - ){_CLOCK_AND_ZONE})?"
_COMPACT_TIME = r"(?:[a _-]?(?P<H>00)(?P<M>00)(?P<S>00)?(?P<zone>a)?)"
_WEEKDAY = r"(?:(?P<weekday>a{2,10})[,.]{0,2} )?"
_YEAR = r"(?P<y>0000|00)"
_WORD = r"(?P<word>a{1,9})"
_CTIME = (
    r"(?P<weekday>aaa) (?P<mon>aaa) {1,2}(?P<d>0{1,2}) (?P<H>00):(?P<M>00):(?P<S>00)"
    r"(?: (?P<zone>a{1,5}))? (?P<y>0000)"
)

# All that fit a whole shape are tried on its cells, in this order.
_PATTERNS: tuple[tuple[str, str], ...] = (
    (
        "day",
        _WEEKDAY + r"(?P<y>0000)(?P<sep>[-/. ]) ?(?P<m>0{1,2})(?P=sep) ?(?P<d>0{1,2})\.?" + _TIME,
    ),
    (
        "triple",
        _WEEKDAY
        + r"(?P<a>0{1,2})(?P<sep>[-/. ]) ?(?P<b>0{1,2})(?P=sep) ?(?P<c>0000|00)\.?"
        + _TIME,
    ),
    ("day", r"(?P<y>0000)(?P<m>00)(?P<d>00)" + _TIME),
    ("day", r"(?P<y>0000)(?P<m>00)(?P<d>00)" + _COMPACT_TIME),
    ("span", r"(?P<y>0000)[-/](?P<y2>0000|00)"),
    ("month", r"(?P<y>0000)[-/ .:](?P<m>0{1,2})"),
    ("month", r"(?P<m>0{1,2})[-/ .](?P<y>0000)"),
    ("yearday", r"(?P<y>0000)-(?P<n>000)" + _TIME),
    ("day", r"(?P<minguo>000)(?P<sep>[-/.])(?P<m>00)(?P=sep)(?P<d>00)" + _TIME),
    ("day", r"(?P<era>a)(?P<y>0{1,2})(?P<sep>[-/.])(?P<m>0{1,2})(?P=sep)(?P<d>0{1,2})" + _TIME),
    ("period", rf"(?P<y>0000)[- /:_]{{0,2}}{_WORD}\.? ?(?P<n>0{{1,3}})(?:-(?P<wd>0))?"),
    ("period", r"(?P<y>0000)-?(?P<word>a)(?P<n>00)(?P<wd>0)"),
    ("period", r"(?P<y>0000)[- /]{1,2}(?P<n>0)[- .]?(?P<word>a{1,9})"),
    ("period", r"(?P<word>a)(?P<n>0)[-/ ]?(?P<y>0000|00)"),
    ("period", rf"{_WORD}\.?[- ]?(?P<n>0{{1,2}})(?:[- /,.]{{1,3}}'?|'){_YEAR}"),
    ("period", rf"(?P<n>0{{1,2}})(?:\.|aa)? ?{_WORD}\.?[- /,]{{0,2}}'?{_YEAR}"),
    ("fiscal", rf"(?P<fy>aa) ?'?{_YEAR}(?:/00)?(?:[- /]{{0,2}}{_WORD}(?P<n>0{{1,2}}))?"),
    ("fiscal", rf"{_WORD}(?P<n>0{{1,2}})[- /,]{{0,2}}(?P<fy>aa) ?'?{_YEAR}"),
    (
        "day",
        _WEEKDAY
        + r"(?P<mon>a{3,12})\.?[ -]{1,2}(?P<d>0{1,2})(?P<ordinal>aa)?,?[ -](?P<y>0000)"
        + _TIME,
    ),
    ("day", _CTIME),
    ("day", r"(?P<mon>a{3,12})[ -](?P<d>0{1,2})[, -] ?(?P<y>00)"),
    (
        "day",
        _WEEKDAY
        + r"(?P<d>0{1,2})(?:(?P<ordinal>aa)|\.)?[- /]?(?:(?:aa) )?(?P<mon>a{3,12})\.?,?"
        + r"(?:[- /]|(?: aa ))?'?"
        + _YEAR
        + _TIME,
    ),
    ("day", r"(?P<y>0000)[- /]?(?P<mon>a{3,12})[- /](?P<d>0{1,2})" + _TIME),
    ("month", r"(?P<mon>a{3,12})\.?,?(?: aa )?[- /]?'?(?P<y>0000|00)"),
    ("month", r"(?P<y>0000)[- /]?(?P<mon>a{3,12})\.?"),
    ("year", r"(?P<y>0000)"),
    ("serial", r"(?P<serial>0{5}(?:\.0+)?)"),
    ("unix", r"(?P<unix>0{10}(?:\.0+)?|0{13}|0{16}|0{19})"),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
_CLOCK = re.compile(
    r"(?P<H>0{1,2})(?P<sep>:|\.(?=00\.00))(?P<M>00)(?:(?P=sep)(?P<S>00)(?:[.,](?P<F>0{1,9}))?)?"
    rf"(?: ?(?P<AP>{_AM_OR_PM}))?"
    r"|(?P<AP2>aa) (?P<H2>0{1,2}):(?P<M2>00)|(?P<H3>0{1,2}) ?(?P<AP3>aa)"
)
# dt=2021-03-01, as folders of a data lake are named, or Week of 2021-03-01
_PREFIX = re.compile(r"a{2,9}(?:[=:] ?| a{2,6} )")
_BETWEEN = re.compile(r" ?(?:-|~|/| a{2,3} ) ?")  # the ends of an interval
_WORDS = {
    "H": "HH",
    "M": "MM",
    "S": "SS",
    "F": "f",
    "AP": "AM",
    "mon": "Mon",
    "n": "n",
    "weekday": "Day",
    "ordinal": "th",
    "serial": "Excel day",
    "unix": "Unix time",
    "minguo": "yyy",
    "era": "E",
    "fy": "FY",
}


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
    for kind, pattern in _COMPILED:
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
        word = _WORDS.get(name, name)
        if name in {"y", "c", "y2"}:
            word = name[0] * (stop - start)
        before = label[:start]
        if name == "H" and before.endswith("a"):
            before = before[:-1] + "T"
        label = before + word + label[stop:]
    return DatePattern(kind=kind, spans=spans, label=label.replace("yyyymd", "yyyymmdd"))
