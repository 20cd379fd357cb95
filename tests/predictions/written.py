"""The log's callbacks for those who have a coroutine."""

import asyncio
from collections.abc import Sequence

from app.predictions.log import Entry, Group, PredictionLog, rows_of


async def written(log: PredictionLog, entries: Sequence[Entry]) -> None:
    """Return once these are committed, together.

    Raises:
        Exception: what the log says why they may not be.
    """
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end(error: Exception | None) -> None:
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    log.write([Group(rows_of(entries), end)])
    await ended
