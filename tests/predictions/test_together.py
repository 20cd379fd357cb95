"""Count what requests share. All requests of a test start in one turn of the loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.orm import sessionmaker

from app.config import Settings
from app.main import create_app
from app.predictions import batching
from app.predictions.calls import Predictions
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.storage.tables import Prediction, RefusedCall
from tests.artifacts import persistence_artifact, stream_text_artifact
from tests.service import register_artifact

Answer = tuple[int, Any]


@pytest.fixture(autouse=True)
def _turns_that_do_not_depend_on_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep runs on the event loop; otherwise a slow one would move to a thread and commit alone."""
    monkeypatch.setattr(batching, "INLINE_SECONDS", 60.0)


async def post(app: FastAPI, path: str, body: object) -> Answer:
    """Send a request directly to the app, as the server would, with unchanged bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@asynccontextmanager
async def running_app(database_url: str, data_dir: Path) -> AsyncIterator[FastAPI]:
    settings = Settings(data_dir=data_dir, warm_reader=False)  # nothing is uploaded here
    engine = make_engine(database_url)
    store = ObjectStore.open(settings.resolved_store_url)
    register_artifact(sessionmaker(engine), store, "prices", persistence_artifact())
    register_artifact(sessionmaker(engine), store, "stream", stream_text_artifact())
    engine.dispose()
    app = create_app(settings, database_url=database_url)
    async with app.router.lifespan_context(app):
        for body in ({"model": "prices", "history": [1, 2, 3]}, {"model": "stream", "text": "a"}):
            assert (await post(app, "/predict", body))[0] == 200  # loaded from here on
        yield app


def run(database_url: str, data_dir: Path, scenario: Callable[[FastAPI], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with running_app(database_url, data_dir) as app:
            await scenario(app)

    asyncio.run(whole())


def shared(app: FastAPI) -> tuple[int, int]:
    parts: Predictions = app.state.predictions
    return parts.batcher.runs, parts.log.commits


def rows_in(database_url: str, table: type[Prediction | RefusedCall]) -> int:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
    engine.dispose()
    return count


def test_requests_of_one_turn_share_one_run_and_one_commit(
    fresh_database: str, tmp_path: Path
) -> None:
    async def scenario(app: FastAPI) -> None:
        runs, commits = shared(app)
        bodies = [{"model": "prices", "history": [1.0, 2.0, float(n)]} for n in range(64)]
        answers = await asyncio.gather(*(post(app, "/predict", body) for body in bodies))
        assert [status for status, _ in answers] == [200] * 64
        values = [answer["predictions"][0]["value"] for _, answer in answers]
        assert values == [float(n) for n in range(64)]
        assert shared(app) == (runs + 1, commits + 1)

    run(fresh_database, tmp_path, scenario)
    assert rows_in(fresh_database, Prediction) == 66


def test_versions_of_one_turn_run_apart_and_still_share_the_commit(
    fresh_database: str, tmp_path: Path
) -> None:
    async def scenario(app: FastAPI) -> None:
        runs, commits = shared(app)
        bodies: list[dict[str, object]] = [{"model": "prices", "history": [1, 2, 3]}] * 8
        bodies += [{"model": "stream", "text": "ab" * n} for n in range(1, 9)]
        answers = await asyncio.gather(*(post(app, "/predict", body) for body in bodies))
        assert [status for status, _ in answers] == [200] * 16
        assert shared(app) == (runs + 2, commits + 1)

    run(fresh_database, tmp_path, scenario)


def test_a_bad_request_fails_alone(fresh_database: str, tmp_path: Path) -> None:
    async def scenario(app: FastAPI) -> None:
        runs, commits = shared(app)
        good: dict[str, object] = {"model": "stream", "text": "ab"}
        bad: list[dict[str, object]] = [
            {"model": "stream", "text": "a\x00b"},
            {"model": "stream", "text": ""},
            {"model": "stream", "text": "a", "series": "x"},
            {"model": "prices", "history": [1.0]},
            {"model": "nobody", "text": "a"},
            {"model": "stream\x00", "text": "a"},
        ]
        mixed = [body for pair in zip([good] * len(bad), bad, strict=True) for body in pair]
        answers = await asyncio.gather(*(post(app, "/predict", body) for body in mixed))
        statuses = [status for status, _ in answers]
        assert statuses[::2] == [200] * len(bad)
        assert statuses[1::2] == [422, 422, 422, 422, 404, 422]
        assert shared(app) == (runs + 1, commits + 1)

    run(fresh_database, tmp_path, scenario)
    assert rows_in(fresh_database, Prediction) == 8
    assert rows_in(fresh_database, RefusedCall) == 6


@pytest.mark.parametrize("hidden", [b"NaN", b"[NaN, 1e999]", b'{"a": -Infinity}'])
def test_a_body_with_a_hidden_value_that_postgresql_refuses_fails_alone(
    fresh_database: str, tmp_path: Path, hidden: bytes
) -> None:
    bad = b'{"model":"prices","history":' + hidden + b',"history":[778.81,788.36,786.08]}'
    good = b'{"model":"prices","history":[778.81,788.36,786.08]}'

    async def scenario(app: FastAPI) -> None:
        bodies = [good, good, good, bad, good, good, good, bad]
        answers = await asyncio.gather(*(post(app, "/predict", body) for body in bodies))
        assert [status for status, _ in answers] == [200, 200, 200, 422] * 2
        items = b'{"items":[' + b",".join(bodies) + b"]}"
        status, answer = await post(app, "/predict/batch", items)
        assert status == 200
        failed = [number for number, item in enumerate(answer["items"]) if "error" in item]
        assert failed == [3, 7]

    run(fresh_database, tmp_path, scenario)
    assert rows_in(fresh_database, Prediction) == 2 + 6 + 6


def test_a_batch_is_one_run_and_one_commit(fresh_database: str, tmp_path: Path) -> None:
    async def scenario(app: FastAPI) -> None:
        runs, commits = shared(app)
        items = [{"model": "prices", "history": [1, 2, n]} for n in range(1000)]
        status, answer = await post(app, "/predict/batch", {"items": items})
        assert status == 200
        assert [item["predictions"][0]["value"] for item in answer["items"]] == list(range(1000))
        assert shared(app) == (runs + 1, commits + 1)

    run(fresh_database, tmp_path, scenario)
    assert rows_in(fresh_database, Prediction) == 1002


def test_large_batches_of_one_turn_run_apart_so_that_one_is_committed_while_the_next_is_computed(
    fresh_database: str, tmp_path: Path
) -> None:
    async def scenario(app: FastAPI) -> None:
        runs, commits = shared(app)
        batches = [
            {"items": [{"model": "prices", "history": [1, 2, n]} for n in range(rows)]}
            for rows in (200, batching.MANY_ROWS, batching.MANY_ROWS)
        ]
        answers = await asyncio.gather(*(post(app, "/predict/batch", body) for body in batches))
        assert [status for status, _ in answers] == [200] * 3
        # The first alone is not many, so it is committed with the second.
        assert shared(app) == (runs + 3, commits + 2)

    run(fresh_database, tmp_path, scenario)


def test_answers_that_would_fill_memory_together_are_put_together_in_parts(
    fresh_database: str, tmp_path: Path
) -> None:
    async def scenario(app: FastAPI) -> None:
        runs, _ = shared(app)
        items = [{"model": "prices", "history": [1, 2, n], "horizon": 1000} for n in range(50)]
        status, answer = await post(app, "/predict/batch", {"items": items})
        assert status == 200
        last = [item["predictions"][-1] for item in answer["items"]]
        assert [(step["step"], step["value"]) for step in last] == [(1000, n) for n in range(50)]
        assert shared(app)[0] == runs + 3

    run(fresh_database, tmp_path, scenario)
