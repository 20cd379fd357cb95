import secrets
from collections.abc import Iterator

import pytest

from tests.conftest import create_database, drop_database, url_of
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """An api with an empty registry; each test uses models of its own name."""
    server_url, template = cluster
    name = f"stepahead_test_{secrets.token_hex(6)}"
    create_database(server_url, name, template=template)
    try:
        with running_service(
            url_of(server_url, name), tmp_path_factory.mktemp("registry")
        ) as running:
            yield running
    finally:
        drop_database(server_url, name)
