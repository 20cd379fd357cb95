from collections.abc import Iterator

import pytest

from tests.artifacts import persistence_artifact, window_text_artifact
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api for a module's tests; each uses its own models or changes nothing."""
    with (
        own_database(cluster) as url,
        running_service(url, tmp_path_factory.mktemp("actuals")) as running,
    ):
        running.register("google-stock", persistence_artifact())
        running.register("belling-the-cat", window_text_artifact())
        yield running
