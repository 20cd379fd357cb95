"""Each answer and each refusal is logged with the name of the caller's key."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.predictions.batches.uniform import MIN_ROWS
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, eventually, running_service

ADMIN = "the admin's key"
ITEM = {"model": "prices", "history": [1.0, 2.0, 3.0]}


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """An api whose log holds answers to two keys and to the admin's."""
    folder = tmp_path_factory.mktemp("callers")
    with own_database(cluster) as url, running_service(url, folder, api_key=ADMIN) as running:
        running.register("prices", persistence_artifact())
        running.client.headers["Authorization"] = f"Bearer {ADMIN}"
        for name in ("shop", "nightly run"):
            body = {"name": name, "scope": "predict"}
            secret = running.client.post("/keys", json=body).json()["key"]
            ask_everything(running.url, secret)
        assert running.predict(**ITEM).is_success
        yield running


def ask_everything(url: str, secret: str) -> None:
    """Ask once, in a small batch with a wrong item, and in one that is answered as a block."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as client:
        assert client.post("/predict", json=ITEM).is_success
        wrong = ITEM | {"model": "nobody"}
        assert client.post("/predict/batch", json={"items": [ITEM, wrong]}).is_success
        assert client.post("/predict/batch", json={"items": [ITEM] * MIN_ROWS}).is_success
        assert client.post("/predict", json=ITEM | {"history": []}).status_code == 422


def keys(service: Service, path: str, **query: str) -> list[str | None]:
    answer = service.client.get(path, params={"limit": "500", **query})
    assert answer.status_code == 200, answer.text
    return [item["key"] for item in answer.json()["items"]]


def test_each_answer_names_the_key_that_asked(service: Service) -> None:
    found = keys(service, "/predictions")
    assert found.count("shop") == found.count("nightly run") == 2 + MIN_ROWS
    newest = service.client.get("/predictions", params={"limit": "1"}).json()["items"][0]
    assert newest["key"] not in {None, "shop", "nightly run"}
    one = service.client.get(f"/predictions/{newest['id']}").json()
    assert one["key"] == newest["key"]


def test_the_log_can_be_filtered_by_key(service: Service) -> None:
    assert set(keys(service, "/predictions", key="nightly run")) == {"nightly run"}
    assert keys(service, "/predictions", key="nobody's") == []


def test_a_refusal_names_the_key_too(service: Service) -> None:
    eventually(lambda: len(keys(service, "/refused")) == 4)
    assert keys(service, "/refused", key="shop") == ["shop", "shop"]


def test_an_export_has_the_keys(service: Service) -> None:
    query = {"format": "csv", "key": "shop"}
    rows = list(
        csv.DictReader(io.StringIO(service.client.get("/predictions/export", params=query).text))
    )
    assert [row["key"] for row in rows] == ["shop"] * (2 + MIN_ROWS)


def test_without_keys_there_is_none(cluster: tuple[str, str], tmp_path: Path) -> None:
    with own_database(cluster) as url, running_service(url, tmp_path) as service:
        service.register("prices", persistence_artifact())
        assert service.predict(**ITEM).is_success
        assert keys(service, "/predictions") == [None]
