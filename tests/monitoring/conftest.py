from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.artifacts import persistence_artifact, window_text_artifact
from tests.service import Service, running_service


@pytest.fixture
def service(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    """Yield an api with a series model that repeats the last value, and a text model."""
    with running_service(fresh_database, tmp_path) as running:
        running.register("google-stock", persistence_artifact())
        running.register("belling-the-cat", window_text_artifact())
        yield running
