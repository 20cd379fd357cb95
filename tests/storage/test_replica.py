"""A replica for lists and exports; here a second database that never catches up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture
def replica(cluster: tuple[str, str]) -> Iterator[str]:
    with own_database(cluster) as url:
        yield url


@pytest.fixture
def service(fresh_database: str, replica: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(fresh_database, tmp_path, read_database_url=replica) as running:
        running.register("prices", persistence_artifact())
        yield running


@pytest.mark.parametrize(
    "path", ["/predictions", "/refused", "/models", "/jobs", "/datasets", "/audit"]
)
def test_lists_are_read_from_the_replica(service: Service, path: str) -> None:
    service.predict(model="prices", history=[1.0, 2.0, 3.0])
    service.predict(model="prices", history=[])
    assert service.client.get(path).json()["items"] == []


def test_an_export_is_read_from_the_replica(service: Service) -> None:
    service.predict(model="prices", history=[1.0, 2.0, 3.0])
    assert len(service.client.get("/predictions/export").text.splitlines()) == 1


def test_all_else_is_read_from_the_database(service: Service) -> None:
    answer = service.predict(model="prices", history=[1.0, 2.0, 3.0])
    assert service.client.get(f"/predictions/{answer.json()['id']}").is_success
    assert service.client.get("/models/prices").is_success
