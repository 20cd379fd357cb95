from collections.abc import Iterator

import pytest

from tests.http.server.small_service import Caller, SmallService, small_service


@pytest.fixture
def service() -> Iterator[SmallService]:
    with small_service() as running:
        yield running


@pytest.fixture
def caller(service: SmallService) -> Iterator[Caller]:
    with Caller(service) as connected:
        yield connected
