"""The folder of open uploads: a folder for each api process, with a folder for each request.

A process holds a lock in its folder for as long as it lives, so that the next process to start can
tell the folders of dead processes, which it removes, from those in use. The kernel gives the lock
back even after a `kill -9`.
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

from app.config import Settings
from app.errors import InsufficientStorage

LOCK = "lock"
BLOCK_BYTES = 512  # the unit of st_blocks
MIB = 1 << 20


class UploadFolder:
    """The folder of this process below `data_dir/uploads`; opened with `open_upload_folder`."""

    def __init__(self, path: Path, *, space_bytes: int, reserve_bytes: int) -> None:
        """Use a folder.

        Args:
            path: the folder; those of the other processes of this machine are beside it.
            space_bytes: what all uploads of this machine may take together.
            reserve_bytes: what they leave free on the disk.
        """
        self.path = path
        self._space_bytes = space_bytes
        self._reserve_bytes = reserve_bytes

    def new_folder(self) -> Path:
        """Make an empty folder for one request, which the caller removes."""
        return Path(tempfile.mkdtemp(dir=self.path))

    def room_bytes(self) -> int:
        """Return how much may still be written here."""
        return max(0, min(self._space_left(), self._free_bytes() - self._reserve_bytes))

    def require_room(self, size: int) -> None:
        """Check that so many bytes may still be written.

        Raises:
            InsufficientStorage: they may not; the message says which limit is in the way.
        """
        free = self._free_bytes()
        if size > free - self._reserve_bytes:
            raise InsufficientStorage(
                f"disk full: {_mib(free)} are free where uploads are kept, and "
                f"{_mib(self._reserve_bytes)} stay free (STEPAHEAD_DISK_RESERVE_BYTES); nothing "
                "was stored. Try again when space was freed"
            )
        if size > self._space_left():
            raise InsufficientStorage(
                f"no room: the uploads under way take what they may together, "
                f"{_mib(self._space_bytes)} (STEPAHEAD_UPLOAD_SPACE_BYTES); nothing was stored. "
                "Try again when others are done"
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.path).free

    def _space_left(self) -> int:
        return self._space_bytes - _used_bytes(self.path.parent)


@contextmanager
def open_upload_folder(settings: Settings) -> Iterator[UploadFolder]:
    """Open the upload folder of this process until the block ends, then remove it.

    The folders of processes that died are removed first.

    Raises:
        OSError: the folder cannot be made.
    """
    uploads = settings.resolved_data_dir / "uploads"
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (uploads / LOCK).open("wb") as gate:
        # Held until our folder is locked, so that no other process takes it for abandoned.
        fcntl.flock(gate, fcntl.LOCK_EX)
        _remove_abandoned(uploads)
        own = uploads / f"{os.getpid()}-{secrets.token_hex(4)}"
        own.mkdir(mode=0o700)
        lock = (own / LOCK).open("wb")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield UploadFolder(
            own,
            space_bytes=settings.upload_space_bytes,
            reserve_bytes=settings.disk_reserve_bytes,
        )
    finally:
        shutil.rmtree(own, ignore_errors=True)
        lock.close()


def _used_bytes(folder: Path) -> int:
    """Return what the files below a folder take on the disk; others add and remove some."""
    used = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                used += (Path(place) / name).lstat().st_blocks * BLOCK_BYTES
            except FileNotFoundError:
                continue
    return used


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


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB"
