"""Reach the embedded database from a command beside the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.storage.embedded.errors import DataDirectoryInUse
from app.storage.embedded.server import EmbeddedPostgres, database_url
from app.storage.embedded.site import find_site
from app.storage.embedded.socket_directory import open_socket_directory


@contextmanager
def reached(data_dir: Path) -> Iterator[str]:
    """Yield the URL of a data directory's database while it can be used.

    If a service is running on the directory, its server is used. Otherwise a server is started, and
    stopped at the end.

    Raises:
        EmbeddedPostgresError: neither is possible; the message says why.
    """
    server = EmbeddedPostgres(data_dir)
    try:
        url = server.start()
    except DataDirectoryInUse:
        site = find_site(data_dir.expanduser().resolve())
        if site is None:  # a service is just creating it
            raise
        yield database_url(open_socket_directory(site))
        return
    try:
        yield url
    finally:
        server.stop()
