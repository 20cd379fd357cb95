"""One spelling for each moment of a series, so that actuals and forecasts match.

The times of a series are civil. A date means its midnight, a local time means itself, and only a
time with a zone is an instant, written in UTC. A date never matches a zoned time.
"""

from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from app.errors import Unprocessable
from app.predictions.times import ISO_TIME

UTC_MARK = "Z"
SECOND_LENGTH = len("2017-01-03T09:30:00")  # of a moment up to its second


# Sliding histories repeat nearly all their times from request to request.
@lru_cache(maxsize=100_000)
def moment_of(timestamp: str) -> str:
    """Return the canonical spelling of an ISO time.

    Within one form, the order of texts is the order of times, apart from the mark of UTC: `00Z`
    sorts after `00.500000Z`.

    Raises:
        ValueError: it is not an ISO time, or in UTC it is before year 1 or after 9999.
    """
    if not ISO_TIME.fullmatch(timestamp):
        raise ValueError(f"{timestamp[:100]!r} is not an ISO time")
    given = datetime.fromisoformat(timestamp)
    if given.tzinfo is None:
        return given.isoformat()
    try:
        return given.astimezone(UTC).replace(tzinfo=None).isoformat() + UTC_MARK
    except OverflowError as error:
        raise ValueError(f"the offset of {timestamp!r} leads out of the calendar") from error


def checked_moment(timestamp: str, field: str) -> str:
    """Return the canonical spelling of a time in a request.

    Raises:
        Unprocessable: it is not an ISO time; the error names the field.
    """
    try:
        return moment_of(timestamp)
    except ValueError as error:
        raise Unprocessable.at(
            field,
            f"{timestamp[:100]!r} is not an ISO time, for example 2017-01-03, 2017-01-03T09:30:00 "
            "or 2017-01-03T09:30:00+01:00",
        ) from error


def moment_of_step(prediction: UUID, step: int) -> str:
    """Return the moment of a forecast whose time is not known."""
    return f"{prediction}/{step}"


def moment_of_forecast(prediction: UUID, step: int, timestamp: str | None) -> str:
    """Return the moment that a logged forecast shares with its actual.

    Args:
        prediction: id of the logged answer.
        step: of the horizon.
        timestamp: as it was answered.
    """
    return moment_of_step(prediction, step) if timestamp is None else moment_of(timestamp)


def step_of(moment: str) -> int:
    """Return the step of the forecast that `moment_of_step` was called with."""
    return int(moment.rpartition("/")[2])
