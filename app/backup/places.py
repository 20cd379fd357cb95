"""Open a backup by its place: a file on this machine, or the URL of an object in a bucket."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from app.errors import Unavailable

SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})


@contextmanager
def written(place: str) -> Iterator[Path]:
    """Yield the file to write a backup to; for a URL, upload it when the block ends.

    Raises:
        ValueError: the URL does not name an object in a usable bucket.
        Unavailable: the bucket could not be written.
    """
    if not is_url(place):
        yield Path(place).expanduser().absolute()
        return
    with tempfile.TemporaryDirectory(prefix="stepahead-backup-") as folder:
        path = Path(folder) / "backup.tar"
        yield path
        bucket, key = _bucket_and_key(place)
        with _named(place):
            obstore.put(bucket, key, path)


@contextmanager
def opened(place: str) -> Iterator[IO[bytes]]:
    """Yield a backup for reading from front to back.

    Raises:
        ValueError: the URL does not name an object in a usable bucket.
        FileNotFoundError: the file does not exist.
        Unavailable: the bucket could not be read.
    """
    if not is_url(place):
        with Path(place).expanduser().open("rb") as file:
            yield file
        return
    bucket, key = _bucket_and_key(place)
    with tempfile.TemporaryFile() as file:
        with _named(place):
            for piece in obstore.get(bucket, key).stream():
                file.write(piece)
        file.seek(0)
        yield file


def is_url(place: str) -> bool:
    """Return whether a place is the URL of an object and not a file's path."""
    return urlsplit(place).scheme in SCHEMES


def _bucket_and_key(url: str) -> tuple[obstore.store.ObjectStore, str]:
    place, _, key = url.rpartition("/")
    if not key or not urlsplit(place).netloc:
        raise ValueError(
            f"{url!r} does not name an object: a backup's URL looks like "
            "s3://bucket/folder/backup.tar"
        )
    try:
        return from_url(place), key
    except BaseError as error:
        raise ValueError(f"{url!r} cannot be used: {str(error).splitlines()[0]}") from error


@contextmanager
def _named(url: str) -> Iterator[None]:
    try:
        yield
    except BaseError as error:
        raise Unavailable(f"{url} cannot be used: {str(error).splitlines()[0]}") from error
