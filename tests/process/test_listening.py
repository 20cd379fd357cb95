import socket

import pytest

from app.process.listening import CannotListen, listen, location_of


def test_any_free_port_is_reported() -> None:
    with listen("127.0.0.1", 0) as listener:
        host, _, port = location_of(listener).partition(":")
        assert host == "127.0.0.1"
        with socket.create_connection((host, int(port))):
            pass


def test_all_addresses_are_reached_at_loopback() -> None:
    with listen("0.0.0.0", 0) as listener:  # noqa: S104 (a test's port, closed at once)
        assert location_of(listener).startswith("127.0.0.1:")


def test_a_taken_port_is_reported_with_what_to_do() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotListen, match=f"port {port} on 127.0.0.1 is already in use"):
            listen("127.0.0.1", port)


def test_a_port_can_be_reused_at_once_after_a_connection() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = first.accept()
        accepted.close()
    listen("127.0.0.1", port).close()
    client.close()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1 is not an address of this machine"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["a..b", "a" * 300])
def test_an_invalid_host_is_reported(host: str) -> None:
    with pytest.raises(CannotListen, match=f"the host '{host}' is unknown"):
        listen(host, 0)
