"""Folders that PostgreSQL's own user can reach when root runs the tests.

Pytest's are closed to all but one user; a cluster below them would be put under /var/lib/stepahead,
as the product does it for a closed home, and would stay there.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108 (only as the parent of a fresh private directory)


def make_folder() -> Path:
    """Return a new folder, in memory if possible, because tests write gigabytes."""
    memory = os.statvfs(MEMORY) if os.access(MEMORY, os.W_OK) else None
    roomy = memory is not None and memory.f_bavail * memory.f_frsize > 2 << 30
    runs_programs = memory is not None and not memory.f_flag & os.ST_NOEXEC
    parent = MEMORY if roomy and runs_programs else None
    folder = Path(tempfile.mkdtemp(prefix="stepahead-test-", dir=parent))
    folder.chmod(0o711)
    return folder


@contextmanager
def open_place() -> Iterator[Path]:
    """Yield a new folder and remove it afterwards."""
    folder = make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
