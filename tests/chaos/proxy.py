"""A TCP proxy that can stop forwarding without closing, as a hung load balancer or a cut cable."""

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from app.storage.engine import conninfo

BLOCK_BYTES = 1 << 16


class Proxy:
    """Listens on a free port of loopback and forwards to where `connect` leads.

    The kernel goes on acknowledging what is sent to a frozen connection, so that no TCP timeout
    notices: only a limit of the client's own does.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[Pair] = []
        self._lock = threading.Lock()
        self._freezes_new = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self, *, new_too: bool = False) -> int:
        """Stop forwarding on all connections there are; gives how many.

        Args:
            new_too: later connections are frozen from the start as well.
        """
        if new_too:
            self._freezes_new.set()
        with self._lock:
            open_pairs = [pair for pair in self._pairs if pair.freeze()]
        return len(open_pairs)

    def thaw(self) -> None:
        """Resume forwarding, including what was held back."""
        self._freezes_new.clear()
        with self._lock:
            for pair in self._pairs:
                pair.thaw()

    def cut(self) -> None:
        """Close all connections; what was held back is lost."""
        with self._lock:
            for pair in self._pairs:
                pair.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.append(Pair(client, server, frozen=self._freezes_new.is_set()))


@contextmanager
def database_proxy(url: str) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy in front of a database, and the database's URL through it."""
    where = conninfo_to_dict(conninfo(url))
    host, port = str(where.get("host") or "localhost"), int(where.get("port") or 5432)

    def connect_to_server() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    parts = make_url(url)
    query = {key: value for key, value in parts.query.items() if key not in {"host", "port"}}
    with Proxy(connect_to_server) as proxy:
        through = parts.set(host="127.0.0.1", port=proxy.port, query=query)
        yield proxy, through.render_as_string(hide_password=False)


class Pair:
    """A client's connection and the corresponding one to the server."""

    def __init__(self, client: socket.socket, server: socket.socket, *, frozen: bool) -> None:
        self._sockets = (client, server)
        self._flows = threading.Event()
        if not frozen:
            self._flows.set()
        self._closed = threading.Event()
        threading.Thread(target=self._forward, daemon=True).start()

    def freeze(self) -> bool:
        """Stop forwarding; return whether the connection was open."""
        self._flows.clear()
        return not self._closed.is_set()

    def thaw(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._closed.set()
        self._flows.set()
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side has already closed it
                continue

    def _forward(self) -> None:
        client, server = self._sockets
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready, client, server:
            for one in self._sockets:
                ready.register(one, selectors.EVENT_READ)
            try:
                while not self._closed.is_set():
                    for key, _ in ready.select(0.5):
                        self._flows.wait()
                        if self._closed.is_set():  # what was held back is lost
                            return
                        source = key.fileobj
                        assert isinstance(source, socket.socket)
                        block = source.recv(BLOCK_BYTES)
                        if not block:
                            return
                        other[source].sendall(block)
            except OSError:
                return
            finally:
                self._closed.set()
