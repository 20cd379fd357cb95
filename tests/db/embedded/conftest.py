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


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's user can pass; pytest's own are closed to all but one user."""
    folder = Path(tempfile.mkdtemp(prefix="stepahead-place-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stopped_service() -> Iterator[Path]:
    """A data directory that a service has used and left in good order."""
    folder = Path(tempfile.mkdtemp(prefix="stepahead-used-"))
    folder.chmod(0o711)
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
