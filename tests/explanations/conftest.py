from collections.abc import Iterator

import pytest

from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield the api with the shipped versions; tests add versions under their own names."""
    folder = tmp_path_factory.mktemp("explanations")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running
