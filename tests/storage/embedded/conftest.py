import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.storage.embedded import EmbeddedPostgres
from tests.places import open_place

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture(scope="session")
def stopped_service() -> Iterator[Path]:
    """Return a data directory that a service has used and stopped properly."""
    with open_place() as folder:
        with EmbeddedPostgres(folder / "data", slots=folder / "slots"):
            pass
        yield folder / "data"


@pytest.fixture
def used(stopped_service: Path, place: Path) -> Path:
    """Return a copy of it, which is ten times as fast as a first start."""
    subprocess.run(["/bin/cp", "-a", str(stopped_service), str(place / "data")], check=True)
    return place / "data"


@pytest.fixture
def make(place: Path) -> Iterator[Make]:
    """Return a function that creates an EmbeddedPostgres with slots in `place`; stop it later."""
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
