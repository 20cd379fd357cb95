"""The listening socket, opened once by whoever supervises and inherited by the api processes.

So a taken port is known before anything is started, and while an api process is started again new
connections wait in the socket's queue instead of being refused.
"""

import errno
import socket
import time

BACKLOG = 2048
# After a `kill -9` of the service its api processes need a moment to notice and let the port go.
PATIENCE_SECONDS = 1.5


class CannotListen(RuntimeError):
    """The address cannot be had; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes any free one.

    Raises:
        CannotListen: the port is taken or not allowed, or the host is not of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: no name is spelled like that
        raise CannotListen(f"the host {host!r} is not known here ({error})") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind_patiently(listener, address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(_explained(error, host, port)) from error
    return listener


def address_of(listener: socket.socket) -> tuple[str, int]:
    """Where a client on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 (compared only)


def location_of(listener: socket.socket) -> str:
    """The same as "host:port", as it stands in a URL."""
    host, port = address_of(listener)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind_patiently(listener: socket.socket, address: object) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            listener.bind(address)  # type: ignore[arg-type]
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _explained(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is already in use, by another Stepahead perhaps. Stop that "
            f"program, or choose another port: --port {port + 1} or STEPAHEAD_PORT={port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights than this user has; ports from 1024 do not"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; 0.0.0.0 listens on all of them"
    return f"cannot listen on {host} port {port}: {error.strerror}"
