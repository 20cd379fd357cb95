"""Closed days of markets (XNYS, or NYSE) and countries (DE, or DE-BY for one of its parts).

They come from the package `holidays`. To keep the start of the service fast, it is imported only
where a calendar is looked for or named.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from app.reading.arrays import Ints, Times
from app.reading.content import SeriesContent
from app.reading.series.calendar import EXCEPT, WEEK_DAYS, Calendar, parse_calendar
from app.reading.series.closures import MOST_CLOSED, absent_days
from app.reading.series.frequency import is_within_day, split_frequency

YEARS_AHEAD = 10  # past the last row, for which closed days are listed
_COMPARED_YEARS = 6  # at the end of a file, in which all calendars are compared
_FEWEST = 3  # closed days that show a calendar
_EXPLAINED = 0.9  # share of the days without a row that are closed days of the calendar
_KEPT = 0.95  # share of the calendar's closed days that have no row
NAMES_HINT = (
    "In place of the dates a market or a country may be named: XNYS or NYSE, DE, or DE-BY for a "
    "part of it"
)
WEEKS = {"B": "Mon-Fri", "D": "Mon-Sun"}  # of frequencies that need no calendar
# Of calendars that fit equally well, the earlier in this list comes first.
LIKELY_COUNTRIES = (
    *("US", "GB", "DE", "FR", "IT", "ES", "NL", "PL", "CA", "AU", "JP", "CN", "IN", "BR", "NO"),
)
_FIRST = ("XNYS", "XLON", "XETR", "XJPX", "XTSE", "XHKG", "XSHG", *LIKELY_COUNTRIES)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How well the days without a row are the closed days of a calendar."""

    calendar: Calendar
    explained: int  # days without a row that are closed
    unexplained: int  # other days without a row
    contradicted: int  # closed days with a row

    @property
    def points(self) -> float:
        """The days that speak for the calendar, minus those against it."""
        return self.explained - self.unexplained - self.contradicted

    @property
    def is_good(self) -> bool:
        """Whether nearly all days without a row are its closed days, and the other way round."""
        return (
            self.explained >= _FEWEST
            and self.explained >= _EXPLAINED * (self.explained + self.unexplained)
            and self.explained >= _KEPT * (self.explained + self.contradicted)
        )


def canonical_calendar(text: str) -> str:
    """Check a calendar as users write it, and return it in one spelling.

    Beside the forms of `app.reading.series.calendar` they may name a market or a country in place
    of the dates: ``XNYS``, ``Mon-Fri except DE-BY``.

    Raises:
        ValueError: it is none of these.
    """
    weekly, name = _parts(text)
    if name is None:
        return str(parse_calendar(text))
    return name if weekly is None else weekly + EXCEPT + name


def dated_calendar(
    text: str, *, frequency: str | None, weekly: str | None, times: Times | None
) -> str:
    """Return a calendar as users write it with the dates of a name.

    Args:
        text: from `canonical_calendar`.
        frequency: of the rows.
        weekly: the calendar that was learned from them, if any; used where the text has none.
        times: civil times of the rows. Dates are listed from the first of their years until
            `YEARS_AHEAD` after the last.

    Raises:
        ValueError: rows of this frequency, or without times, have no closed days.
    """
    own, name = _parts(text)
    if name is None and EXCEPT not in text:
        return text
    if times is None or not len(times):
        raise ValueError("names closed days, and the rows have no times")
    unit = None if frequency is None else split_frequency(frequency)[1]
    if frequency is None or (unit not in {"B", "C", "D"} and not is_within_day(frequency)):
        raise ValueError(
            f"names closed days, and the step between rows is {frequency or 'irregular'}: they are "
            "for a row a day (D, B, C) and for sessions, such as trading hours"
        )
    if name is None:
        return text
    week = own or weekly or WEEKS.get(unit or "")
    if week is None:
        raise ValueError(
            f"names {name} without weekdays and hours, and none were found in the rows: write them "
            f"before it, as in Mon-Fri 09:30-16:00 except {name}"
        )
    return str(_dated(parse_calendar(week), name, *_years(times)))


def canonical_holidays(text: str) -> str:
    """Return the name of a market or a country in one spelling.

    Raises:
        ValueError: it is the name of none.
    """
    name = _known(text.strip())
    if name is None:
        raise ValueError(
            f"{text!r} is not a market or a country: write XNYS, DE, or DE-BY for a part of it"
        )
    return name


def holiday_dates(name: str, times: Times) -> tuple[int, ...]:
    """Return the holidays of a market or a country, in days since 1970, ascending.

    Args:
        name: from `canonical_holidays`.
        times: civil times of rows. Holidays are listed from the first of their years until
            `YEARS_AHEAD` after the last.
    """
    return _closed_days(name, *_years(times))


def with_calendar(content: SeriesContent, text: str) -> SeriesContent:
    """Return content with a calendar as users write it.

    Raises:
        ValueError: the text is no calendar, or the rows cannot have this one.
    """
    dated = dated_calendar(
        canonical_calendar(text),
        frequency=content.frequency,
        weekly=None if content.calendar is None else parse_calendar(content.calendar).weekly,
        times=content.times,
    )
    return replace(content, calendar=dated)


