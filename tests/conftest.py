"""One PostgreSQL per run, one migrated template in it, a database of its own for who asks.

The embedded PostgreSQL is used unless STEPAHEAD_DATABASE_URL names a server; there the tests make
databases of their own and never touch the one that is named.
"""

import gc
import importlib
import importlib.util
import os
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import ModuleType

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling, LoadScopeScheduling

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo, database_url, make_engine
from app.storage.migrate import upgrade
from tests.places import make_folder, open_place
from tests.serving import Served, served, wait_until

TESTS = Path(__file__).resolve().parent
SHARED_DATA = TESTS.parent.parent / "shared" / "data"
TEMPLATE = "stepahead_test_template"
# Tests write `import NAME` of these, as nothing comes of it before something in NAME is used.
HEAVY = (
    "keras",
    "scipy",
    "sklearn",
    "tensorflow",
    "app.judging.mlp_baseline",  # with scikit-learn
    "app.judging.text_mlp",
)
ASKED_OF_PACKAGES = {"__path__", "__version__"}  # by imports of their modules, by who names them

# What the tests of several files share, and which files those are.
SHARED = {
    "one whole service": (
        "jobs/test_real_trainer.py",
        "terminal/test_served_files.py",
        "test_readme.py",
        "web/test_training.py",
    ),
    "one import of TensorFlow and scikit-learn": (
        "training/",
        "cells/test_keras.py",
        "cells/test_network.py",
        "forecasting/",
        "judging/",
        "registry/test_promotion.py",
    ),
}
# What takes longest, so that nothing of it is begun last.
FIRST = (
    *(start for starts in SHARED.values() for start in starts),
    "test_supervisor.py",
    "jobs/test_worker.py",
    "test_survival.py",
    "examples/test_chapter_document.py",
    "jobs/test_database_loss.py",
    "web/",
)


def import_when_used(name: str) -> None:
    """Let `import name` cost nothing until something in the module is asked for.

    Every process of a parallel run collects all tests, and one of them runs those that need
    TensorFlow, whose import takes 5 seconds, or scikit-learn, which takes more than one.
    """
    spec = importlib.util.find_spec(name)
    if name in sys.modules or spec is None:
        return
    stand_in = ModuleType(name)

    def ask(attribute: str) -> object:
        if sys.modules.get(name) is stand_in:
            if attribute.startswith("_") and attribute not in ASKED_OF_PACKAGES:
                raise AttributeError(attribute)  # pytest and `inspect` look at all there is
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    stand_in.__spec__, stand_in.__file__ = spec, spec.origin
    stand_in.__dict__["__getattr__"] = ask
    sys.modules[name] = stand_in


for heavy in HEAVY:
    import_when_used(heavy)


class Cluster:
    """The PostgreSQL of this test run, owned by the process that pytest was started in."""

    def __init__(self) -> None:
        self.folder = make_folder()
        self.embedded: EmbeddedPostgres | None = None
        given = os.environ.get("STEPAHEAD_DATABASE_URL")
        if given is None:
            self.embedded = EmbeddedPostgres(self.folder / "data")
            given = self.embedded.start()
        self.server_url = given
        self.template = f"{TEMPLATE}_{secrets.token_hex(4)}"
        create_database(self.server_url, self.template)
        engine = make_engine(url_of(self.server_url, self.template))
        upgrade(engine)
        engine.dispose()

    def stop(self) -> None:
        """Leave nothing behind."""
        drop_database(self.server_url, self.template)
        if self.embedded is not None:
            self.embedded.stop()
        shutil.rmtree(self.folder)


def url_of(server_url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return database_url(server_url).set(database=name).render_as_string(hide_password=False)


def create_database(server_url: str, name: str, *, template: str = "template1") -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        connection.execute(statement)


def drop_database(server_url: str, name: str) -> None:
    statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(conninfo(server_url), autocommit=True) as connection:
        for last_try in (*[False] * 40, True):
            try:
                connection.execute(statement)
            except psycopg.errors.InsufficientPrivilege:
                # Autovacuum is at work there, which only a superuser may end; it ends soon.
                if last_try:
                    raise
                time.sleep(0.25)
            else:
                return


CLUSTER = pytest.StashKey[Cluster]()


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL once, in the process that also ends it (with xdist: the controller)."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.stash[CLUSTER] = Cluster()


def pytest_unconfigure(config: pytest.Config) -> None:
    if CLUSTER in config.stash:
        config.stash[CLUSTER].stop()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Do not look for garbage while everything is imported, nor among it in the tests.

    It took a sixth of the time that each process of a parallel run collects tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the database, to be run again on another PostgreSQL; long files first.

    Else a file of slow tests might be begun when all others are done.
    """
    for item in items:
        if "cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("database")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (_place(item), item.path not in slow))  # files stay in one piece


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(TESTS).as_posix()
    return next((i for i, start in enumerate(FIRST) if name.startswith(start)), len(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """With `--dist loadfile`: what is dear and can be shared is shared by one process's tests."""
    return Together(config, log) if config.option.dist == "loadfile" else None


class Together(LoadFileScheduling):  # type: ignore[misc]
    """Files as pieces of work, in the order of collection; some of them are one piece."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        name = file.removeprefix("tests/")
        return next((what for what, starts in SHARED.items() if name.startswith(starts)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell each xdist worker where the one PostgreSQL is."""
    cluster = node.config.stash[CLUSTER]  # type: ignore[attr-defined]
    node.workerinput["cluster"] = (cluster.server_url, cluster.template)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> tuple[str, str]:
    """The server's URL and the migrated template's name."""
    workerinput = getattr(pytestconfig, "workerinput", None)
    if workerinput is not None:
        server_url, template = workerinput["cluster"]
        return server_url, template
    running = pytestconfig.stash[CLUSTER]
    return running.server_url, running.template


@pytest.fixture
def fresh_database(cluster: tuple[str, str]) -> Iterator[str]:
    """URL of a migrated, empty database of the test's own, for real commits."""
    server_url, template = cluster
    name = f"stepahead_test_{secrets.token_hex(6)}"
    create_database(server_url, name, template=template)
    yield url_of(server_url, name)
    drop_database(server_url, name)


@pytest.fixture(scope="session")
def shared_engine(cluster: tuple[str, str]) -> Iterator[Engine]:
    """An engine on a migrated database of this test process, for tests that roll back."""
    server_url, template = cluster
    name = f"stepahead_test_{secrets.token_hex(6)}"
    create_database(server_url, name, template=template)
    engine = make_engine(url_of(server_url, name))
    yield engine
    engine.dispose()
    drop_database(server_url, name)


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[Session]:
    """A session whose work, flushes and commits alike, is rolled back after the test."""
    with shared_engine.connect() as connection:
        transaction = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the test's own that PostgreSQL's user can reach."""
    with open_place() as folder:
        yield folder


@pytest.fixture
def free_port() -> str:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture(scope="session")
def whole_service() -> Iterator[Served]:
    """`stepahead serve` with a real trainer; each test has models of its own in it.

    Its home is that of somebody who uses Keras too, on something else than TensorFlow.
    """
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
    """The real data that lies beside the project, where it does."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the chapter's data files are not beside this checkout (../shared/data)")
    return SHARED_DATA
