"""Open the listening socket once, in the supervisor; the api processes inherit it.

So a port that is in use is noticed before anything is started, and while an api process restarts,
new connections wait in the socket's queue instead of being refused.
"""

import errno
import socket
import time

BACKLOG = 2048
# After a `kill -9` of the service, its api processes need a moment to notice and release the port.
PATIENCE_SECONDS = 1.5


class CannotListen(RuntimeError):
    """The address cannot be used; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Open a listening TCP socket; port 0 means any free port.

    Raises:
        CannotListen: the port is in use or not allowed, or the host is not an address of this
            machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:  # UnicodeError: not a valid host name
        raise CannotListen(f"the host {host!r} is unknown ({error})") from error
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
    """Return the URL under which a client on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 (compared only)


def location_of(listener: socket.socket) -> str:
    """Return the address of the socket as "host:port", as in a URL."""
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
