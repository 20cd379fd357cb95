"""The ways a date or time is written, as patterns over the shape of a cell (see shapes)."""

import re
from dataclasses import dataclass
from functools import lru_cache

_AM_OR_PM = r"aa|a\. ?a\."  # AM, or a. m. as in Spanish
_TIME = (
    r"(?:(?:a| {1,2}|, ?| a )(?P<H>0{1,2})"
    r"(?::(?P<M>00)(?::(?P<S>00)(?:[.,:](?P<F>0{1,9}))?)?)?"
    rf"(?: ?(?P<AP>{_AM_OR_PM})(?!a))?(?: ?(?P<zone>a{{1,3}}|[+-]00:?00|[+-]00))?)?"
)
_COMPACT_TIME = r"(?:[a ]?(?P<H>00)(?P<M>00)(?P<S>00)?(?P<zone>a)?)"
_WEEKDAY = r"(?:(?P<weekday>a{2,10})[,.]{0,2} )?"
_YEAR = r"(?P<y>0000|00)"

# Tried in this order; the first that fits the whole shape is taken.
_PATTERNS: tuple[tuple[str, str], ...] = (
    ("day", _WEEKDAY + r"(?P<y>0000)(?P<sep>[-/. ])(?P<m>0{1,2})(?P=sep)(?P<d>0{1,2})" + _TIME),
    (
        "triple",
        _WEEKDAY + r"(?P<a>0{1,2})(?P<sep>[-/. ]) ?(?P<b>0{1,2})(?P=sep) ?(?P<c>0000|00)" + _TIME,
    ),
    ("day", r"(?P<y>0000)(?P<m>00)(?P<d>00)" + _TIME),
    ("day", r"(?P<y>0000)(?P<m>00)(?P<d>00)" + _COMPACT_TIME),
    ("month", r"(?P<y>0000)[-/ ](?P<m>0{1,2})"),
    ("month", r"(?P<m>0{1,2})[-/ ](?P<y>0000)"),
    ("letter", r"(?P<y>0000)[- ]?(?P<letter>a)(?P<n>0{1,2})"),
    ("letter", r"(?P<letter>a)(?P<n>0)[-/ ]?(?P<y>0000|00)"),
    ("letter", r"(?P<n>0)(?P<letter>a)[-/ ]?(?P<y>0000|00)"),
    ("week", r"(?P<y>0000)-?(?P<letter>a)(?P<n>00)-?(?P<wd>0)"),
    (
        "day",
        _WEEKDAY + r"(?P<mon>a{3,9})\.?[ -](?P<d>0{1,2})(?P<ordinal>aa)?,?[ -](?P<y>0000)" + _TIME,
    ),
    ("day", r"(?P<mon>a{3,9})[ -](?P<d>0{1,2})[, -] ?(?P<y>00)"),
    (
        "day",
        _WEEKDAY
        + r"(?P<d>0{1,2})(?:(?P<ordinal>aa)|\.)?[- /]?(?P<mon>a{3,9})\.?,?[- /]?"
        + _YEAR
        + _TIME,
    ),
    ("day", r"(?P<y>0000)[- /]?(?P<mon>a{3,9})[- /](?P<d>0{1,2})" + _TIME),
    ("month", r"(?P<mon>a{3,9})\.?,?[- /]?'?(?P<y>0000|00)"),
    ("month", r"(?P<y>0000)[- /]?(?P<mon>a{3,9})"),
    ("year", r"(?P<y>0000)"),
    ("serial", r"(?P<serial>0{5}(?:\.0+)?)"),
    ("unix", r"(?P<unix>0{10}(?:\.0+)?|0{13}|0{16}|0{19})"),
)
_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _PATTERNS)
_CLOCK = re.compile(
    r"(?P<H>0{1,2})(?P<sep>:|\.(?=00\.00))(?P<M>00)(?:(?P=sep)(?P<S>00)(?:[.,](?P<F>0{1,9}))?)?"
    rf"(?: ?(?P<AP>{_AM_OR_PM}))?"
)

_MONTH_NAMES = {
    1: "jan january januar janvier janv ene enero gen gennaio janeiro januari",
    2: "feb february februar fevrier fevr febrero febbraio fev fevereiro februari",
    3: "mar march marz mrz mars marzo marco maart mrt",
    4: "apr april avril avr abr abril aprile",
    5: "may mai mayo mag maggio maio mei",
    6: "jun june juni juin junio giu giugno junho",
    7: "jul july juli juillet juil julio lug luglio julho",
    8: "aug august aout ago agosto augustus",
    9: "sep sept september septembre septiembre set settembre setembro",
    10: "oct october okt oktober octobre octubre ott ottobre out outubro",
    11: "nov november novembre noviembre novembro",
    12: "dec december dez dezember decembre dic diciembre dicembre dezembro",
}
MONTH_NUMBERS = {name: month for month, names in _MONTH_NAMES.items() for name in names.split()}
WEEKDAYS = frozenset(
    name
    for full in (
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        *("montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonntag"),
    )
    for name in (full, full[:3], full[:2], full[:4])
) | frozenset(("thurs",))
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
}
UTC_NAMES = frozenset(("z", "utc", "gmt"))
ORDINALS = frozenset(("st", "nd", "rd", "th"))


@dataclass(frozen=True, kw_only=True)
class DatePattern:
    """Where in a cell of a shape the parts of a date stand."""

    kind: str  # day, triple, month, letter, week, year, serial, unix, clock
    spans: dict[str, tuple[int, int]]  # part → (start, stop)
    label: str  # as a person writes it: yyyy-mm-dd

    def has(self, part: str) -> bool:
        """Whether the cells have this part."""
        return part in self.spans


@lru_cache(maxsize=4096)
def date_pattern(shape: str) -> DatePattern | None:
    """How cells of this shape are read as dates or times; None: they are none."""
    for kind, pattern in _COMPILED:
        match = pattern.fullmatch(shape)
        if match:
            return _described(kind, shape, match)
    return None


@lru_cache(maxsize=256)
def clock_pattern(shape: str) -> DatePattern | None:
    """How cells of this shape are read as times of day; None: they are none."""
    match = _CLOCK.fullmatch(shape)
    return _described("clock", shape, match) if match else None


def _described(kind: str, shape: str, match: re.Match[str]) -> DatePattern:
    spans = {
        name: match.span(name)
        for name, text in match.groupdict().items()
        if text is not None and name != "sep"
    }
    label = shape
    for name, (start, stop) in sorted(spans.items(), key=lambda item: -item[1][0]):
        word = _WORDS.get(name, name)
        if name in {"y", "c"}:
            word = name * (stop - start)
        before = label[:start]
        if name == "H" and before.endswith("a"):
            before = before[:-1] + "T"
        label = before + word + label[stop:]
    return DatePattern(kind=kind, spans=spans, label=label.replace("yyyymd", "yyyymmdd"))
