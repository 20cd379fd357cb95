"""Test bodies that arrive in pieces: each has a limit, and all of them together."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from app.errors import TooLarge, Unavailable
from app.http.large_bodies import UPLOAD, LargeBodies, counted


def pieces(*bodies: bytes, ends: bool = True) -> Receive:
    """Return a caller that sends these pieces and then waits or is finished."""
    left = list(bodies)

    async def receive() -> Message:
        if not left and not ends:
            await asyncio.Event().wait()
        more = len(left) > 1 or not ends
        return {"type": "http.request", "body": left.pop(0), "more_body": more}

    return receive


def test_the_pieces_are_put_together() -> None:
    bodies = LargeBodies()
    body = asyncio.run(bodies.read(b"ab", pieces(b"cd", b"", b"e"), limit_bytes=5))
    assert body == b"abcde"
    assert bodies.bytes_held == 0


def test_a_body_over_its_limit_is_refused_as_soon_as_that_shows() -> None:
    bodies = LargeBodies()
    with pytest.raises(TooLarge, match="at most 3 bytes"):
        asyncio.run(bodies.read(b"ab", pieces(b"cd", b"never read"), limit_bytes=3))
    assert bodies.bytes_held == 0


def test_a_caller_who_leaves_gives_nothing() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    bodies = LargeBodies()
    assert asyncio.run(bodies.read(b"ab", gone, limit_bytes=5)) is None
    assert bodies.bytes_held == 0


def test_all_together_hold_no_more_than_the_limit_however_many_callers_there_are() -> None:
    async def scenario() -> None:
        bodies = LargeBodies(limit_bytes=1000)
        slow: Iterable[Receive] = (pieces(b"x" * 40, ends=False) for _ in range(100))
        reading = [
            asyncio.create_task(bodies.read(b"x" * 60, receive, limit_bytes=500))
            for receive in slow
        ]
        for _ in range(5):
            await asyncio.sleep(0)
        assert 900 < bodies.bytes_held <= 1000
        refused = [task for task in reading if task.done()]
        assert len(refused) == 90
        assert all(isinstance(task.exception(), Unavailable) for task in refused)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        assert bodies.bytes_held == 0

    asyncio.run(scenario())


def test_a_body_by_itself_may_be_as_large_as_its_own_limit() -> None:
    bodies = LargeBodies(limit_bytes=3)
    body = asyncio.run(bodies.read(b"ab", pieces(b"cd", b"ef"), limit_bytes=10))
    assert body == b"abcdef"


def test_bodies_that_the_framework_reads_count_towards_the_same_limit() -> None:
    bodies = LargeBodies(limit_bytes=3)

    async def scenario() -> None:
        with bodies.body(limit_bytes=10) as first, bodies.body(limit_bytes=10) as second:
            await counted(pieces(b"ab"), {}, first)()
            with pytest.raises(HTTPException, match="503: too many large requests"):
                await counted(pieces(b"cd"), {}, second)()
        assert bodies.bytes_held == 0

    asyncio.run(scenario())


def test_an_upload_is_not_counted_because_it_goes_to_files() -> None:
    bodies = LargeBodies()

    async def scenario() -> None:
        with bodies.body(limit_bytes=1) as count:
            await counted(pieces(b"abc"), {UPLOAD: True}, count)()
            assert bodies.bytes_held == 0

    asyncio.run(scenario())
