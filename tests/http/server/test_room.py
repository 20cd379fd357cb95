"""Test more connections than there is room for."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from app.config import Settings
from app.errors import Unavailable
from app.http.server.connections import Connections
from tests.http.server.small_service import PATHS, Caller, head, post, small_service
from tests.service import eventually

FEW_DESCRIPTORS = 200
MORE_CALLERS = 250


class FakeConnection:
    """A connection that records whether it was closed."""

    def __init__(self, connections: Connections, host: str, *, since: float) -> None:
        self.address_group = connections.address_group(host)
        self.since = since
        self.is_idle = True
        self.was_closed = False

    def check(self, now: float) -> str | None:
        del now
        return None

    def evict(self) -> None:
        self.is_idle = False
        self.was_closed = True


class Room:
    """`Connections`, with fake connections."""

    def __init__(self, **settings: object) -> None:
        self.connections = Connections(Settings(**settings))  # type: ignore[arg-type]
        self._count = 0

    def add(self, host: str, *, descriptor: int = 0) -> FakeConnection:
        self._count += 1
        added = FakeConnection(self.connections, host, since=self._count)
        self.connections.add(added, descriptor=descriptor)
        return added


def in_loop(scenario: Callable[[], None]) -> None:
    """Run a function in an event loop, which the timer of `Connections` needs."""

    async def run() -> None:
        scenario()

    asyncio.run(run())


@pytest.mark.parametrize(
    "hosts", [("192.0.2.7",) * 3, ("2001:db8::1", "2001:db8::2", "2001:db8::3")]
)
def test_an_address_over_its_cap_loses_its_oldest_idle_connection(hosts: tuple[str, ...]) -> None:
    def scenario() -> None:
        room = Room(max_connections_per_address=2)
        other = room.add("198.51.100.1")
        busy = room.add(hosts[0])
        busy.is_idle = False
        old, new = room.add(hosts[1]), room.add(hosts[2])
        assert [one.was_closed for one in (other, busy, old, new)] == [False, False, True, False]

    in_loop(scenario)


def test_an_address_over_its_cap_with_all_busy_is_refused() -> None:
    def scenario() -> None:
        room = Room(max_connections_per_address=2)
        for _ in range(2):
            room.add("192.0.2.7").is_idle = False
        with pytest.raises(Unavailable, match=r"192\.0\.2\.7 already has 2"):
            room.add("192.0.2.7")
        room.add("192.0.2.8")

    in_loop(scenario)


def test_connections_that_ended_do_not_count_towards_the_cap() -> None:
    def scenario() -> None:
        room = Room(max_connections_per_address=2)
        for _ in range(5):
            ended = room.add("192.0.2.7")
            ended.is_idle = False
            room.connections.discard(ended)
        assert not room.connections.closed

    in_loop(scenario)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.0.9", "::1", "::ffff:127.0.0.1", "10.1.2.3", "2001:db8::5"]
)
def test_loopback_and_proxies_are_not_capped(host: str) -> None:
    def scenario() -> None:
        room = Room(
            max_connections_per_address=2, trusted_proxies=("10.1.0.0/16", "2001:db8::5/128")
        )
        added = [room.add(host) for _ in range(5)]
        assert not any(one.was_closed for one in added)

    in_loop(scenario)


def test_proxies_are_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPAHEAD_TRUSTED_PROXIES", "10.1.0.0/16, 192.0.2.7")
    connections = Connections(Settings())
    assert connections.address_group("10.1.9.9") is None
    assert connections.address_group("192.0.2.7") is None
    assert connections.address_group("192.0.2.8") is not None


def test_a_flood_closes_idle_connections_oldest_first() -> None:
    def scenario() -> None:
        room = Room(max_connections=100)
        added = [room.add(f"192.0.2.{number}") for number in range(100)]
        for busy in added[:10]:
            busy.is_idle = False
        for number in range(50):
            room.add(f"198.51.100.{number}")
        assert [one.was_closed for one in added] == [False] * 10 + [True] * 50 + [False] * 40

    in_loop(scenario)


def test_a_high_descriptor_is_a_sign_that_few_are_left() -> None:
    def scenario() -> None:
        room = Room()
        first = room.add("192.0.2.1", descriptor=20)
        room.add("192.0.2.2", descriptor=room.connections.max_descriptor - 1)
        assert not first.was_closed
        room.add("192.0.2.3", descriptor=room.connections.max_descriptor)
        assert first.was_closed

    in_loop(scenario)


@pytest.mark.parametrize("path", PATHS)
def test_a_new_caller_is_answered_and_the_oldest_idle_one_gives_way(path: str) -> None:
    with small_service(max_connections=3) as service, ExitStack() as stack:
        oldest, middle, newest = (stack.enter_context(Caller(service)) for _ in range(3))
        for caller in (oldest, middle, newest):
            caller.send(post(path, b"1"))
            assert caller.answer()[0] == 200
        another = stack.enter_context(Caller(service))
        another.send(post(path, b"1"))
        assert another.answer()[0] == 200
        assert oldest.is_closed()
        for caller in (middle, newest):
            caller.send(post(path, b"1"))
            assert caller.answer()[0] == 200


@pytest.mark.parametrize("path", PATHS)
def test_if_all_connections_are_busy_a_new_caller_gets_a_503(path: str) -> None:
    with small_service(max_connections=2) as service, ExitStack() as stack:
        busy = [stack.enter_context(Caller(service)) for _ in range(2)]
        for caller in busy:
            caller.send(head(path, "Content-Length: 5"))
        eventually(lambda: not any(one.is_idle for one in service.connections))
        status, headers, problem = stack.enter_context(Caller(service)).answer()
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert problem["status"] == 503
        for caller in busy:
            caller.send(b"12345")
            assert caller.answer()[2]["bytes"] == 5


def test_idle_connections_do_not_use_up_the_descriptors() -> None:
    command = [sys.executable, "-m", "tests.http.server.small_service", str(FEW_DESCRIPTORS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        idle = [Caller(port) for _ in range(MORE_CALLERS)]
        for path in PATHS:
            with Caller(port) as another:
                another.send(post(path, b"1"))
                assert another.answer()[0] == 200
        for caller in idle:
            caller.close()
        _, log = process.communicate("end")
        assert "idle, to make room" in log
