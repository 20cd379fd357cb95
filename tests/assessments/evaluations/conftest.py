from collections.abc import Iterator

import pytest

from tests.artifacts import persistence_artifact, window_text_artifact
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api with a model of each kind and with the real reader."""
    folder = tmp_path_factory.mktemp("evaluations")
    with own_database(cluster) as url, running_service(url, folder) as running:
        running.register("prices", persistence_artifact(window=3, step=1.0))
        running.register("fable", window_text_artifact())
        yield running
