"""One spelling for a moment of a series, so that actuals and forecasts meet under it.

A series' times are civil: a date is its midnight, a local time stands for itself, and only a time
with a zone is an instant, written in UTC. A date and a zoned time never meet.
"""

from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from app.errors import Unprocessable
from app.predictions.times import ISO_TIME

UTC_MARK = "Z"
SECOND_LENGTH = len("2017-01-03T09:30:00")  # a moment up to its second


# Histories that slide repeat nearly all their times from one request to the next.
@lru_cache(maxsize=100_000)
def moment_of(timestamp: str) -> str:
    """Return the canonical spelling of an ISO time.

    Within one form order of text is order of time, the mark of UTC left out: `00Z` comes behind
    `00.500000Z`.

    Raises:
        ValueError: it is no ISO time, or in UTC it is before the year 1 or after 9999.
    """
    if not ISO_TIME.fullmatch(timestamp):
        raise ValueError(f"{timestamp[:100]!r} is no ISO time")
    given = datetime.fromisoformat(timestamp)
    if given.tzinfo is None:
        return given.isoformat()
    try:
        return given.astimezone(UTC).replace(tzinfo=None).isoformat() + UTC_MARK
    except OverflowError as error:
        raise ValueError(f"the offset of {timestamp!r} leads out of the calendar") from error


def checked_moment(timestamp: str, field: str) -> str:
    """Return the same for a field of a request.

    Raises:
        Unprocessable: it is no ISO time; names the field.
    """
    try:
        return moment_of(timestamp)
    except ValueError as error:
        raise Unprocessable.at(
            field,
            f"{timestamp[:100]!r} is no ISO time, as in 2017-01-03, 2017-01-03T09:30:00 or "
            "2017-01-03T09:30:00+01:00",
        ) from error


def moment_of_step(prediction: UUID, step: int) -> str:
    """Return what stands for the moment of a forecast that nobody knows the time of."""
    return f"{prediction}/{step}"


def moment_of_forecast(prediction: UUID, step: int, timestamp: str | None) -> str:
    """Under which a logged forecast meets its actual; `timestamp` as it was answered."""
    return moment_of_step(prediction, step) if timestamp is None else moment_of(timestamp)


def step_of(moment: str) -> int:
    """Return the step of the forecast that such a moment stands for."""
    return int(moment.rpartition("/")[2])
