"""Test what open connections experience when the service ends."""

import pytest

from tests.http.server.small_service import PATHS, Caller, SmallService, post, small_service
from tests.service import eventually


def end(service: SmallService) -> None:
    """Make the server end, as on SIGTERM."""
    service.server.should_exit = True
    eventually(lambda: not service.server.servers[0].sockets)


@pytest.mark.parametrize("path", PATHS)
def test_a_request_that_comes_as_the_server_ends_is_answered_with_goodbye(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.server.connection.FAREWELL_SECONDS", 600)
    with small_service(drain_seconds=60) as service, Caller(service) as caller:
        caller.send(post(path, b"1"))
        assert "connection" not in caller.answer()[1]
        end(service)
        caller.send(post(path, b"12"))
        status, headers, answer = caller.answer()
        assert (status, headers["connection"], answer["bytes"]) == (200, "close", 2)
        assert caller.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_a_current_request_is_answered_with_connection_close(path: str) -> None:
    with small_service(drain_seconds=60) as service, Caller(service) as caller:
        request = post(path, b"12345")
        caller.send(request[:-1])
        eventually(lambda: not any(one.is_idle for one in service.connections))
        end(service)
        caller.send(request[-1:])
        status, headers, answer = caller.answer()
        assert (status, headers["connection"], answer["bytes"]) == (200, "close", 5)
        assert caller.is_closed()


@pytest.mark.parametrize("begun", [b"", b"POST /asgi HTTP/1.1\r\nHost:"])
def test_an_idle_connection_is_closed_as_the_server_ends(begun: bytes) -> None:
    with small_service(drain_seconds=60) as service, Caller(service) as caller:
        caller.send(post("/direct", b"1") + begun)
        assert caller.answer()[0] == 200
        end(service)
        assert caller.is_closed()


def test_a_caller_that_does_not_read_does_not_hold_up_the_end() -> None:
    with small_service(drain_seconds=1) as service, Caller(service) as caller:
        service.app.answer_bytes = 32 << 20
        caller.send(post("/direct", b"1"))
        eventually(lambda: service.app.calls == 1)
        end(service)  # the server has stopped when the block ends
