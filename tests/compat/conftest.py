from collections.abc import Iterator

import pytest
import tritonclient.http as triton

from tests.artifacts import (
    persistence_artifact,
    stream_text_artifact,
    tenths_of_level,
    window_text_artifact,
)
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """An api that a module's tests only ask."""
    folder = tmp_path_factory.mktemp("compat")
    with (
        own_database(cluster) as url,
        running_service(url, folder, max_body_bytes=100_000) as running,
    ):
        running.register("prices", persistence_artifact())
        running.register("two-columns", persistence_artifact(features=("Open", "levels")))
        running.register(
            "calibrated",
            persistence_artifact(
                frequency="D", horizon=3, step=1.0, intervals=tenths_of_level(steps=2)
            ),
        )
        running.register("fable", window_text_artifact())
        running.register("letters", stream_text_artifact())
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[triton.InferenceServerClient]:
    """NVIDIA's client, as it is."""
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as made:
        yield made
