from collections.abc import Iterator
from pathlib import Path

import pytest

from app.language.tokenizer import BYTES
from tests.artifacts import (
    persistence_artifact,
    stream_text_artifact,
    tenths_of_level,
    window_text_artifact,
)
from tests.database import own_database
from tests.service import Service, running_service


def fill(running: Service) -> Service:
    """Series models of one column and two, of two steps, of overflow; texts in words or letters."""
    running.register("google-stock", persistence_artifact())
    running.register("two-columns", persistence_artifact(features=("Open", "Volume")))
    running.register(
        "two-steps", persistence_artifact(horizon=2, step=1.0, rmse_by_step=(0.6, 0.8))
    )
    running.register(
        "calibrated",
        persistence_artifact(horizon=3, intervals=tenths_of_level(steps=2, at_least=0.0)),
    )
    running.register("steep", persistence_artifact(step=1e308))
    running.register("belling-the-cat", window_text_artifact())
    running.register("stream", stream_text_artifact())
    euro = [BYTES[byte] for byte in "€".encode()]
    spelled = ("a", *euro, *(token for token in BYTES if token not in euro))
    running.register("spelling", stream_text_artifact(vocabulary=spelled, spells=True))
    return running


@pytest.fixture
def service(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    """Yield an api for this test only, which it may change and break."""
    with running_service(fresh_database, tmp_path) as running:
        yield fill(running)


@pytest.fixture(scope="module")
def asked(cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield an api to which a module's tests only send requests."""
    folder = tmp_path_factory.mktemp("asked")
    with (
        own_database(cluster) as database_url,
        running_service(database_url, folder, max_body_bytes=100_000) as running,
    ):
        yield fill(running)
