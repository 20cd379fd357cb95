"""Define the fixtures that all tests share, and the order in which files go to processes.

What starts PostgreSQL, a service or TensorFlow is imported by the fixture that needs it, so that a
test of arithmetic runs at once.
"""

import gc
import shutil
import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.late_imports import HAS_TENSORFLOW, HEAVY, MARKER, during, import_when_used
from tests.places import open_place
from tests.scheduling import sort_by_place

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

    from tests.database import Cluster
    from tests.serving import Served

TESTS = Path(__file__).resolve().parent
SHARED_DATA = TESTS.parent.parent / "shared" / "data"
TRAINING = TESTS / "training"
EMBEDDED = TESTS / "storage" / "embedded"
WITH_TRAINER = {"whole_service"}
CLUSTER = pytest.StashKey["Cluster"]()

for heavy in HEAVY:
    import_when_used(heavy)


def running_cluster(config: pytest.Config) -> "Cluster":
    """Return the run's PostgreSQL, which may not have been started yet."""
    from tests.database import Cluster

    if CLUSTER not in config.stash:
        config.stash[CLUSTER] = Cluster()
    return config.stash[CLUSTER]


def pytest_unconfigure(config: pytest.Config) -> None:
    if CLUSTER in config.stash:
        config.stash[CLUSTER].stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with during(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage during imports, and do not traverse what was imported during the tests.

    This took a sixth of the time in which each process of a parallel run collects tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set markers according to what a test uses, and order the files."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "cluster" in fixtures:
            item.add_marker("database")
        if fixtures & WITH_TRAINER or item.path.is_relative_to(TRAINING):
            item.add_marker(MARKER)
        if item.path.is_relative_to(EMBEDDED):
            item.add_marker("linux")
        if sys.platform != "linux" and item.get_closest_marker("linux") is not None:
            item.add_marker(pytest.mark.skip("needs the embedded PostgreSQL or /proc: Linux only"))
        if not HAS_TENSORFLOW and item.get_closest_marker(MARKER) is not None:
            item.add_marker(pytest.mark.skip("needs TensorFlow, which `make test` installs"))
    sort_by_place(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> "LoadScopeScheduling | None":
    """With `--dist loadfile`, let one process run all tests that share an expensive fixture."""
    from tests.scheduling import Together

    return Together(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell each process of a parallel run where to request the shared PostgreSQL."""
    address = running_cluster(node.config).listen()  # type: ignore[attr-defined]
    node.workerinput["cluster"] = address  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> tuple[str, str]:
    """Return the server's URL and the migrated template's name; start the server if necessary."""
    from tests.database import start_elsewhere

    workerinput = getattr(pytestconfig, "workerinput", None)
    if workerinput is not None:
        return start_elsewhere(*workerinput["cluster"])
    return running_cluster(pytestconfig).start()


@pytest.fixture
def fresh_database(cluster: tuple[str, str]) -> Iterator[str]:
    """Yield the URL of a migrated, empty database for this test, for real commits."""
    from tests.database import own_database

    with own_database(cluster) as url:
        yield url


@pytest.fixture(scope="session")
def other_major() -> Iterator[Path]:
    """PostgreSQL 16, which the package ships beside 18; every user can reach this copy of it."""
    from app.storage.embedded.account import current_account
    from app.storage.embedded.binaries import PACKAGE, find_binaries

    packages = find_binaries(None, current_account()).bin_dir.parents[2]
    with open_place() as folder:
        for name in (f"{PACKAGE}/pginstall", f"{PACKAGE}.libs"):
            shutil.copytree(packages / name, folder / name)
        yield folder / PACKAGE / "pginstall" / "bin"


@pytest.fixture(scope="session")
def shared_engine(cluster: tuple[str, str]) -> "Iterator[Engine]":
    """Yield an engine on a migrated database of this test process, for tests that roll back."""
    from app.storage.engine import make_engine
    from tests.database import own_database

    with own_database(cluster) as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def session(shared_engine: "Engine") -> "Iterator[Session]":
    """Yield a session whose work, including commits, is rolled back after the test."""
    from sqlalchemy.orm import Session

    with shared_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a folder for this test that PostgreSQL's user can reach."""
    with open_place() as folder:
        yield folder


@pytest.fixture
def free_port() -> str:
    """Return a free port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture(scope="session")
def whole_service() -> "Iterator[Served]":
    """Yield `stepahead serve` with a real trainer; each test uses its own models in it.

    Its home is that of somebody who also uses Keras, with a backend other than TensorFlow.
    """
    from tests.serving import served, wait_until

    with open_place() as folder:
        keras = folder / "home" / ".keras"
        keras.mkdir(parents=True)
        (keras / "keras.json").write_text('{"backend": "jax", "floatx": "float16"}')
        environment = {"HOME": str(folder / "home"), "KERAS_BACKEND": "jax"}
        with served(folder / "data", environment=environment) as running:
            wait_until(lambda: "trainer ready" in running.output, 120)
            yield running


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the real data beside the project, or skip the test if it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the chapter's data files are not next to this checkout (../shared/data)")
    return SHARED_DATA
