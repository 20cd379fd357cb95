from collections.abc import Iterator

import pytest

from tests.database import own_database
from tests.service import Service, running_service

MAX_UPLOAD_BYTES = 3 << 20


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api that accepts uploads of up to 3 MiB, with the real reader."""
    folder = tmp_path_factory.mktemp("uploads")
    with (
        own_database(cluster) as url,
        running_service(url, folder, max_upload_bytes=MAX_UPLOAD_BYTES) as running,
    ):
        yield running
