from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.engine import make_engine
from tests.jobs.harness import Harness


@pytest.fixture
def harness(fresh_database: str, tmp_path: Path) -> Iterator[Harness]:
    engine = make_engine(fresh_database)
    harness = Harness(fresh_database, engine, tmp_path)
    yield harness
    harness.close()
    engine.dispose()
