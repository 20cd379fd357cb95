from collections.abc import Iterator

import pytest

from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api with an empty registry; each test uses its own model names."""
    folder = tmp_path_factory.mktemp("registry")
    with own_database(cluster) as url, running_service(url, folder) as running:
        yield running
