"""Test which version answers: aliases that move, deleted versions, models that do not fit."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.predictions import loaded as loading
from app.predictions import runtime as registry_runtime
from app.predictions.calls import Predictions
from app.predictions.loaded import BrokenArtifact, Loaded, build
from app.registry import watch
from app.registry.catalogue import Catalogue, read_catalogue
from app.registry.store import delete_version, move_alias
from app.storage.tables import Alias, RegistryRevision
from tests.artifacts import Artifact, persistence_artifact, window_text_artifact
from tests.service import Service, eventually, running_service

PRICES = [1.0, 2.0, 3.0]


def parts_of(service: Service) -> Predictions:
    parts: Predictions = service.app.state.predictions
    return parts


def served(service: Service, reference: str) -> int:
    number: int = service.predict(model=reference, history=PRICES).json()["version"]
    return number


def wait_until_served(service: Service, version: int) -> None:
    eventually(lambda: served(service, "google-stock") == version)


def point(service: Service, model: str, version: int) -> None:
    with service.sessions.begin() as session:
        move_alias(
            session,
            model=model,
            alias="champion",
            version=version,
            reason="test",
            moved_by="api",
            force=True,
        )


def test_a_version_registered_this_moment_is_found_without_waiting(service: Service) -> None:
    service.register("brand-new", persistence_artifact())
    assert served(service, "brand-new") == 1


def test_a_look_at_the_registry_that_began_earlier_does_not_hide_a_new_model(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, may_end = Event(), Event()

    def slow_look(session: Session) -> Catalogue:
        found = read_catalogue(session)
        seen.set()
        assert may_end.wait(30)
        return found

    monkeypatch.setattr(watch, "read_catalogue", slow_look)
    service.register("looked-for", persistence_artifact())
    assert seen.wait(30)
    service.register("just-missed", persistence_artifact())
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(served, service, "just-missed")
        with pytest.raises(TimeoutError):  # it waits for the current poll
            answer.result(0.5)
        may_end.set()
        assert answer.result(30) == 1


def test_an_alias_that_moves_is_followed(service: Service) -> None:
    service.register("google-stock", persistence_artifact(step=1.0))
    point(service, "google-stock", 2)
    eventually(lambda: served(service, "google-stock") == 2)
    point(service, "google-stock", 1)
    eventually(lambda: served(service, "google-stock") == 1)
    assert served(service, "google-stock@2") == 2


def test_no_request_fails_while_aliases_move_under_load(service: Service) -> None:
    service.register("google-stock", persistence_artifact(step=1.0))
    ended = Event()
    values = {1: 3.0, 2: 4.0}

    def ask() -> set[int]:
        seen = set()
        while not ended.is_set():
            answer = service.predict(model="google-stock", history=PRICES)
            assert answer.status_code == 200, answer.text
            version = answer.json()["version"]
            assert answer.json()["predictions"][0]["value"] == values[version]
            seen.add(version)
        return seen

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(ask) for _ in range(4)]
        try:
            for version in (2, 1, 2, 1):
                point(service, "google-stock", version)
                wait_until_served(service, version)
        finally:
            ended.set()
        assert set().union(*(call.result() for call in calls)) == {1, 2}


def test_every_api_process_follows(service: Service, tmp_path: Path) -> None:
    service.register("google-stock", persistence_artifact(step=1.0))
    with running_service(service.database_url, tmp_path) as other:
        assert [served(one, "google-stock") for one in (service, other)] == [1, 1]
        point(service, "google-stock", 2)
        wait_until_served(service, 2)
        wait_until_served(other, 2)


def test_a_deleted_version_vanishes_and_says_so(service: Service) -> None:
    service.register("google-stock", persistence_artifact())
    assert served(service, "google-stock@2") == 2
    with service.sessions.begin() as session:
        delete_version(session, "google-stock", 2)
    eventually(lambda: service.predict(model="google-stock@2", history=PRICES).status_code == 404)
    problem = service.predict(model="google-stock@2", history=PRICES).json()
    assert "deleted" in problem["detail"]
    assert served(service, "google-stock") == 1


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("nobody", "no model 'nobody'"),
        ("google-stock@7", "no version 7"),
        ("google-stock@shadow", "no alias 'shadow'"),
    ],
)
def test_what_is_not_there_is_a_404_that_says_what(
    asked: Service, reference: str, said: str
) -> None:
    answer = asked.predict(model=reference, history=PRICES)
    assert answer.status_code == 404
    assert said in answer.json()["detail"]


@pytest.mark.parametrize("reference", ["", "Google", "a b", "a@", "a@@b", "a@0", "@1", "a\x00"])
def test_what_cannot_be_a_name_is_a_422(asked: Service, reference: str) -> None:
    answer = asked.predict(model=reference, history=PRICES)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "model"


def test_a_model_without_a_champion_says_so(service: Service) -> None:
    with service.sessions.begin() as session:
        session.execute(delete(Alias).where(Alias.model == "steep"))
        session.execute(update(RegistryRevision).values(value=RegistryRevision.value + 1))
    eventually(lambda: service.predict(model="steep", history=PRICES).status_code == 404)
    assert "no alias 'champion'" in service.predict(model="steep", history=PRICES).text


def test_the_least_recently_used_version_gives_way_and_comes_back(
    fresh_database: str, tmp_path: Path
) -> None:
    budget = 2 * loading.SESSION_BYTES + 100_000
    with running_service(fresh_database, tmp_path, model_memory_bytes=budget) as service:
        for name in ("a", "b", "c"):
            service.register(name, persistence_artifact())
        loaded = parts_of(service).runtime._loaded
        for name in ("a", "b", "a", "c"):
            assert served(service, name) == 1
        assert [model for model, _ in loaded] == ["a", "c"]
        assert served(service, "b") == 1
        assert [model for model, _ in loaded] == ["c", "b"]


def test_requests_for_a_cold_version_load_it_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds = []
    may_build = Event()

    def slow(*arguments: object) -> Loaded:
        builds.append(arguments[0])
        may_build.wait()
        return build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(registry_runtime, "build", slow)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(served, service, "google-stock") for _ in range(8)]
        eventually(lambda: builds)
        # Others are answered while it loads, and the event loop keeps turning.
        assert service.client.get("/livez").status_code == 200
        may_build.set()
        assert [call.result() for call in waiting] == [1] * 8
    assert builds == ["google-stock"]


def broken(artifact: Artifact, graph: bytes) -> None:
    build("m", 1, artifact.manifest, artifact.scorecard, graph)


def test_a_graph_that_does_not_fit_its_manifest_is_not_served() -> None:
    series, text = persistence_artifact(), window_text_artifact()
    with pytest.raises(BrokenArtifact, match="takes"):
        broken(series, text.graph)
    with pytest.raises(BrokenArtifact, match="shape"):
        broken(series, persistence_artifact(horizon=2).graph)


def test_a_version_that_was_interrupted_while_it_was_timed_is_not_taken_for_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter([0.0, 0.5, 1.0, 1.001, 2.0, 2.25])  # around each of three runs
    monkeypatch.setattr("app.predictions.loaded.time.perf_counter", lambda: next(clock))
    artifact = persistence_artifact()
    loaded = build("m", 1, artifact.manifest, artifact.scorecard, artifact.graph)
    assert loaded.run_seconds == pytest.approx(0.001)


def test_a_graph_that_cannot_be_loaded_is_named() -> None:
    with pytest.raises(BrokenArtifact, match=r"model\.onnx of version 1 of 'm' cannot be loaded"):
        broken(persistence_artifact(), b"no graph")


def test_a_damaged_file_is_our_error_and_names_the_version(service: Service) -> None:
    version = service.register("damaged", persistence_artifact(step=0.125))
    sha256 = version.files["model.onnx"]["sha256"]
    (path,) = service.settings.resolved_data_dir.rglob(f"*{sha256[-20:]}*")
    path.chmod(0o600)
    path.write_bytes(b"nothing")
    answer = service.predict(model="damaged", history=PRICES)
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("model.onnx of version 1 of 'damaged' is damaged")
    assert "sha256" not in answer.text
    assert served(service, "google-stock") == 1
