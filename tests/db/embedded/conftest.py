import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.db.embedded import EmbeddedPostgres

Make = Callable[..., EmbeddedPostgres]


MEMORY = Path("/dev/shm")  # noqa: S108 (only as the parent of a fresh private directory)


def make_folder() -> Path:
    """A folder that PostgreSQL's user can pass; pytest's own are closed to all but one user.

    In memory where there is room and programs may run: these tests write some gigabytes.
    """
    memory = os.statvfs(MEMORY) if os.access(MEMORY, os.W_OK) else None
    roomy = memory is not None and memory.f_bavail * memory.f_frsize > 2 << 30
    runs_programs = memory is not None and not memory.f_flag & os.ST_NOEXEC
    parent = MEMORY if roomy and runs_programs else None
    folder = Path(tempfile.mkdtemp(prefix="stepahead-place-", dir=parent))
    folder.chmod(0o711)
    return folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the test's own."""
    folder = make_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stopped_service() -> Iterator[Path]:
    """A data directory that a service has used and left in good order."""
    folder = make_folder()
    with EmbeddedPostgres(folder / "data", slots=folder / "slots"):
        pass
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def used(stopped_service: Path, place: Path) -> Path:
    """A copy of it: ten times as fast as a first start."""
    subprocess.run(["/bin/cp", "-a", str(stopped_service), str(place / "data")], check=True)
    return place / "data"


@pytest.fixture
def make(place: Path) -> Iterator[Make]:
    """Makes an EmbeddedPostgres whose slots are in `place`, and stops it after the test."""
    with ExitStack() as stack:

        def made(data_dir: Path, *, bin_dir: Path | None = None) -> EmbeddedPostgres:
            embedded = EmbeddedPostgres(data_dir, bin_dir=bin_dir, slots=place / "slots")
            stack.callback(embedded.stop)
            return embedded

        yield made


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become PostgreSQL's user")
