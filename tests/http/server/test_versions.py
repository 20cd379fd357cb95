"""Test offers to change the protocol, callers that wait for 100 Continue, and older versions."""

import pytest

from tests.http.server.small_service import (
    KIB,
    PATHS,
    Caller,
    SmallService,
    chunked,
    head,
    post,
    small_service,
)

H2C = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
)
OFFERS = {
    "h2c": H2C,
    "h2c in other letters": ("connection: upgrade", "uPGRADE:h2c"),
    "websocket": (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ),
    "several": ("Connection: upgrade", "Upgrade: TLS/1.0, example/2"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_of_another_protocol_is_passed_over(offer: str, path: str, caller: Caller) -> None:
    caller.send(post(path, b"the body", *OFFERS[offer]) + post(path, b"behind it"))
    status, headers, answer = caller.answer()
    assert (status, answer["bytes"]) == (200, len(b"the body"))
    assert "upgrade" not in headers
    assert caller.answer()[2]["bytes"] == len(b"behind it")


@pytest.mark.parametrize("path", PATHS)
def test_an_offer_with_a_body_in_chunks_is_passed_over(path: str, caller: Caller) -> None:
    request = chunked(path, b"the ", b"body")
    offering = request.replace(b"Host:", "\r\n".join(H2C).encode() + b"\r\nHost:")
    caller.send(offering + post(path, b"behind it"))
    assert [caller.answer()[2]["bytes"] for _ in range(2)] == [8, 9]


def test_the_app_sees_the_offer(service: SmallService, caller: Caller) -> None:
    caller.send(post("/asgi", b"", *H2C))
    caller.answer()
    assert (b"upgrade", b"h2c") in service.app.last_headers


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_that_waits_for_100_continue_gets_it(path: str, caller: Caller) -> None:
    caller.send(head(path, "Content-Length: 3", "Expect: 100-continue"))
    assert caller.answer()[0] == 100
    caller.send(b"abc" + post(path, b"1"))
    assert [caller.answer()[2]["bytes"] for _ in range(2)] == [3, 1]


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_that_waits_for_100_continue_and_is_refused_is_disconnected(path: str) -> None:
    """The caller may or may not send its body, so the next bytes would be ambiguous."""
    with small_service(api_key="secret") as service, Caller(service) as caller:
        caller.send(head(path, "Content-Length: 300", "Expect: 100-continue"))
        status, headers, _ = caller.answer()
        assert (status, headers["connection"]) == (401, "close")
        assert caller.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_before_the_end_of_the_body_reaches_its_caller(path: str) -> None:
    body = b"x" * 8 * KIB * KIB
    with small_service(api_key="secret") as service, Caller(service) as caller:
        caller.send(post(path, body))
        assert caller.answer()[0] == 401
        caller.send(post(path, b"1", "Authorization: Bearer secret"))
        assert caller.answer()[0] == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("version", "connection"),
    [("1.1", "close"), ("1.0", ""), ("1.0", "keep-alive")],
)
def test_a_caller_that_closes_gets_connection_close(
    path: str, version: str, connection: str, caller: Caller
) -> None:
    said = (f"Connection: {connection}",) if connection else ()
    caller.send(post(path, b"abc", *said, version=version))
    status, headers, answer = caller.answer()
    assert (status, answer["bytes"], headers["connection"]) == (200, 3, "close")
    assert caller.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_an_open_connection_does_not_get_connection_close(path: str, caller: Caller) -> None:
    caller.send(post(path, b"abc"))
    assert "connection" not in caller.answer()[1]
