from hashlib import sha256

import pytest

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.storage.object_store import StoredObject
from app.storage.tables import Version
from tests.registry.records import series_manifest, series_scorecard, text_manifest
from tests.registry.samples import registered, stored_files
from tests.service import Service


def enter(
    service: Service,
    model: str,
    *,
    manifest: Manifest | None = None,
    scorecard: Scorecard | None = None,
    files: dict[str, StoredObject] | None = None,
) -> Version:
    with service.sessions.begin() as session:
        return registered(
            session,
            model,
            manifest=manifest,
            scorecard=scorecard,
            files=files or stored_files(service.store),
        )


def test_models_are_listed_with_their_champions(service: Service) -> None:
    for name in ("list-b", "list-a", "list-c"):
        enter(service, name)
    enter(service, "list-a", scorecard=series_scorecard(rmse=1, skill=0.5))

    first = service.client.get("/models", params={"limit": 2}).json()
    second = service.client.get("/models", params={"limit": 2, "cursor": first["next"]}).json()

    assert [model["name"] for model in first["items"]] == ["list-a", "list-b"]
    assert second["items"][0]["name"] == "list-c"
    model = first["items"][0]
    assert (model["kind"], model["last_version"], model["aliases"]) == (
        "series",
        2,
        {"champion": 2},
    )
    assert model["champion"]["skill"] == 0.5
    assert model["champion"]["verdict"] == "RMSE 1"
    assert model["champion"]["significance"] is None
    assert model["champion"]["aliases"] == ["champion"]


def test_a_model_shows_versions_and_history(service: Service) -> None:
    enter(service, "shown", manifest=text_manifest())
    enter(service, "shown", manifest=text_manifest())

    model = service.client.get("/models/shown").json()

    assert model["kind"] == "text"
    assert [version["version"] for version in model["versions"]] == [2, 1]
    assert model["versions"][0]["decision"]["promoted"] is False
    assert model["history"][0]["to_version"] == 1
    assert model["history"][0]["from_version"] is None
    service.client.put("/models/shown/aliases/shadow", json={"version": 2})
    newest = service.client.get("/models/shown/moves", params={"limit": 1}).json()
    older = service.client.get("/models/shown/moves", params={"cursor": newest["next"]}).json()
    assert [move["alias"] for move in (*newest["items"], *older["items"])] == ["shadow", "champion"]
    assert older["next"] is None


def test_versions_are_listed_in_pages(service: Service) -> None:
    for _ in range(3):
        enter(service, "paged")

    first = service.client.get("/models/paged/versions", params={"limit": 2}).json()
    second = service.client.get(
        "/models/paged/versions", params={"limit": 2, "cursor": first["next"]}
    ).json()

    assert [each["version"] for each in first["items"]] == [3, 2]
    assert [each["version"] for each in second["items"]] == [1]
    assert second["next"] is None


def test_a_version_shows_what_it_is_and_where_it_comes_from(service: Service) -> None:
    files = stored_files(service.store)
    enter(service, "whole", files=files, manifest=series_manifest(start_from="other@2"))

    version = service.client.get("/models/whole/versions/1").json()

    assert version["manifest"]["recipe"]["preset"] == "chapter"
    assert version["scorecard"]["series"]["rows"] == 100
    assert version["lineage"] == {
        "dataset": None,
        "test_dataset": None,
        "job": None,
        "start_from": "other@2",
    }
    shown = {each["name"]: (each["sha256"], each["size_bytes"]) for each in version["files"]}
    assert shown == {name: (each.sha256, each.size) for name, each in files.items()}
    assert Manifest.model_validate(version["manifest"]) == series_manifest(start_from="other@2")


def test_a_file_is_downloaded_with_its_hash(service: Service) -> None:
    data = bytes(range(256)) * 100_000
    files = {**stored_files(service.store), "model.onnx": service.store.put_bytes(data)}
    enter(service, "files", files=files)

    answer = service.client.get("/models/files/versions/1/files/model.onnx")
    again = service.client.get(
        "/models/files/versions/1/files/model.onnx",
        headers={"If-None-Match": answer.headers["ETag"]},
    )

    assert answer.content == data
    assert answer.headers["ETag"] == f'"{sha256(data).hexdigest()}"'
    assert answer.headers["Content-Length"] == str(len(data))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="model.onnx"'
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert again.status_code == 304
    assert again.content == b""


def test_a_damaged_file_is_never_sent_whole(service: Service) -> None:
    stored = service.store.put_bytes(b"the network")
    enter(service, "damaged", files={**stored_files(service.store), "model.onnx": stored})
    place = service.settings.resolved_data_dir / "store" / "objects" / stored.sha256[:2]
    (place / stored.sha256).write_bytes(b"the netwolk")

    answer = service.client.get("/models/damaged/versions/1/files/model.onnx")

    assert answer.status_code == 500
    assert b"netwolk" not in answer.content
    assert stored.sha256 not in answer.text


