"""Where uploads lie until they are understood: a folder per process, and a folder per request.

A process holds a lock in its folder for as long as it lives, `kill -9` included, so that the next
one to start can tell what a dead process left from what a living one is still writing.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LOCK = "lock"


class UploadFolder:
    """This process's place below `data_dir/uploads`. Opened with `open_upload_folder`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def new_folder(self) -> Path:
        """An empty folder for one request; whoever asked removes it."""
        return Path(tempfile.mkdtemp(dir=self.path))


@contextmanager
def open_upload_folder(data_dir: Path) -> Iterator[UploadFolder]:
    """This process's upload folder, removed at the end; what dead processes left goes first.

    Raises:
        OSError: the folder cannot be made.
    """
    uploads = data_dir / "uploads"
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (uploads / LOCK).open("wb") as gate:
        # Held while folders come and go: no one takes ours for a dead one's before it is locked.
        fcntl.flock(gate, fcntl.LOCK_EX)
        _remove_abandoned(uploads)
        own = uploads / f"{os.getpid()}-{secrets.token_hex(4)}"
        own.mkdir(mode=0o700)
        lock = (own / LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield UploadFolder(own)
    finally:
        shutil.rmtree(own, ignore_errors=True)
        lock.close()


def _remove_abandoned(uploads: Path) -> None:
    for folder in uploads.iterdir():
        if folder.is_dir() and not folder.is_symlink() and not _is_held(folder / LOCK):
            shutil.rmtree(folder, ignore_errors=True)


def _is_held(path: Path) -> bool:
    try:
        lock: BinaryIO = path.open("rb+")
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
