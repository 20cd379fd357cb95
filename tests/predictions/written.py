"""The log's callbacks for those who have a coroutine."""

import asyncio
from collections.abc import Sequence

from app.predictions.log import Group, PredictionLog, Refused
from app.predictions.logged.rows import Entry, rows_of


async def written(log: PredictionLog, entries: Sequence[Entry]) -> None:
    """Return once these are committed, together.

    Raises:
        Exception: what the log says about the first row that is not committed.
    """
    refused = await refused_of(log, entries)
    if refused:
        raise refused[min(refused)]


async def refused_of(log: PredictionLog, entries: Sequence[Entry]) -> Refused:
    """Return which of them the log refuses, and why, once the others are committed."""
    ended: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()
    log.write([Group(rows_of(entries), ended.set_result)])
    return await ended
