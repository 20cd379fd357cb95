"""Test how a process follows the registry, and what it reports when it cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from app.predictions import log
from app.registry import watch
from app.registry.store import move_alias
from app.storage.engine import make_engine
from tests.artifacts import persistence_artifact
from tests.chaos.proxy import Proxy, database_proxy
from tests.service import Service, eventually, running_service

PRICES = [1.0, 2.0, 3.0]


@pytest.fixture
def proxied(fresh_database: str, tmp_path: Path) -> Iterator[tuple[Proxy, Service]]:
    """Yield a service with its database behind a proxy, and another way to the database."""
    with (
        database_proxy(fresh_database) as (proxy, url),
        running_service(url, tmp_path) as service,
    ):
        service.register("prices", persistence_artifact())
        yield proxy, service


def reasons(service: Service) -> list[str]:
    answer = service.client.get("/readyz")
    if answer.status_code == 200:
        return []
    assert answer.status_code == 503
    return [error["message"] for error in answer.json()["errors"]]


def test_the_process_that_moves_an_alias_follows_before_it_answers(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 600.0)
    with running_service(fresh_database, tmp_path) as service:
        for _ in range(2):
            service.register("prices", persistence_artifact())
        for version in (2, 1, 2, 1):
            moved = service.client.put(
                "/models/prices/aliases/champion", json={"version": version, "reason": "a test"}
            )
            assert moved.is_success, moved.text
            answer = service.predict(model="prices", history=PRICES)
            assert (answer.status_code, answer.json()["version"]) == (200, version)
        assert service.client.delete("/models/prices/versions/2").is_success
        assert service.predict(model="prices@2", history=PRICES).status_code == 404


def test_a_process_that_cannot_read_the_registry_any_more_is_not_ready(
    proxied: tuple[Proxy, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, service = proxied
    monkeypatch.setattr(watch, "STALE_SECONDS", 0.5)
    eventually(lambda: reasons(service) == [])
    proxy.freeze(new_too=True)
    eventually(lambda: reasons(service))
    assert any(reason.startswith("the registry was last read ") for reason in reasons(service))
    proxy.thaw()
    eventually(lambda: reasons(service) == [])


def test_a_moved_alias_is_followed_after_the_connection_fell_silent(
    proxied: tuple[Proxy, Service], fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New connections work, as after a failover, but nobody closes the old ones."""
    proxy, service = proxied
    monkeypatch.setattr(log, "COMMIT_SECONDS", 1.0)
    service.register("prices", persistence_artifact())
    eventually(lambda: served(service) == 1)
    proxy.freeze()
    engine = make_engine(fresh_database)
    with Session(engine) as session, session.begin():
        move_alias(
            session,
            model="prices",
            alias="champion",
            version=2,
            reason="test",
            moved_by="api",
            force=True,
        )
    engine.dispose()
    eventually(lambda: served(service) == 2)
    assert reasons(service) == []


def served(service: Service) -> int | None:
    answer = service.predict(model="prices", history=PRICES)
    version: int | None = answer.json().get("version")
    return version
