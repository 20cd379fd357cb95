"""Test how long the server waits for a caller: for head, body, next request, and reading."""

import time

import pytest

from tests.http.server.small_service import PATHS, Caller, head, post, small_service
from tests.service import eventually

SHORT = 0.2


@pytest.mark.parametrize("begun", [b"P", b"POST /direct HTTP/1.1\r\n", head("/asgi")[:-2]])
def test_a_head_that_is_not_finished_ends_with_408(begun: bytes) -> None:
    with small_service(head_seconds=SHORT) as service, Caller(service) as caller:
        caller.send(begun)
        status, headers, problem = caller.answer()
        assert status == problem["status"] == 408
        assert (headers["connection"], headers["content-type"]) == (
            "close",
            "application/problem+json",
        )
        assert caller.is_closed()


def test_a_head_that_comes_in_drops_is_not_waited_for_longer() -> None:
    with small_service(head_seconds=SHORT) as service, Caller(service) as caller:
        caller.send(b"POST /direct HTTP/1.1\r\na: ")
        for _ in range(10_000):
            if len(service.connections.closed) > 0:
                break
            caller.send_what_is_taken(b"b")
            time.sleep(SHORT / 20)
        assert caller.answer()[0] == 408


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_body_that_stalls_ends_with_408(path: str, framing: str) -> None:
    settings = {"body_seconds": SHORT, "head_seconds": 1}
    with small_service(**settings) as service, Caller(service) as caller:
        caller.send(head(path, framing) + b"5\r\n")
        status, headers, problem = caller.answer()
        assert status == problem["status"] == 408
        assert headers["connection"] == "close"
        assert caller.is_closed()
        eventually(lambda: service.app.disconnected == (path == "/asgi"))


@pytest.mark.parametrize("path", PATHS)
def test_a_fast_beginning_does_not_make_up_for_a_stall(path: str) -> None:
    settings = {"body_seconds": SHORT, "head_seconds": 1}
    with small_service(**settings) as service, Caller(service) as caller:
        caller.send(head(path, "Content-Length: 60000") + b"x" * 50_000)
        assert caller.answer()[0] == 408


@pytest.mark.parametrize("path", PATHS)
def test_a_slow_body_that_keeps_its_pace_is_read_to_its_end(path: str) -> None:
    """It takes many times as long as the interval over which the speed is measured."""
    settings = {"body_seconds": SHORT, "head_seconds": 1, "min_body_bytes_per_second": 1}
    with small_service(**settings) as service, Caller(service) as caller:
        caller.send(head(path, "Content-Length: 200"))
        for _ in range(200):
            caller.send(b"x")
            time.sleep(SHORT / 20)
        status, _, answer = caller.answer()
        assert (status, answer["bytes"]) == (200, 200)


def test_a_body_that_the_app_does_not_take_is_not_slow() -> None:
    settings = {"body_seconds": SHORT, "head_seconds": 1}
    with small_service(**settings) as service, Caller(service) as caller:
        service.app.may_read.clear()
        caller.send(head("/asgi", "Content-Length: 1000000") + b"x" * 500_000)
        checked = service.connections.checks
        eventually(lambda: service.connections.checks > checked + 10)
        service.app.may_read.set()
        caller.send(b"x" * 500_000)
        assert caller.answer()[2]["bytes"] == 1_000_000


@pytest.mark.parametrize("path", PATHS)
def test_an_idle_connection_is_closed(path: str) -> None:
    with small_service(keep_alive_seconds=SHORT) as service, Caller(service) as caller:
        caller.send(post(path, b"1"))
        assert caller.answer()[0] == 200
        assert caller.is_closed()


def test_a_connection_that_never_says_anything_is_closed() -> None:
    with small_service(keep_alive_seconds=SHORT) as service, Caller(service) as caller:
        assert caller.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_that_takes_long_is_waited_for(path: str) -> None:
    """All limits concern the caller, not the app."""
    limits = ("keep_alive_seconds", "head_seconds", "body_seconds", "send_seconds")
    with small_service(**dict.fromkeys(limits, SHORT)) as service, Caller(service) as caller:
        service.app.may_answer.clear()
        caller.send(post(path, b"1"))
        checked = service.connections.checks
        eventually(lambda: service.connections.checks > checked + 10)
        assert len(service.connections) == 1


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_that_does_not_read_its_answer_is_hung_up_on(path: str) -> None:
    settings = {"send_seconds": SHORT, "head_seconds": 1}
    with small_service(**settings) as service, Caller(service) as caller:
        service.app.answer_bytes = 32 << 20
        caller.send(post(path, b"1"))
        eventually(lambda: service.connections.closed["answers not read"] == 1)
        eventually(lambda: len(service.connections) == 0)


def test_what_was_closed_is_logged_and_counted() -> None:
    with small_service(head_seconds=SHORT) as service, Caller(service) as caller:
        caller.send(b"POST")
        caller.answer()
        eventually(lambda: service.connections.logged["head too slow"] == 1)
        figures, _ = service.app.metrics.exposition("")
        line = 'stepahead_connections_closed_total{reason="head too slow"} 1.0'
        assert line in figures.decode()


def test_a_request_of_a_disconnected_caller_is_not_an_error() -> None:
    settings = {"body_seconds": SHORT, "head_seconds": 1}
    with small_service(**settings) as service, Caller(service) as caller:
        caller.send(head("/asgi", "Content-Length: 100"))
        caller.answer()
        line = 'stepahead_http_requests_total{method="POST",path="unmatched",status="499"} 1.0'
        eventually(lambda: line in service.app.metrics.exposition("")[0].decode())
