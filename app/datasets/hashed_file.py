"""A file that is hashed and synced to the disk while it is written."""

import hashlib
import os
from pathlib import Path

# Syncing 70 MB at once delayed every commit of a database on the same disk by 30 ms.
SYNC_BYTES = 4 << 20


class HashedFile:
    """A new file and the sha256 of what was written to it; the caller closes it.

    Raises:
        OSError: the file exists, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0  # bytes
        self._digest = hashlib.sha256()
        self._synced = 0
        self._file = path.open("xb")

    @property
    def sha256(self) -> str:
        """Return the digest of all bytes so far, in lower-case hexadecimal."""
        return self._digest.hexdigest()

    def write(self, data: bytes | memoryview) -> None:
        """Append data."""
        whole = memoryview(data)
        for start in range(0, len(whole), SYNC_BYTES):
            piece = whole[start : start + SYNC_BYTES]
            self._digest.update(piece)
            self._file.write(piece)
            self.size += len(piece)
            if self.size - self._synced >= SYNC_BYTES:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._synced = self.size

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def write_hashed(path: Path, data: bytes) -> str:
    """Write a file, replacing one of that name, and return its sha256.

    Raises:
        OSError: it cannot be written.
    """
    path.unlink(missing_ok=True)  # a reader that died may have left it
    file = HashedFile(path)
    try:
        file.write(data)
    finally:
        file.close()
    return file.sha256
