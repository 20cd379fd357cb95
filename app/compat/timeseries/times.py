"""The times of a series given by its first time and its frequency."""

import calendar
from datetime import MAXYEAR, datetime, timedelta

from app.errors import InvalidRequest

STEPS: dict[str, timedelta] = {
    "S": timedelta(seconds=1),
    "T": timedelta(minutes=1),
    "H": timedelta(hours=1),
    "D": timedelta(days=1),
    "W": timedelta(weeks=1),
}
MONTHS = {"M": 1, "Q": 3, "Y": 12}
CLOCK = frozenset("STH")  # steps shorter than a day
LONGEST_DATE = len("2026-01-31")


def timestamps(start: str, letter: str, count: int) -> list[str]:
    """Return the ISO times of `count` rows: dates if the first is a date and the steps are days.

    Raises:
        InvalidRequest: the first is not an ISO time, or the last is after the year 9999.
    """
    try:
        first = datetime.fromisoformat(start)
        times = [_later(first, letter, step) for step in range(count)]
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"start_timestamp: {count} steps of {letter} from {start[:100]!r} are not times in ISO "
            f"form up to the year 9999: {error}"
        ) from error
    if len(start) <= LONGEST_DATE and letter not in CLOCK:
        return [time.date().isoformat() for time in times]
    written = [time.isoformat() for time in times]
    return [text.replace("+00:00", "Z") for text in written] if start.endswith("Z") else written


def _later(first: datetime, letter: str, steps: int) -> datetime:
    """Return the time some steps later; in a month that is too short, its last day."""
    if letter in STEPS:
        return first + steps * STEPS[letter]
    years, month = divmod(first.month - 1 + steps * MONTHS[letter], 12)
    year = first.year + years
    if year > MAXYEAR:
        raise OverflowError("the last is later")
    day = min(first.day, calendar.monthrange(year, month + 1)[1])
    return first.replace(year=year, month=month + 1, day=day)
