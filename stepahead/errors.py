"""The errors of the client.

StepaheadError
├── NotReachable      nothing answers at the address
├── Refused           the service answered with a problem
├── ForecastFailed    some of many series could not be forecast
└── JobFailed         a training failed or was cancelled
"""

from collections.abc import Mapping
from typing import Any

NAMED_SERIES = 3  # in a message


class StepaheadError(Exception):
    """Base class of the client's errors."""


class NotReachable(StepaheadError):
    """Nothing answers at the address, or the connection broke."""


class Refused(StepaheadError):
    """The service answered with a problem (RFC 9457).

    Args:
        status: the HTTP status.
        problem: the decoded `application/problem+json`: `title`, `detail`, `errors` and so on.
        request_id: the id of the request in the service's log.
    """

    def __init__(
        self, status: int, problem: Mapping[str, Any], *, request_id: str | None = None
    ) -> None:
        super().__init__(f"{problem.get('title', 'refused')} ({status}): {detail_of(problem)}")
        self.status = status
        self.problem = problem
        self.request_id = request_id


class ForecastFailed(StepaheadError):
    """Some of many series could not be forecast.

    Args:
        problems: the problem of each of them, by its `unique_id`.
        forecasts: a frame with the forecasts of the others.
    """

    def __init__(self, problems: Mapping[object, Mapping[str, Any]], forecasts: object) -> None:
        named = "; ".join(
            f"{name!r}: {detail_of(problem)}"
            for name, problem in list(problems.items())[:NAMED_SERIES]
        )
        more = len(problems) - NAMED_SERIES
        rest = f"; and {more} more (see .problems)" if more > 0 else ""
        super().__init__(
            f"{len(problems)} series could not be forecast: {named}{rest}. The others are in "
            ".forecasts"
        )
        self.problems = problems
        self.forecasts = forecasts


class JobFailed(StepaheadError):
    """A training failed or was cancelled.

    Args:
        job: as the service shows it, with the problem in `error`.
    """

    def __init__(self, job: Mapping[str, Any]) -> None:
        problem = job.get("error") or {}
        super().__init__(f"job {job['id']} {job['status']}. {detail_of(problem)}".strip())
        self.job = job
        self.problem = problem


class ForecastWarning(UserWarning):
    """Something weakens a forecast."""


def detail_of(problem: Mapping[str, Any]) -> str:
    """Return a problem's sentence."""
    return str(problem.get("detail") or "")