def test_an_alias_is_moved_and_rolled_back(service: Service) -> None:
    enter(service, "moved")
    enter(service, "moved")

    promoted = service.client.put(
        "/models/moved/aliases/champion", json={"version": 2, "reason": " it is better "}
    )
    shadow = service.client.put("/models/moved/aliases/shadow", json={"version": 1})
    back = service.client.put(
        "/models/moved/aliases/champion", json={"version": 1, "reason": "it was not"}
    )

    assert [promoted.status_code, shadow.status_code, back.status_code] == [200, 200, 200]
    assert promoted.json()["version"] == 2
    model = service.client.get("/models/moved").json()
    assert model["aliases"] == {"champion": 1, "shadow": 1}
    assert model["champion"]["version"] == 1
    assert [(move["alias"], move["reason"]) for move in model["history"]][:3] == [
        ("champion", "it was not"),
        ("shadow", ""),
        ("champion", "it is better"),
    ]


def test_a_move_that_may_fail_requests_takes_force_and_a_reason(service: Service) -> None:
    enter(service, "forced")
    enter(service, "forced", manifest=series_manifest(min_history=60))
    body = {"version": 2, "reason": "longer memory"}

    refused = service.client.put("/models/forced/aliases/champion", json=body)
    unexplained = service.client.put(
        "/models/forced/aliases/champion", json={"version": 2, "force": True}
    )
    forced = service.client.put("/models/forced/aliases/champion", json={**body, "force": True})

    assert refused.status_code == 409
    assert "60 past steps" in refused.json()["detail"]
    assert unexplained.status_code == 422
    assert unexplained.json()["errors"][0]["field"] == "reason"
    assert forced.status_code == 200


def test_a_version_is_deleted_and_stays_as_a_tombstone(service: Service) -> None:
    enter(service, "deleted")
    enter(service, "deleted")

    gone = service.client.delete("/models/deleted/versions/2")
    again = service.client.delete("/models/deleted/versions/2")
    champion = service.client.delete("/models/deleted/versions/1")

    assert (gone.status_code, gone.content) == (204, b"")
    assert again.status_code == 404
    assert champion.status_code == 409
    assert "/models/deleted/aliases/champion" in champion.json()["detail"]
    tombstone = service.client.get("/models/deleted/versions/2").json()
    assert tombstone["deleted_at"] is not None
    assert tombstone["files"] == []
    file = service.client.get("/models/deleted/versions/2/files/model.onnx")
    assert file.status_code == 404
    assert "was deleted" in file.json()["detail"]
    assert enter(service, "deleted").number == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/models/unknown", None, 404),
        ("GET", "/models/%00", None, 404),
        ("GET", "/models/A%20b", None, 404),
        ("GET", "/models/unknown/versions", None, 404),
        ("GET", "/models/here/versions/2", None, 404),
        ("GET", "/models/here/versions/0", None, 422),
        ("GET", "/models/here/versions/x", None, 422),
        ("GET", "/models/here/versions/99999999999", None, 422),
        ("GET", "/models/here/versions/1/files/secret", None, 404),
        ("GET", "/models/here/versions/1/files/..%2F..%2Fsecret", None, 404),
        ("GET", "/models/here/versions/1/files/judged.onnx", None, 404),
        ("GET", "/models?limit=501", None, 422),
        ("GET", "/models?cursor=%21", None, 400),
        ("GET", "/models/here/versions?cursor=WyJ4Il0", None, 400),
        ("DELETE", "/models/here/versions/2", None, 404),
        ("PUT", "/models/here", None, 405),
        ("PUT", "/models/unknown/aliases/champion", {"version": 1}, 404),
        ("PUT", "/models/here/aliases/champion", {"version": 2}, 422),
        ("PUT", "/models/here/aliases/champion", {"version": "1"}, 422),
        ("PUT", "/models/here/aliases/champion", {"version": 1.5}, 422),
        ("PUT", "/models/here/aliases/champion", {"version": True}, 422),
        ("PUT", "/models/here/aliases/champion", {"version": 1, "why": "x"}, 422),
        ("PUT", "/models/here/aliases/champion", {"version": 1, "reason": "\x00"}, 422),
        ("PUT", "/models/here/aliases/champion", {}, 422),
        ("PUT", "/models/here/aliases/champion", None, 422),
        ("PUT", "/models/here/aliases/42", {"version": 1}, 422),
        ("PUT", "/models/here/aliases/B", {"version": 1}, 422),
    ],
)
def test_what_is_wrong_is_a_precise_problem(
    service: Service, method: str, path: str, body: object, status: int
) -> None:
    if service.client.get("/models/here").status_code == 404:
        enter(service, "here")

    answer = service.client.request(method, path, json=body)

    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["status"] == status
    assert len(problem["detail"]) > 10
