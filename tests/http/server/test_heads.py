"""Test heads that are too long in every possible way, and bytes that are not a head."""

from collections.abc import Callable

import pytest

from app.errors import HeadTooLarge, InvalidRequest, UriTooLong
from app.http.server.heads import Heads
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

LIMIT = 64 * KIB
FAR_TOO_LONG = 4 << 20
TOO_LONG: dict[str, tuple[int, Callable[[str], bytes]]] = {
    "small headers": (431, lambda path: head(path) [:-2] + b"a: b\r\n" * (FAR_TOO_LONG // 6)),
    "one header": (431, lambda path: head(path)[:-2] + b"a: " + b"b" * FAR_TOO_LONG),
    "one name": (431, lambda path: head(path)[:-2] + b"b" * FAR_TOO_LONG),
    "target": (414, lambda path: b"POST " + path.encode() + b"?" + b"q" * FAR_TOO_LONG),
    "trailers": (431, lambda path: chunked(path, b"1")[:-2] + b"a: b\r\n" * (FAR_TOO_LONG // 6)),
    "one trailer": (431, lambda path: chunked(path, b"1")[:-2] + b"a: " + b"b" * FAR_TOO_LONG),
    "chunk extension": (
        431,
        lambda path: head(path, "Transfer-Encoding: chunked") + b"1;" + b"e" * FAR_TOO_LONG,
    ),
}  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", TOO_LONG)
def test_what_is_too_long_is_refused_and_the_connection_closes(
    kind: str, path: str, caller: Caller
) -> None:
    status, request = TOO_LONG[kind]
    caller.send_what_is_taken(request(path))
    answered, headers, problem = caller.answer()
    assert answered == problem["status"] == status
    assert headers["content-type"] == "application/problem+json"
    assert headers["connection"] == "close"
    assert len(headers["x-request-id"]) == 36
    assert str(LIMIT) in problem["detail"]
    assert caller.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_a_head_of_the_most_bytes_is_read(path: str, caller: Caller) -> None:
    request = head(path, "Content-Length: 3", f"a: {'b' * 100}")
    missing = LIMIT - len(request)
    caller.send(request.replace(b"b" * 100, b"b" * (100 + missing)) + b"abc")
    status, _, answer = caller.answer()
    assert (status, answer["bytes"]) == (200, 3)


def test_a_head_is_refused_before_the_key_is_asked_for() -> None:
    with small_service(api_key="secret") as service, Caller(service) as caller:
        caller.send_what_is_taken(TOO_LONG["small headers"][1]("/asgi"))
        assert caller.answer()[0] == 431


def test_what_was_refused_is_counted(service: SmallService, caller: Caller) -> None:
    caller.send_what_is_taken(TOO_LONG["one header"][1]("/asgi"))
    caller.answer()
    service.app.metrics.put()
    figures, _ = service.app.metrics.exposition("")
    line = 'stepahead_http_requests_total{method="unread",path="refused",status="431"} 1.0'
    assert line in figures.decode()


@pytest.mark.parametrize("path", PATHS)
def test_extensions_and_trailers_within_the_limit_are_passed_over(
    path: str, caller: Caller
) -> None:
    chunks = b"3;name=value\r\nabc\r\n4\r\ndefg\r\n0\r\nChecksum: 1\r\nX-Request-Id: sly\r\n\r\n"
    caller.send(head(path, "Transfer-Encoding: chunked") + chunks + post(path, b"1"))
    status, headers, answer = caller.answer()
    assert (status, answer["bytes"]) == (200, 7)
    assert headers["x-request-id"] != "sly"
    assert caller.answer()[2]["bytes"] == 1


@pytest.mark.parametrize(
    "no_head",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a hello of TLS
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"POST /asgi HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /asgi HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /asgi HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /asgi HTTP/1.1\r\n folded: 1\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET example.org:443 HTTP/1.1\r\n\r\n",
        b"\r\n\r\nnonsense\r\n\r\n",
        b"POST /asgi HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n",
        b"POST /asgi HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n",
    ],
)
def test_what_is_not_http_is_refused_at_once(no_head: bytes, caller: Caller) -> None:
    caller.send(no_head)
    status, headers, problem = caller.answer()
    assert status == problem["status"] == 400
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"]
    assert caller.is_closed()


@pytest.mark.parametrize("path", PATHS)
def test_line_ends_between_requests_are_passed_over(path: str, caller: Caller) -> None:
    caller.send(b"\r\n" + post(path, b"1") + b"\r\n\r\n" + post(path, b"12"))
    assert [caller.answer()[2]["bytes"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("path", PATHS)
def test_a_request_may_come_byte_by_byte(path: str, caller: Caller) -> None:
    for request in (post(path, b"abc"), chunked(path, b"abc", b"\r\n\r\n", b"d")):
        for byte in request:
            caller.send(bytes([byte]))
    assert [caller.answer()[2]["bytes"] for _ in range(2)] == [3, 8]


@pytest.mark.parametrize("path", PATHS)
def test_a_chunked_request_ends_where_its_last_chunk_does(path: str, caller: Caller) -> None:
    """Whatever the pieces, what follows is the next request."""
    requests = chunked(path, b"\r\n\r\n", b"\r\n", b"abc") + post(path, b"1")
    for cut in range(len(head(path)), len(requests)):
        caller.send(requests[:cut])
        caller.send(requests[cut:])
        assert [caller.answer()[2]["bytes"] for _ in range(2)] == [9, 1]


def test_a_head_that_was_parsed_before_says_the_same() -> None:
    heads = Heads(LIMIT)
    raw = head("/direct", "Content-Length: 5", "X-Request-Id:  mine ")
    first = heads.parse(raw)
    assert heads.parse(bytes(bytearray(raw))) is first
    assert first.fields[b"x-request-id"] == b"mine"
    assert (first.method, first.target, first.content_length) == ("POST", b"/direct", 5)


def test_heads_that_are_all_different_do_not_fill_memory() -> None:
    heads = Heads(LIMIT)
    for number in range(5000):
        heads.parse(head("/direct", f"X-Request-Id: {number}"))
    assert len(heads._known) <= 512


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"GET / HTTP/1.1\r\n" + b"a" * LIMIT, HeadTooLarge),
        (b"GET /" + b"a" * LIMIT, UriTooLong),
        (b"GET / HTTP/1.1\r\n", InvalidRequest),
    ],
)
def test_what_is_wrong_with_a_head_is_reported(raw: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        Heads(LIMIT).parse(raw)
