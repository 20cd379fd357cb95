"""Wait for the log's callbacks in coroutines."""

import asyncio
from collections.abc import Sequence

from app.predictions.log import Group, PredictionLog, Refused
from app.predictions.logged.rows import Entry, rows_of


async def written(log: PredictionLog, entries: Sequence[Entry]) -> None:
    """Return when these rows are committed, together.

    Raises:
        Exception: what the log says about the first row that is not committed.
    """
    refused = await refused_of(log, entries)
    if refused:
        raise refused[min(refused)]


async def refused_of(log: PredictionLog, entries: Sequence[Entry]) -> Refused:
    """Return which rows the log refuses, and why, when the others are committed."""
    ended: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()
    log.write([Group(rows_of(entries), ended.set_result)])
    return await ended
