from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.engine import make_engine
from tests.artifacts import persistence_artifact, window_text_artifact
from tests.database import own_database
from tests.jobs.harness import Harness
from tests.service import Service, running_service


@pytest.fixture
def harness(fresh_database: str, tmp_path: Path) -> Iterator[Harness]:
    engine = make_engine(fresh_database)
    harness = Harness(fresh_database, engine, tmp_path)
    yield harness
    harness.close()
    engine.dispose()


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api with a model of each kind and without a worker, shared by a module's tests."""
    with (
        own_database(cluster) as url,
        running_service(url, tmp_path_factory.mktemp("jobs")) as running,
    ):
        running.register("prices", persistence_artifact())
        running.register("fable", window_text_artifact())
        yield running
