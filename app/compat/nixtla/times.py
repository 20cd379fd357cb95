"""The times of a series given by its first time and a frequency of pandas."""

import re
from datetime import datetime

import numpy as np

from app.errors import InvalidRequest
from app.reading.series.frequency import is_within_day, next_times

ALIAS = re.compile(r"(?P<count>\d*)(?P<unit>[A-Za-z]+)(-[A-Z]{3})?")
LONGEST_DATE = len("2026-01-31")
SAME = ("s", "min", "h", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE")
OLDER = {"S": "s", "T": "min", "H": "h", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE", "AS": "YS"}
UNITS = OLDER | {unit: unit for unit in SAME}


def frequency_of(alias: str) -> str | None:
    """Return a frequency of pandas as this service has it, or None if it has none for it.

    The day on which a week or a year begins does not matter, because the first time tells it.
    """
    found = ALIAS.fullmatch(alias)
    unit = UNITS.get(found["unit"]) if found else None
    return None if found is None or unit is None else f"{found['count'].lstrip('0')}{unit}"


def timestamps(start: str, frequency: str, count: int) -> list[str]:
    """Return the ISO times of `count` rows: dates if the first is a date and the steps are days.

    Raises:
        InvalidRequest: the first is not an ISO time, or the last is after the year 9999.
    """
    try:
        first = datetime.fromisoformat(start)
        later = next_times(np.datetime64(first.replace(tzinfo=None), "us"), frequency, count - 1)
        times: list[datetime] = [
            first,
            *(each.replace(tzinfo=first.tzinfo) for each in later.tolist()),
        ]
    except (ValueError, OverflowError, AttributeError) as error:
        raise InvalidRequest(
            f"start_datetime: {count} steps of {frequency} from {start[:100]!r} are not times in "
            f"ISO form up to the year 9999: {error}"
        ) from error
    if len(start) <= LONGEST_DATE and not is_within_day(frequency):
        return [time.date().isoformat() for time in times]
    return [time.isoformat() for time in times]
