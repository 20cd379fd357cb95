"""Cron expressions: five fields, in UTC."""

from datetime import datetime

from croniter import croniter
from croniter.croniter import CroniterError

from app.errors import Unprocessable

FIELDS = 5


def next_time(expression: str, after: datetime) -> datetime:
    """Return when an expression is due next.

    Args:
        expression: accepted by `checked`.
        after: in UTC; the answer is later.
    """
    found: datetime = croniter(expression, after).get_next(datetime)
    return found


def checked(expression: str, now: datetime) -> str:
    """Return the expression, if it is valid and is ever due.

    Raises:
        Unprocessable: it is not; the error names the field `cron`.
    """
    example = "write five fields, for example 0 3 * * 1 for Mondays at 3:00 UTC"
    fields = expression.split()
    # croniter accepts more: seconds, years, random and hashed times.
    has_more = any(letter in expression.lower() for letter in "@#") or any(
        field.lower()[:1] in {"h", "r"} for field in fields
    )
    if len(fields) != FIELDS or has_more:
        raise Unprocessable.at("cron", f"{expression!r} is not a cron expression: {example}")
    try:
        next_time(expression, now)
    except (CroniterError, ValueError, KeyError) as error:
        raise Unprocessable.at("cron", f"{expression!r}: {error}; {example}") from error
    return " ".join(fields)
