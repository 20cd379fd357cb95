"""Limit a key's requests and predictions per minute, counted in the process.

They are not counted in PostgreSQL because a statement per request would take longer than a
prediction. Each process allows its share: the limit divided by the processes of its machine. So one
machine keeps to the limit, and two machines together allow twice as much. Uploaded bytes per day
and queued jobs are rare, and are counted exactly in the database (app.access.quotas).
"""

import math
import time
from collections.abc import Mapping
from typing import Annotated

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from pydantic import BaseModel, ConfigDict, Field

from app.errors import TooManyRequests

REQUESTS = "requests"
PREDICTIONS = "predictions"
WINDOW_SECONDS = 60

_limiter = FixedWindowRateLimiter(MemoryStorage())


class Limits(BaseModel):
    """Limits of a key; one that is left out does not apply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: Annotated[int | None, Field(ge=1, description="calls of any kind")] = None
    predictions_per_minute: Annotated[
        int | None, Field(ge=1, description="predictions; each item of a batch is one")
    ] = None
    upload_bytes_per_day: Annotated[int | None, Field(ge=1, description="a day in UTC")] = None
    queued_jobs: Annotated[
        int | None, Field(ge=1, description="trainings queued or running at the same time")
    ] = None


class KeyAllowance:
    """Counts what a key uses in this process.

    Args:
        key: its id; two objects with the same id share their counts.
        limits: of the key.
        processes: number of api processes on this machine, which share each limit.
    """

    def __init__(self, key: str, limits: Limits, *, processes: int) -> None:
        self._key = key
        self._items = {
            what: RateLimitItemPerMinute(math.ceil(amount / processes))
            for what, amount in (
                (REQUESTS, limits.requests_per_minute),
                (PREDICTIONS, limits.predictions_per_minute),
            )
            if amount is not None
        }

    def take(self, what: str, amount: int) -> None:
        """Count a use.

        Args:
            what: `REQUESTS` or `PREDICTIONS`.
            amount: number of them.

        Raises:
            TooManyRequests: it would exceed the limit; nothing was counted.
        """
        item = self._items.get(what)
        if item is None:
            return
        if _limiter.test(item, self._key, what, cost=amount):
            _limiter.hit(item, self._key, what, cost=amount)
            return
        reset = _limiter.get_window_stats(item, self._key, what).reset_time
        raise TooManyRequests(
            f"this key is limited to {item.amount:,} {what} per minute in each api process",
            retry_after_seconds=max(1, math.ceil(reset - time.time())),
            extra={"limit": item.amount, "what": what},
        )

    def headers(self) -> Mapping[str, str]:
        """Return the headers `RateLimit` and `RateLimit-Policy` as in the IETF's draft."""
        if not self._items:
            return {}
        policies, states = [], []
        for what, item in self._items.items():
            reset, remaining = _limiter.get_window_stats(item, self._key, what)
            seconds = max(0, math.ceil(reset - time.time()))
            policies.append(f'"{what}";q={item.amount};w={WINDOW_SECONDS}')
            states.append(f'"{what}";r={remaining};t={seconds}')
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}
