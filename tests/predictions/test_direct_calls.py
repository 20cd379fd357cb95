"""Test what HTTP allows on one connection, for direct calls and for calls through ASGI."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.service import PATIENCE_SECONDS, Service

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGER_THAN_A_DIRECT_CALL = 70_000


class Connection:
    """A connection on which the test writes the bytes itself."""

    def __init__(self, service: Service) -> None:
        place = urlsplit(service.url)
        address = (place.hostname, place.port)
        self._socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)
        self._received = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and JSON of the next answer."""
        status = int(self._received.readline().split()[1])
        headers = {}
        while line := self._received.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        body = self._received.read(int(headers.get("content-length", "0")))
        return status, headers, json.loads(body) if body else None

    def value(self) -> float:
        status, _, answer = self.answer()
        assert status == 200, answer
        return float(answer["predictions"][0]["value"])

    def is_closed(self) -> bool:
        return self._received.read() == b""

    def close(self) -> None:
        self._received.close()
        self._socket.close()


@pytest.fixture
def connection(asked: Service) -> Iterator[Connection]:
    opened = Connection(asked)
    yield opened
    opened.close()


def body_of(last: object) -> bytes:
    return json.dumps({"model": "google-stock", "history": [1.0, 2.0, last]}).encode()


def request(body: bytes, *headers: str, version: str = "1.1") -> bytes:
    head = [
        *(f"POST /predict HTTP/{version}", "Host: localhost", f"Content-Length: {len(body)}"),
        *headers,
    ]
    return "\r\n".join([*head, "\r\n"]).encode() + body


def test_requests_sent_without_waiting_are_answered_in_their_order(connection: Connection) -> None:
    wrong = request(body_of("wrong"))
    connection.send(request(body_of(3)) + LIVEZ + wrong + request(body_of(4)) + LIVEZ)
    assert connection.value() == 3.0
    assert connection.answer()[2] == {"status": "alive"}
    assert connection.answer()[0] == 422
    assert connection.value() == 4.0
    assert connection.answer()[2] == {"status": "alive"}


def test_a_request_may_come_in_pieces(connection: Connection) -> None:
    whole = request(body_of(5), "X-Request-Id: in-pieces")
    for start in range(0, len(whole), 7):
        connection.send(whole[start : start + 7])
    status, headers, answer = connection.answer()
    assert (status, headers["x-request-id"]) == (200, "in-pieces")
    assert answer["predictions"][0]["value"] == 5.0


def test_a_direct_call_behind_one_that_is_not_waits_for_it(connection: Connection) -> None:
    large = request(body_of(6) + b" " * LARGER_THAN_A_DIRECT_CALL)
    connection.send(large + request(body_of(7)))
    assert connection.value() == 6.0
    assert connection.value() == 7.0


def test_a_body_in_chunks_is_read(connection: Connection) -> None:
    body = body_of(8)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    assert connection.value() == 8.0


def test_a_caller_that_asks_first_is_told_to_go_on(connection: Connection) -> None:
    head, _, body = request(body_of(9), "Expect: 100-continue").partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    assert connection.answer()[0] == 100
    connection.send(body)
    assert connection.value() == 9.0


@pytest.mark.parametrize(
    "last", [request(body_of(1), "Connection: close"), request(body_of(1), version="1.0")]
)
def test_a_caller_that_wants_no_more_is_hung_up_on(connection: Connection, last: bytes) -> None:
    connection.send(last)
    assert connection.value() == 1.0
    assert connection.is_closed()


def test_a_caller_that_goes_away_disturbs_nobody(asked: Service, connection: Connection) -> None:
    for _ in range(5):
        gone = Connection(asked)
        gone.send(request(body_of(2)) + request(body_of(2)))
        gone.close()
    connection.send(request(body_of(3)))
    assert connection.value() == 3.0


def test_every_answer_says_when_and_under_which_id(connection: Connection) -> None:
    connection.send(request(body_of(3)) + request(b"{", "X-Request-Id: mine"))
    _, headers, _ = connection.answer()
    assert headers["date"]
    assert len(headers["x-request-id"]) == 36
    status, headers, problem = connection.answer()
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert (headers["x-request-id"], problem["status"]) == ("mine", 400)


def test_a_direct_call_is_counted_under_its_path(asked: Service, connection: Connection) -> None:
    def count(status: int) -> float:
        wanted = f'stepahead_http_requests_total{{method="POST",path="/predict",status="{status}"}}'
        lines = asked.client.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(wanted))

    before = count(200), count(422)
    time.sleep(0.2)
    while before != (count(200), count(422)):  # callers of other tests, which are gone by now
        before = count(200), count(422)
        time.sleep(0.2)
    connection.send(request(body_of(3)) + request(body_of("wrong")))
    assert connection.answer()[0] == 200
    assert connection.answer()[0] == 422
    assert (count(200), count(422)) == (before[0] + 1, before[1] + 1)
