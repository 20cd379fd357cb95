"""Test versions that move between installations, and files that only pretend to be versions."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from app.artifact.files import MANIFEST, MODEL, SCORECARD, WEIGHTS
from tests.artifacts import (
    Artifact,
    persistence_artifact,
    stream_text_artifact,
    window_text_artifact,
)
from tests.database import own_database
from tests.service import Service, running_service

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with (
        own_database(cluster) as database_url,
        running_service(database_url, tmp_path_factory.mktemp("archives")) as running,
    ):
        yield running


def packed(held: Files, /, **changes: Any) -> bytes:  # noqa: ANN401
    listed = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in held.items()
    }
    described = {"format": 1, "model": "prices", "number": 3, "files": listed} | changes
    return tarred({"version.json": json.dumps(described).encode()} | held)


def tarred(files: Files, *, kind: bytes = tarfile.REGTYPE) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(data), kind if name != "version.json" else tarfile.REGTYPE
            tar.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def sent(service: Service, archive: bytes, name: str) -> tuple[int, dict[str, Any]]:
    answer = service.client.post(f"/models/{name}/versions", files={"file": ("v.tar", archive)})
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("artifact", "question"),
    [
        (persistence_artifact(), {"history": [1.0, 2.0, 3.0]}),
        (window_text_artifact(vocabulary=("a", "b", "c")), {"text": "a b c"}),
        (stream_text_artifact(), {"text": "a b"}),
    ],
    ids=["series", "window", "stream"],
)
def test_an_exported_version_answers_the_same_elsewhere(
    service: Service, artifact: Artifact, question: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    service.register(name, artifact)
    exported = service.client.get(f"/models/{name}/versions/1/archive")
    assert int(exported.headers["content-length"]) == len(exported.content)
    status, answer = sent(service, exported.content, f"{name}-there")
    assert (status, answer["version"], answer["aliases"]) == (201, 1, ["champion"])
    here = service.predict(model=name, **question).json()
    there = service.predict(model=f"{name}-there", **question).json()
    assert here["predictions"] == there["predictions"]


def test_an_imported_version_does_not_promote_itself(service: Service) -> None:
    service.register("served", persistence_artifact())
    status, answer = sent(service, packed(persistence_artifact().files()), "served")
    assert (status, answer["version"], answer["aliases"]) == (201, 2, [])
    assert "it was imported" in answer["decision"]["reason"]


def graph_with(node: onnx.NodeProto, *initializers: TensorProto, **changes: Any) -> bytes:  # noqa: ANN401
    value = helper.make_tensor_value_info("history", TensorProto.DOUBLE, ["n", "w", "f"])
    answer = helper.make_tensor_value_info("forecast", TensorProto.DOUBLE, ["n", "h"])
    graph = helper.make_graph([node], "g", [value], [answer], list(initializers))
    opsets = changes.pop("opsets", [helper.make_opsetid("", 21)])
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=opsets, ir_version=10, **changes
    )
    return bytes(model.SerializeToString())


def external() -> bytes:
    tensor = helper.make_tensor("c", TensorProto.DOUBLE, [1], [1.0])
    tensor.ClearField("double_data")
    tensor.data_location = TensorProto.EXTERNAL
    place = tensor.external_data.add()
    place.key, place.value = "location", "../../../../etc/passwd"
    return graph_with(helper.make_node("Add", ["history", "c"], ["forecast"]), tensor)


def looping() -> bytes:
    body = helper.make_graph([], "body", [], [])
    node = helper.make_node("Loop", ["", ""], ["forecast"], body=body)
    return graph_with(node)


def foreign() -> bytes:
    node = helper.make_node("Evil", ["history"], ["forecast"], domain="com.example")
    return graph_with(
        node, opsets=[helper.make_opsetid("", 21), helper.make_opsetid("com.example", 1)]
    )


def wrong_shape() -> bytes:
    return graph_with(helper.make_node("Identity", ["history"], ["forecast"]))


def replaced(name: str, data: bytes) -> Callable[[Files], Files]:
    return lambda files: files | {name: data}


def dropped(name: str) -> Callable[[Files], Files]:
    return lambda files: {key: data for key, data in files.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dropped(WEIGHTS), "weights.safetensors missing"),
        (replaced(MANIFEST, b"{}"), "Manifest: kind"),
        (replaced(SCORECARD, b"[]"), "Scorecard"),
        (replaced(WEIGHTS, b"\x80\x04\x95"), "weights.safetensors is not a safetensors file"),
        (replaced(MODEL, b"\x00" * 64), "model.onnx is not an ONNX file"),
        (replaced(MODEL, external()), "refers to data in other files"),
        (replaced(MODEL, looping()), "model.onnx"),
        (replaced(MODEL, foreign()), "defines operators of 'com.example'"),
        (replaced(MODEL, wrong_shape()), "returns shape"),
        (replaced("evil.py", b"import os"), "is not a file of an artifact"),
        (replaced("../model.onnx", b"x"), "is not a file of an artifact"),
    ],
)
def test_what_is_not_plain_data_is_refused(
    service: Service, change: Callable[[Files], Files], said: str
) -> None:
    archive = packed(change(persistence_artifact().files()))
    status, problem = sent(service, archive, "hostile")
    assert status == 422
    assert said in problem["detail"]
    assert service.client.get("/models/hostile").status_code == 404


def cut_within_a_file(files: Files) -> bytes:
    whole = packed(files)
    return whole[: whole.index(files[MODEL]) + len(files[MODEL]) // 2]


def changed_after_listing(files: Files) -> bytes:
    listed = packed(files)
    return listed.replace(files[SCORECARD][:40], files[SCORECARD][:39] + b" ")


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"not a tar", "is not an archive of a version"),
        (tarred({"x": b"1"}), "does not begin with version.json"),
        (tarred({"version.json": b"{"}), "is not JSON"),
        (packed(persistence_artifact().files(), format=2), "has format 2"),
        (packed(persistence_artifact().files(), files={}), "holds more than"),
        (
            packed(persistence_artifact().files(), files={MODEL: {"sha256": "x", "size": 1}}),
            "sha256",
        ),
        (changed_after_listing(persistence_artifact().files()), "was changed or damaged"),
        (cut_within_a_file(persistence_artifact().files()), "is not an archive"),
    ],
)
def test_what_is_not_an_archive_is_refused(service: Service, archive: bytes, said: str) -> None:
    status, problem = sent(service, archive, "hostile")
    assert status == 422
    assert said in problem["detail"]


def test_a_link_in_an_archive_is_refused(service: Service) -> None:
    files = persistence_artifact().files()
    described = packed(files)
    with tarfile.open(fileobj=io.BytesIO(described)) as tar:
        first = tar.extractfile("version.json")
        assert first is not None
        head = first.read()
    archive = tarred({"version.json": head} | files, kind=tarfile.SYMTYPE)
    status, _ = sent(service, archive, "hostile")
    assert status == 422


def test_the_files_of_a_refused_archive_are_gone(service: Service) -> None:
    sent(service, packed(persistence_artifact().files() | {"evil.py": b"x"}), "hostile")
    uploads = Path(service.settings.resolved_data_dir) / "uploads"
    assert [path for path in uploads.rglob("*") if path.is_file() and path.name != "lock"] == []
