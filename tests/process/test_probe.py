import socket
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from app.process.listening import listen
from app.process.probe import Probe, ProbeAnswer, health_answer


class Health:
    reasons: list[str]

    def __init__(self) -> None:
        self.reasons = []


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def url(health: Health) -> Iterator[str]:
    def figures() -> ProbeAnswer:
        return ProbeAnswer(status=HTTPStatus.OK, media_type="text/plain", body=b"jobs 1\n")

    routes = {"/readyz": lambda: health_answer("ready", health.reasons), "/metrics": figures}
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    with Probe(listener, routes):
        yield f"http://127.0.0.1:{port}"
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port))


def test_it_answers_as_the_api_does(url: str, health: Health) -> None:
    ready = httpx.get(f"{url}/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    health.reasons = ["the trainer is starting", "this process is stopping"]
    not_ready = httpx.get(f"{url}/readyz?verbose=1")
    assert not_ready.status_code == 503
    assert not_ready.headers["Content-Type"] == "application/problem+json"
    assert not_ready.json()["detail"] == (
        "not ready: the trainer is starting; this process is stopping"
    )
    assert [error["message"] for error in not_ready.json()["errors"]] == health.reasons


def test_any_path_may_have_an_answer(url: str) -> None:
    figures = httpx.get(f"{url}/metrics")
    assert (figures.text, figures.headers["Content-Type"]) == ("jobs 1\n", "text/plain")
    assert httpx.get(f"{url}/nowhere").status_code == 404
    head = httpx.head(f"{url}/metrics")
    assert (head.status_code, head.headers["Content-Length"], head.text) == (200, "7", "")


def test_a_silent_caller_holds_up_no_other(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))):
        assert httpx.get(f"{url}/readyz").is_success
