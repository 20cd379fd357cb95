"""Manage the folder of open uploads: a folder per api process, and in it a folder per request.

A process holds a lock in its folder as long as it lives. So the next process to start can tell the
folders of dead processes, which it removes, from those in use. The kernel releases the lock even
after a `kill -9`.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from anyio import CancelScope, to_thread

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
            path: the folder; those of the machine's other processes are beside it.
            space_bytes: limit on all uploads of this machine together.
            reserve_bytes: what they leave free on the disk.
        """
        self.path = path
        self._space_bytes = space_bytes
        self._reserve_bytes = reserve_bytes

    def new_folder(self) -> Path:
        """Make an empty folder for one request, which the caller removes."""
        return Path(tempfile.mkdtemp(dir=self.path))

    @asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """Yield an empty folder for one request, removed after it, also if it is cancelled."""
        folder = await to_thread.run_sync(self.new_folder)
        try:
            yield folder
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(lambda: shutil.rmtree(folder, ignore_errors=True))

    def room_bytes(self) -> int:
        """Return how much may still be written here."""
        return max(0, min(self._space_left(), self._free_bytes() - self._reserve_bytes))

    def require_room(self, size: int) -> None:
        """Check that this many bytes may still be written.

        Raises:
            InsufficientStorage: they may not; the message says which limit prevents it.
        """
        free = self._free_bytes()
        if size > free - self._reserve_bytes:
            raise InsufficientStorage(
                f"disk full: {_mib(free)} are free where uploads are kept, and "
                f"{_mib(self._reserve_bytes)} stay free (STEPAHEAD_DISK_RESERVE_BYTES); nothing "
                "was stored. Try again when space has been freed"
            )
        if size > self._space_left():
            raise InsufficientStorage(
                f"no room: open uploads already use all their space together, "
                f"{_mib(self._space_bytes)} (STEPAHEAD_UPLOAD_SPACE_BYTES); nothing was stored. "
                "Try again when they are finished"
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.path).free

    def _space_left(self) -> int:
        return self._space_bytes - _used_bytes(self.path.parent)


@contextmanager
def open_upload_folder(settings: Settings) -> Iterator[UploadFolder]:
    """Open the upload folder of this process until the block ends, then remove it.

    The folders of dead processes are removed first.

    Raises:
        OSError: the folder cannot be created.
    """
    uploads = settings.resolved_data_dir / "uploads"
    uploads.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (uploads / LOCK).open("wb") as gate:
        # Held until our folder is locked, so that no other process considers it abandoned.
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
    """Return the disk space used by the files in a folder, which may change at the same time."""
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
