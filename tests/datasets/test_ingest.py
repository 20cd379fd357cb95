import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request

from app.datasets.ingest import STORED_AT_ONCE, _store
from app.storage.object_store import StoredObject

HANDLERS = 40  # threads that handlers run in, unless something changes it


class SlowStore:
    """A store that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.taken = 0
        self.taking = threading.Semaphore(0)  # released by each file that waits to be taken
        self.may_take = threading.Event()

    def take_file(self, path: Path, sha256: str) -> StoredObject:
        self.taking.release()
        self.may_take.wait(60)
        self.taken += 1
        return StoredObject(sha256=sha256, size=len(path.name))


def request_to(store: SlowStore) -> Request:
    """Return the parts of a request that storing uses."""
    state = SimpleNamespace(
        resources=SimpleNamespace(store=store),
        store_watch=SimpleNamespace(require=lambda: None),
        storing=CapacityLimiter(STORED_AT_ONCE),
    )
    return cast("Request", SimpleNamespace(app=SimpleNamespace(state=state)))


def test_uploads_that_wait_for_the_store_leave_the_handlers_their_threads() -> None:
    store = SlowStore()
    answers: list[Any] = []

    async def one(request: Request) -> None:
        await _store(request, Path("part0"), "0" * 64)

    async def several() -> None:
        request = request_to(store)
        async with anyio.create_task_group() as tasks:
            for _ in range(2 * HANDLERS):
                tasks.start_soon(one, request)
            for _ in range(STORED_AT_ONCE):
                await to_thread.run_sync(store.taking.acquire, limiter=CapacityLimiter(1))
            with anyio.move_on_after(30):
                answers.append(await to_thread.run_sync(lambda: "a handler's answer"))
            store.may_take.set()

    anyio.run(several)

    assert answers == ["a handler's answer"]
    assert store.taken == 2 * HANDLERS
