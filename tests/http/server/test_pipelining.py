"""Test requests sent without waiting for answers, by callers that do or do not read them."""

import select

import pytest

from tests.http.server.small_service import KIB, PATHS, Caller, post, small_service
from tests.service import eventually

MANY_BYTES = 32 << 20
MOST_TAKEN_BYTES = 8 << 20  # by the kernel's buffers on both sides
STUCK_SECONDS = 2.0
BODY = b"x" * 30 * KIB


def send_until_blocked(caller: Caller, request: bytes) -> int:
    """Send the request repeatedly until the socket blocks; return how many bytes were sent."""
    block = memoryview(request * (64 * KIB // len(request) + 1))
    caller.socket.setblocking(False)
    sent = 0
    while sent < MANY_BYTES and select.select([], [caller.socket], [], STUCK_SECONDS)[1]:
        try:
            sent += caller.socket.send(block[sent % len(request) :])
        except BlockingIOError:
            continue
    caller.socket.setblocking(True)
    return sent


@pytest.mark.parametrize("path", PATHS)
def test_what_is_sent_while_an_answer_waits_is_not_read(path: str) -> None:
    with small_service() as service, Caller(service) as caller:
        service.app.may_answer.clear()
        assert send_until_blocked(caller, post(path, BODY)) < MOST_TAKEN_BYTES
        assert service.app.calls == 1


@pytest.mark.parametrize("path", PATHS)
def test_a_caller_that_does_not_read_is_not_read_from(path: str) -> None:
    with small_service() as service, Caller(service) as caller:
        assert send_until_blocked(caller, post(path, b"1")) < MOST_TAKEN_BYTES


@pytest.mark.parametrize("path", PATHS)
def test_reading_continues_when_the_caller_reads(path: str) -> None:
    with small_service() as service, Caller(service) as caller:
        service.app.answer_bytes = 50 * KIB
        request = post(path, BODY)
        sent = send_until_blocked(caller, request)
        whole = sent // len(request)
        for _ in range(whole):
            status, _, answer = caller.answer()
            assert (status, answer["bytes"]) == (200, len(BODY))
        assert service.app.calls == whole


@pytest.mark.parametrize("path", PATHS)
def test_many_requests_in_one_piece_are_answered_in_their_order(path: str) -> None:
    with small_service() as service, Caller(service) as caller:
        caller.send(b"".join(post(path, b"x" * size) for size in range(500)))
        assert [caller.answer()[2]["bytes"] for _ in range(500)] == list(range(500))


def test_a_long_pipeline_keeps_no_other_caller_waiting() -> None:
    with small_service() as service, Caller(service) as busy, Caller(service) as other:
        busy.send(post("/direct", b"12345") * 500)
        busy.answer()
        other.send(post("/direct", b"1"))
        assert other.answer()[0] == 200
        eventually(lambda: service.app.calls == 501)