def fitting_calendars(times: Times, weekly: str) -> list[Fit]:
    """Return calendars by how well their closed days are the days without a row, the best first.

    Nothing is returned unless the best of them is good; countries are looked at only if no market
    is.

    Args:
        times: civil times of the rows, of all series.
        weekly: the weekdays and sessions that have rows.
    """
    week = replace(parse_calendar(weekly), closed=None, closed_by="")
    absent, weekdays = absent_days(times, week)
    if not _FEWEST <= len(absent) <= MOST_CLOSED * len(weekdays):
        return []
    first, last = _years(times)
    newest = last - YEARS_AHEAD
    since = max(first, newest - _COMPARED_YEARS)
    recent = absent[absent >= np.datetime64(f"{since}-01-01", "D").astype(np.int64)]
    for names in (_markets(), _countries()):
        likely = [
            name for name in names if _fit(week, name, recent, weekdays, (since, newest)).points > 0
        ]
        fits = [_fit(week, name, absent, weekdays, (first, last)) for name in likely]
        fits.sort(key=lambda fit: -fit.points)
        if fits and fits[0].is_good:
            return _distinct([fit for fit in fits if fit.points > 0])
    return []


def _distinct(fits: Sequence[Fit]) -> list[Fit]:
    """Return the first of those that have the same closed days."""
    seen: dict[tuple[int, ...], Fit] = {}
    for fit in fits:
        seen.setdefault(fit.calendar.closed or (), fit)
    return list(seen.values())


def _fit(week: Calendar, name: str, absent: Ints, weekdays: Ints, years: tuple[int, int]) -> Fit:
    """Compare the closed days of a calendar with the days without a row from its first year on."""
    calendar = _dated(week, name, *years)
    closed = np.array(calendar.closed or (), dtype=np.int64)
    closed = closed[np.isin(closed, weekdays, assume_unique=True)]
    explained = int(np.isin(closed, absent, assume_unique=True).sum())
    return Fit(
        calendar=calendar,
        explained=explained,
        unexplained=len(absent) - explained,
        contradicted=len(closed) - explained,
    )


def _years(times: Times) -> tuple[int, int]:
    """Return the first and the last year for which closed days are listed."""
    ends = np.array([times.min(), times.max()]).astype("datetime64[Y]").astype(np.int64) + 1970
    return int(ends[0]), int(ends[1]) + YEARS_AHEAD


def _dated(week: Calendar, name: str, first: int, last: int) -> Calendar:
    """Return a week with the closed days of a name that fall on its weekdays."""
    days = np.array(_closed_days(name, first, last), dtype=np.int64)
    kept = days[np.isin((days + 3) % WEEK_DAYS, week.weekdays)]  # Monday is 0
    return replace(week, closed=tuple(kept.tolist()), closed_by=name)


@lru_cache(maxsize=512)
def _closed_days(name: str, first: int, last: int) -> tuple[int, ...]:
    """Return the closed days of a market or a country in some years, in days since 1970."""
    import holidays  # noqa: PLC0415

    years = range(first, last + 1)
    with warnings.catch_warnings(action="ignore"):  # years that a calendar does not know
        if name in _markets():
            found = holidays.financial_holidays(name, years=years)
        else:
            country, _, part = name.partition("-")
            found = holidays.country_holidays(country, subdiv=part or None, years=years)
    dates = np.array(sorted(found), dtype="datetime64[D]")
    of_years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
    kept: Ints = dates[(of_years >= first) & (of_years <= last)].astype(np.int64)
    return tuple(kept.tolist())


def _parts(text: str) -> tuple[str | None, str | None]:
    """Return the weekdays, if there are any, and the name; no name: the text is a calendar itself.

    Raises:
        ValueError: it is neither.
    """
    try:
        return parse_calendar(text).weekly, None
    except ValueError as error:
        weekly, _, closed = text.rpartition(EXCEPT)
        name = _known(closed.strip())
        if name is None:
            raise ValueError(f"{error}. {NAMES_HINT}") from error
        return (parse_calendar(weekly).weekly if weekly else None), name


def _known(text: str) -> str | None:
    """Return the name of a market or country in the spelling of the lists; None if it is none."""
    import holidays  # noqa: PLC0415

    name = text.upper()
    if name in _markets() or name in _countries():
        return name
    aliases = holidays.list_supported_financial(include_aliases=True)
    if name in aliases:
        return str(type(holidays.financial_holidays(name)).market or name)
    country, _, part = name.partition("-")
    parts = holidays.list_supported_countries(include_aliases=False).get(country, [])
    return name if part in parts else None


def _ordered(names: Iterator[str]) -> tuple[str, ...]:
    rank = {name: place for place, name in enumerate(_FIRST)}
    return tuple(sorted(names, key=lambda name: (rank.get(name, len(rank)), name)))


@lru_cache(maxsize=1)
def _markets() -> tuple[str, ...]:
    import holidays  # noqa: PLC0415

    return _ordered(iter(holidays.list_supported_financial(include_aliases=False)))


@lru_cache(maxsize=1)
def _countries() -> tuple[str, ...]:
    import holidays  # noqa: PLC0415

    return _ordered(iter(holidays.list_supported_countries(include_aliases=False)))
