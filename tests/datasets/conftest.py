import secrets
from collections.abc import Iterator

import pytest

from tests.conftest import create_database, drop_database, url_of
from tests.service import Service, running_service

MAX_UPLOAD_BYTES = 3 << 20


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """An api that takes uploads of up to 3 MiB, with the real reader."""
    server_url, template = cluster
    name = f"stepahead_test_{secrets.token_hex(6)}"
    create_database(server_url, name, template=template)
    try:
        with running_service(
            url_of(server_url, name),
            tmp_path_factory.mktemp("uploads"),
            max_upload_bytes=MAX_UPLOAD_BYTES,
        ) as running:
            yield running
    finally:
        drop_database(server_url, name)
