"""Test that work ends when its caller disconnects, in every phase."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast
from urllib.parse import urlsplit

import onnxruntime as ort
import pytest
from sqlalchemy import func, select

from app.predictions.calls import Predictions
from app.predictions.loaded import Arrays
from app.storage.tables import Prediction
from tests.service import PATIENCE_SECONDS, Service, eventually

LARGER_THAN_A_DIRECT_CALL = 70_000
SECONDS: dict[str, Any] = {"run_seconds": 0.001, "row_seconds": 0.001, "token_seconds": 0.001}


@dataclass
class Gated:
    """A session of ONNX Runtime whose runs wait for permission."""

    session: ort.InferenceSession
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    runs: int = 0

    def get_outputs(self) -> Sequence[ort.NodeArg]:
        outputs: Sequence[ort.NodeArg] = self.session.get_outputs()
        return outputs

    def run(self, names: list[str], inputs: Arrays) -> Sequence[object]:
        self.runs += 1
        assert self.gate.acquire(timeout=PATIENCE_SECONDS)
        found: Sequence[object] = self.session.run(names, inputs)
        return found


@pytest.fixture
def parts(service: Service) -> Predictions:
    found: Predictions = service.app.state.predictions
    return found


@pytest.fixture(params=["google-stock", "stream", "belling-the-cat"])
def gated(request: pytest.FixtureRequest, service: Service, parts: Predictions) -> Iterator[Gated]:
    """Yield one of the models, slowed down."""
    model: str = request.param
    text = {"stream": "a", "belling-the-cat": "the , mice"}.get(model)
    body = {"history": [1, 2, 3]} if text is None else {"text": text}
    assert service.predict(model=model, **body).is_success  # loads it
    kept = parts.runtime._loaded[model, 1]
    slow = Gated(kept.session)
    session = cast("ort.InferenceSession", slow)
    parts.runtime._loaded[model, 1] = replace(kept, session=session, **SECONDS)
    parts.runtime._last = None
    yield slow
    slow.gate.release(100_000)


def request_to(model: str, kind: str) -> tuple[str, bytes]:
    """Return a request that takes about a thousand runs of the graph."""
    item: dict[str, object]
    if model == "google-stock":
        item = {"model": model, "history": [1, 2, 3], "horizon": 1000}
    elif model == "stream":
        item = {"model": model, "text": "ab", "steps": 1000, "top_k": 1}
    else:
        item = {"model": model, "text": "the , mice", "steps": 1000, "top_k": 1}
    if kind == "batch":
        return "/predict/batch", json.dumps({"items": [item] * 3}).encode()
    body = json.dumps(item).encode()
    if kind == "large":  # comes through ASGI
        body += b" " * LARGER_THAN_A_DIRECT_CALL
    return "/predict", body


def rows(service: Service) -> int:
    with service.sessions.begin() as session:
        return session.execute(select(func.count()).select_from(Prediction)).scalar_one()


@contextmanager
def calling(service: Service, path: str, body: bytes) -> Iterator[socket.socket]:
    """Send a request, and hang up after the block."""
    place = urlsplit(service.url)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((place.hostname, place.port)) as caller:
        caller.sendall(head.encode() + body)
        yield caller


@pytest.mark.parametrize("kind", ["single", "batch", "large"])
def test_the_work_of_a_caller_that_hung_up_ends(
    service: Service, parts: Predictions, gated: Gated, request: pytest.FixtureRequest, kind: str
) -> None:
    model = request.node.callspec.params["gated"]
    before = rows(service)
    path, body = request_to(model, kind)
    with calling(service, path, body):
        gated.gate.release(3)
        eventually(lambda: gated.runs >= 4)

    # The server may take a moment to notice; runs are permitted only now and then.
    def ended() -> bool:
        gated.gate.release()
        return parts.batcher.pending_rows == 0

    eventually(ended)
    assert gated.runs < 900
    assert rows(service) == before
    counted = service.client.get("/metrics").text
    assert f'path="{path}",status="499"' in counted


@pytest.mark.parametrize("gated", ["stream", "belling-the-cat"], indirect=True)
@pytest.mark.parametrize("kind", ["single", "large"])
def test_a_stream_sends_each_token_at_once_and_ends_with_its_caller(
    service: Service, parts: Predictions, gated: Gated, request: pytest.FixtureRequest, kind: str
) -> None:
    before = rows(service)
    _, body = request_to(request.node.callspec.params["gated"], kind)
    body = body.rstrip(b" }") + b', "stream": true}' + b" " * (70_000 if kind == "large" else 0)
    with calling(service, "/predict", body) as caller:
        gated.gate.release(3)
        received = b""
        while received.count(b"\n\n") < 2:  # while the work waits
            received += caller.recv(65536)
        assert b"text/event-stream" in received
        assert b'data: {"step":2,' in received

    def ended() -> bool:
        gated.gate.release()
        return parts.batcher.pending_rows == 0

    eventually(ended)
    assert gated.runs < 900
    assert rows(service) == before
    assert 'path="/predict",status="499"' in service.client.get("/metrics").text
