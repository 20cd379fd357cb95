"""Inputs that are computed from the time of a row alone: weekday, holiday or end of the month.

They are known for every time, so a request gives its timestamps and nothing else. NumPy only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from app.reading.arrays import Floats, Ints, Times
from app.reading.content import SeriesContent
from app.reading.series.calendar import BUSINESS_DAYS, WEEK_DAYS, WEEKDAYS
from app.reading.series.frequency import MONTHS, is_within_day, month_lengths, split_frequency

# How an input becomes columns of numbers. Of several forms of one name the best is used.
Form = Literal[
    "hours",
    "weekdays",
    "ends of months",
    "days of the month",
    "waves of a year",
    "months",
    "holidays",
    "holidays in the week before",
    "holidays in the week after",
    "working days",
]
Values = npt.NDArray[np.bool_] | npt.NDArray[np.integer[Any]] | Floats
PREFIX = "calendar."  # of the inputs' names, as a file may have a column `weekday`
NAMES: Mapping[Form, str] = {
    "hours": "hour",
    "weekdays": "weekday",
    "ends of months": "month day",
    "days of the month": "month day",
    "waves of a year": "time of year",
    "months": "time of year",
    "holidays": "holiday",
    "holidays in the week before": "holiday",
    "holidays in the week after": "holiday",
    "working days": "working days",
}
OF_HOLIDAYS = frozenset[Form](
    {"holidays", "holidays in the week before", "holidays in the week after"}
)
# Of a yearly wave, so many multiples: a season that is warm for four months needs two.
WAVES = 2
DAYS_IN_A_YEAR = 365.2425
HOURS = 24
LONGEST_MONTH = 31
MONTHS_IN_A_YEAR = 12


@dataclass(frozen=True, kw_only=True)
class CalendarColumns:
    """One calendar input, and how its columns are computed."""

    form: Form
    frequency: str
    holidays: str = ""  # the market or country whose holidays `dates` are
    dates: tuple[int, ...] = ()  # holidays in days since 1970, ascending
    kept: tuple[str, ...] | None = None  # the columns that vary in the training rows; None: all

    @property
    def name(self) -> str:
        """Return the name that stands for the columns in a recipe and on a scorecard."""
        return PREFIX + NAMES[self.form]

    @property
    def told(self) -> str:
        """Return what the columns hold, in words."""
        return f"{self.form} of {self.holidays}" if self.holidays else self.form

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        every = tuple(self._by_name(np.zeros(1, dtype="datetime64[us]")))
        return every if self.kept is None else self.kept

    def values(self, times: Times) -> Floats:
        """Return the columns for civil times (rows,), (rows, columns)."""
        by_name = self._by_name(times)
        every = [by_name[name] for name in self.columns]
        return np.stack(every, axis=1).astype(np.float64) if every else np.zeros((len(times), 0))

    def _by_name(self, times: Times) -> dict[str, Values]:
        found = _COLUMNS[self.form](times, self)
        return {f"{self.name}{suffix}": each for suffix, each in found.items()}


def with_calendar_columns(
    content: SeriesContent, inputs: Sequence[CalendarColumns]
) -> SeriesContent:
    """Return content, which has times, with the columns of some inputs after its own."""
    if not inputs or content.times is None:
        return content
    own = len(content.columns)
    parts = [each.values(content.times) for each in inputs]
    return replace(
        content,
        columns=(*content.columns, *(name for each in inputs for name in each.columns)),
        values=np.concatenate((content.values[:, :own], *parts, content.values[:, own:]), axis=1),
    )


def calendar_forms(frequency: str | None) -> tuple[Form, ...]:
    """Return the forms that say something about rows of a frequency."""
    if frequency is None:
        return ()
    count, unit = split_frequency(frequency)
    if is_within_day(frequency):
        return ("hours", *_DAILY)
    if count > 1:
        return ()
    if unit in {"D", "B", "C"}:
        return _DAILY
    if unit == "W":
        weekly: tuple[Form, ...] = ("holidays in the week before", "holidays in the week after")
        return ("waves of a year", "months", *weekly)
    return ("working days",) if unit in {"MS", "ME", "QS", "QE"} else ()


_DAILY: tuple[Form, ...] = (
    "weekdays",
    "ends of months",
    "days of the month",
    "waves of a year",
    "months",
    "holidays",
)


def _days(times: Times) -> Ints:
    """Return the days since 1970."""
    days: Ints = times.astype("datetime64[D]").astype(np.int64)
    return days


def _weekday(days: Ints) -> Ints:
    """Return the weekdays, Monday being 0."""
    weekdays: Ints = (days + 3) % WEEK_DAYS
    return weekdays


def _hours(times: Times, own: CalendarColumns) -> dict[str, Values]:
    del own
    hours = times.astype("datetime64[h]").astype(np.int64) % HOURS
    return {f"={hour}": hours == hour for hour in range(1, HOURS)}


def _weekdays(times: Times, own: CalendarColumns) -> dict[str, Values]:
    del own
    weekdays = _weekday(_days(times))
    return {f"={WEEKDAYS[day]}": weekdays == day for day in range(1, WEEK_DAYS)}


def _month_day(times: Times) -> tuple[Ints, Ints]:
    """Return the days of the month, from 1 on, and the lengths of the months."""
    months = times.astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    days: Ints = _days(times) - first + 1
    return days, month_lengths(months)


def _month_ends(times: Times, own: CalendarColumns) -> dict[str, Values]:
    """Mark the first and the last day of each month; of business days, those from Mon to Fri."""
    day, length = _month_day(times)
    first, last = day == 1, day == length
    if split_frequency(own.frequency)[1] in {"B", "C"}:
        weekday = _weekday(_days(times))
        first |= (weekday == 0) & (day <= WEEK_DAYS - len(BUSINESS_DAYS) + 1)
        friday = weekday == BUSINESS_DAYS[-1]
        last |= friday & (length - day <= WEEK_DAYS - len(BUSINESS_DAYS))
    return {"=first": first, "=last": last}


def _month_days(times: Times, own: CalendarColumns) -> dict[str, Values]:
    del own
    days, _ = _month_day(times)
    return {f"={day}": days == day for day in range(2, LONGEST_MONTH + 1)}


def _waves(times: Times, own: CalendarColumns) -> dict[str, Values]:
    del own
    angle = 2 * np.pi * _days(times) / DAYS_IN_A_YEAR
    found = {}
    for number in range(1, WAVES + 1):
        found[f"=sin{number}"] = np.sin(number * angle)
        found[f"=cos{number}"] = np.cos(number * angle)
    return found


def _months(times: Times, own: CalendarColumns) -> dict[str, Values]:
    del own
    months = times.astype("datetime64[M]").astype(np.int64) % MONTHS_IN_A_YEAR + 1
    return {f"=month {month}": months == month for month in range(2, MONTHS_IN_A_YEAR + 1)}


def _holidays(times: Times, own: CalendarColumns) -> dict[str, Values]:
    days, dates = _days(times), np.array(own.dates, dtype=np.int64)
    found = {"": 0, "=day before": -1, "=day after": 1}
    return {suffix: np.isin(days, dates + shift) for suffix, shift in found.items()}


def _holidays_in_week(times: Times, own: CalendarColumns) -> dict[str, Values]:
    """Count the holidays on business days of the week that ends, or starts, at each time."""
    days, dates = _days(times), np.array(own.dates, dtype=np.int64)
    dates = dates[np.isin(_weekday(dates), BUSINESS_DAYS)]
    first = days - (WEEK_DAYS - 1) if own.form == "holidays in the week before" else days
    count = np.searchsorted(dates, first + WEEK_DAYS) - np.searchsorted(dates, first)
    return {" in the week": count}


def _working_days(times: Times, own: CalendarColumns) -> dict[str, Values]:
    """Count the business days, Saturdays and Sundays of each month or quarter."""
    months = times.astype("datetime64[M]")
    size = MONTHS[split_frequency(own.frequency)[1]]
    # A quarter may be dated by its first or its last month.
    start = months - (size - 1) if own.frequency.endswith("E") else months
    first = start.astype("datetime64[D]")
    end = (start + size).astype("datetime64[D]")
    dates = np.array(own.dates, dtype="datetime64[D]")
    return {
        "=Mon-Fri": np.busday_count(first, end, holidays=dates),
        "=Sat": np.busday_count(first, end, weekmask="Sat"),
        "=Sun": np.busday_count(first, end, weekmask="Sun"),
    }


_COLUMNS = {
    "hours": _hours,
    "weekdays": _weekdays,
    "ends of months": _month_ends,
    "days of the month": _month_days,
    "waves of a year": _waves,
    "months": _months,
    "holidays": _holidays,
    "holidays in the week before": _holidays_in_week,
    "holidays in the week after": _holidays_in_week,
    "working days": _working_days,
}
