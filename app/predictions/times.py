"""Read the times of a history, and continue them in the same form."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from app.errors import Unprocessable
from app.reading.content import TimeForm, times_iso
from app.reading.series.calendar import WEEK_DAYS, parse_calendar
from app.reading.series.frequency import next_times, split_frequency

ISO_TIME = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?P<clock>[T ]\d\d:\d\d(:\d\d([.,]\d{1,6})?)?(?P<zone>Z|[+-]\d\d:?\d\d)?)?"
)
DAY_SECONDS = 86_400.0
# Shortest and longest step of a unit, in seconds, so that weekends and daylight saving fit.
STEP_SECONDS = {
    "ms": (0.001, 0.001),
    "s": (1.0, 1.0),
    "min": (60.0, 60.0),
    "h": (3600.0, 3600.0),
    "D": (DAY_SECONDS, DAY_SECONDS),
    "B": (DAY_SECONDS, DAY_SECONDS),
    "C": (DAY_SECONDS, 3 * DAY_SECONDS),
    "W": (7 * DAY_SECONDS, 7 * DAY_SECONDS),
    "SMS": (13 * DAY_SECONDS, 17 * DAY_SECONDS),
    "SME": (13 * DAY_SECONDS, 17 * DAY_SECONDS),
    "MS": (28 * DAY_SECONDS, 31 * DAY_SECONDS),
    "ME": (28 * DAY_SECONDS, 31 * DAY_SECONDS),
    "QS": (89 * DAY_SECONDS, 92 * DAY_SECONDS),
    "QE": (89 * DAY_SECONDS, 92 * DAY_SECONDS),
    "YS": (365 * DAY_SECONDS, 366 * DAY_SECONDS),
    "YE": (365 * DAY_SECONDS, 366 * DAY_SECONDS),
}
# Number of steps that are examined to find how far apart the times are.
OBSERVED_STEPS = 60
SATURDAY = 5
MOST_EXCEPTIONS = 0.05  # share of weekend days in a history of business days
EPOCH = date(1970, 1, 1).toordinal()
END_OF_CALENDAR = np.datetime64("10000-01-01", "us")  # ISO 8601 writes years in four digits


@dataclass(frozen=True, kw_only=True)
class Stamps:
    """The times of a history, oldest first."""

    moments: list[datetime]  # naive unless the form is zoned
    form: TimeForm
    says_z: bool  # whether the last one has the zone Z

    def fits(self, frequency: str) -> bool:
        """Return whether the times are about as far apart as this frequency requires."""
        newest = self.moments[-OBSERVED_STEPS:]
        if len(newest) < 2:  # one time has no distance
            return True
        seconds = [
            (later - earlier).total_seconds() for earlier, later in itertools.pairwise(newest)
        ]
        # The lower one of two: half of the steps in a short history may be weekends and holidays.
        median = sorted(seconds)[(len(seconds) - 1) // 2]
        count, unit = split_frequency(frequency)
        shortest, longest = STEP_SECONDS[unit]
        if not count * shortest * 0.99 <= median <= count * longest * 1.01:
            return False
        weekend = sum(moment.weekday() >= SATURDAY for moment in newest)
        return unit != "B" or weekend <= MOST_EXCEPTIONS * len(newest)

    def past_known_dates(self, frequency: str, steps: int, calendar: str) -> str | None:
        """Return the last closed date that the calendar lists if the steps lead past it."""
        closed = parse_calendar(calendar).closed
        if not closed:
            return None
        last = self.moments[-1]
        if last.toordinal() - EPOCH + WEEK_DAYS * (steps + 2) < closed[-1]:
            return None  # the usual case, which need not look at each step
        times = next_times(
            np.datetime64(last.replace(tzinfo=None), "us"), frequency, steps, calendar
        )
        end = np.datetime64(closed[-1], "D")
        return str(end) if times[-1].astype("datetime64[D]") > end else None

    def continued(self, frequency: str, steps: int, calendar: str | None = None) -> list[str]:
        """Return the ISO times of the following steps in the form of the last; none past 9999."""
        last = self.moments[-1]
        offset = last.utcoffset()
        civil = np.datetime64(last.replace(tzinfo=None), "us")
        times = next_times(civil, frequency, steps, calendar)
        times = times[times < END_OF_CALENDAR]
        offsets = None
        if offset is not None:
            minutes = int(offset.total_seconds()) // 60
            offsets = np.full(len(times), minutes, dtype=np.int16)
        texts = times_iso(times, self.form, offsets)
        return [text.replace("+00:00", "Z") for text in texts] if self.says_z else texts


def read_timestamps(texts: Sequence[str], *, rows: int) -> Stamps:
    """Parse the times of a history.

    Args:
        texts: ISO 8601, one per row: a date, a local time or a time with a zone.
        rows: number of values in the history.

    Raises:
        Unprocessable: there is not one per row, or they are unreadable, in different forms, or not
            in order.
    """
    if len(texts) != rows:
        raise Unprocessable.at(
            "timestamps", f"there are {len(texts)} for {rows} values of history; one each is needed"
        )
    moments: list[datetime] = []
    form: TimeForm | None = None
    for row, text in enumerate(texts):
        moment, its_form = _moment(text, row)
        if form is not None and its_form != form:
            raise Unprocessable.at(
                f"timestamps.{row}",
                f"{text!r} is a {_FORM_NAMES[its_form]}, the ones before are "
                f"{_FORM_NAMES[form]}s; a series has one form",
            )
        if moments and moment <= moments[-1]:
            raise Unprocessable.at(
                f"timestamps.{row}",
                f"{text!r} is not later than {texts[row - 1]!r} before it; "
                "a history is given oldest first, one value per time",
            )
        moments.append(moment)
        form = its_form
    if form is None:
        raise Unprocessable.at("timestamps", "must have at least 1 entries; it has 0")
    return Stamps(moments=moments, form=form, says_z=texts[-1].endswith("Z"))


_FORM_NAMES: dict[TimeForm, str] = {
    "date": "date",
    "local": "time without a zone",
    "zoned": "time with a zone",
}


def _moment(text: str, row: int) -> tuple[datetime, TimeForm]:
    shape = ISO_TIME.fullmatch(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        shape = None  # a 31st of February
    if shape is None:
        raise Unprocessable.at(
            f"timestamps.{row}",
            f"{text!r} is no ISO time, as in 2017-01-03, 2017-01-03T09:30:00 or "
            "2017-01-03T09:30:00+01:00",
        )
    if shape["clock"] is None:
        return moment, "date"
    return moment, "zoned" if shape["zone"] else "local"
