import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from app.storage.embedded.errors import DataDirectoryInUse, explained


class DirectoryLock:
    """An flock on `<directory>/lock`, held by at most one service and released with its process.

    The file names the holder, for the message to a second service. It is never deleted: if a file
    is unlinked while another process waits for it, both would get a lock.

    Args:
        directory: an existing directory.
        address: where the holder answers, "host:port", if known.
    """

    def __init__(self, directory: Path, *, address: str | None = None) -> None:
        self.directory = directory
        self._address = address
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock without waiting; do nothing if this object already holds it.

        Raises:
            DataDirectoryInUse: another process holds it.
            EmbeddedPostgresError: the file cannot be opened or written.
        """
        if self._descriptor is not None:
            return
        path = self.directory / "lock"
        with explained("lock the data directory", path):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._write_holder(descriptor)
            except BlockingIOError:
                holder = _read_holder(descriptor)
                os.close(descriptor)
                raise DataDirectoryInUse(
                    f"{self.directory} is already served by another Stepahead{holder}. Stop that "
                    "one first, or give this one a directory of its own with STEPAHEAD_DATA_DIR."
                ) from None
            except OSError:
                os.close(descriptor)
                raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock; do nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write_holder(self, descriptor: int) -> None:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "address": self._address,
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)


def _read_holder(descriptor: int) -> str:
    """Describe the holder in the middle of a sentence; empty if it has not been written yet."""
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        words = f" (process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, TypeError, KeyError):
        return ""
    address = holder.get("address")
    return f"{words}, at {address})" if address else f"{words})"
