"""Folders in the data directory where a worker's trainer reads and writes."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "lock"


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """Yield a folder of this process's own, removed at the end.

    Folders of killed workers are removed too: a living worker holds the lock in its folder. Process
    ids would not tell, because containers share a volume and count their own.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / LOCK).open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        _remove_abandoned(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        held = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _remove_abandoned(parent: Path) -> None:
    for lock in parent.glob(f"*/{LOCK}"):
        with lock.open("r+") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            # A trainer whose worker was killed may write its last file at this moment.
            shutil.rmtree(lock.parent, ignore_errors=True)
