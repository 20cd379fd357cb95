"""Files that the object store has lost: every call that needs one names it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service

CSV = b"Date,Open\n" + b"".join(b"2017-01-%02d,%d.5\n" % (day, day) for day in range(1, 32))
PRICES = [778.81, 788.36, 786.08]
MODEL = "/models/google-stock/versions/1"
FROM_BACKUP = "put it back from a backup"
UPLOAD_AGAIN = f"upload the file again, or {FROM_BACKUP}"


@pytest.fixture
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api with the shipped versions, none of which has been loaded yet."""
    folder = tmp_path_factory.mktemp("lost")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


@pytest.fixture(params=["is missing from", "is damaged in"])
def fault(request: pytest.FixtureRequest) -> str:
    """Return what will be wrong with every stored file."""
    chosen: str = request.param
    return chosen


def lose_all(service: Service, fault: str) -> None:
    for file in objects(service):
        if fault == "is missing from":
            file.unlink()
        else:
            file.chmod(0o600)
            file.write_bytes(b"something else")


def objects(service: Service) -> list[Path]:
    return [
        path
        for path in (service.settings.resolved_data_dir / "store/objects").rglob("*")
        if path.is_file()
    ]


def assert_told(answer: httpx.Response, what: str, fault: str, mend: str) -> None:
    assert answer.status_code == 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == f"{what} {fault} the object store; {mend}"
    assert answer.json()["type"] == "/problems/stored-file-lost"


CALLS_ON_A_VERSION: dict[str, tuple[str, Callable[[Service], httpx.Response]]] = {
    "predict": (
        "model.onnx",
        lambda service: service.predict(model="google-stock", history=PRICES),
    ),
    "explain": (
        "weights.safetensors",
        lambda service: service.client.post(
            "/explain", json={"model": "google-stock", "history": PRICES}
        ),
    ),
    "download": ("model.onnx", lambda service: service.client.get(f"{MODEL}/files/model.onnx")),
}


@pytest.mark.parametrize("call", CALLS_ON_A_VERSION)
def test_a_lost_file_of_a_version_is_named(service: Service, fault: str, call: str) -> None:
    file, ask = CALLS_ON_A_VERSION[call]
    if call == "explain":  # looks into weights of a version that answers
        assert service.predict(model="google-stock", history=PRICES).is_success
    lose_all(service, fault)

    assert_told(ask(service), f"{file} of version 1 of 'google-stock'", fault, FROM_BACKUP)


def test_an_archive_that_lacks_a_file_is_not_begun(service: Service) -> None:
    lose_all(service, "is missing from")

    answer = service.client.get(f"{MODEL}/archive")

    files = sorted(service.client.get(MODEL).json()["files"], key=lambda file: str(file["name"]))
    what = f"{files[0]['name']} of version 1 of 'google-stock'"
    assert_told(answer, what, "is missing from", FROM_BACKUP)


def test_one_item_of_a_batch_may_be_of_a_version_that_lost_its_file(
    service: Service, fault: str
) -> None:
    assert service.predict(model="belling-the-cat", text="long ago , the").is_success
    lose_all(service, fault)
    items = [
        {"model": "google-stock", "history": PRICES},
        {"model": "belling-the-cat", "text": "long ago , the"},
    ]

    first, second = service.client.post("/predict/batch", json={"items": items}).json()["items"]

    assert first["error"]["detail"].startswith("model.onnx of version 1 of 'google-stock'")
    assert second["predictions"]


def test_a_lost_dataset_is_named_and_can_be_uploaded_again(service: Service, fault: str) -> None:
    dataset = service.client.post("/datasets", files={"file": ("p.csv", CSV)}).json()["id"]
    content, file = f"the content of dataset {dataset}", f"the file of dataset {dataset}"
    assert service.predict(model="google-stock", history=PRICES).is_success
    lose_all(service, fault)

    looked_at = service.client.get(f"/datasets/{dataset}/values")
    downloaded = service.client.get(f"/datasets/{dataset}/file")
    predicted = service.predict(model="google-stock", dataset=dataset)

    assert_told(looked_at, content, fault, UPLOAD_AGAIN)
    assert_told(downloaded, file, fault, UPLOAD_AGAIN)
    assert_told(predicted, content, fault, UPLOAD_AGAIN)

    assert service.client.post("/datasets", files={"file": ("p.csv", CSV)}).json()["id"] == dataset
    assert service.client.get(f"/datasets/{dataset}/values").is_success
    assert service.client.get(f"/datasets/{dataset}/file").content == CSV


def test_an_evaluation_names_what_it_lacks(service: Service, fault: str) -> None:
    dataset = service.client.post("/datasets", files={"file": ("p.csv", CSV)}).json()["id"]
    lose_all(service, fault)

    answer = service.client.post(f"{MODEL}/evaluate", json={"dataset": dataset})

    assert answer.status_code == 500
    assert f"onnx of version 1 of 'google-stock' {fault}" in answer.json()["detail"]
