"""Test requests of browsers that are signed in, and of browsers that are not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from app.access.admission import COOKIE
from app.storage.access_tables import BrowserSession
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, eventually, running_service

KEY = "a key of the test"


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("guarded")
    with own_database(cluster) as url, running_service(url, folder, api_key=KEY) as running:
        running.register("prices", persistence_artifact())
        yield running


@contextmanager
def signed_in(service: Service) -> Iterator[tuple[httpx.Client, str]]:
    with httpx.Client(base_url=service.url) as client:
        answer = client.post("/session", json={"key": KEY})
        assert answer.is_success
        yield client, answer.json()["token"]


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(service: Service) -> None:
    with httpx.Client(base_url=service.url) as client:
        cookie = client.post("/session", json={"key": KEY}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert KEY not in cookie


def test_a_wrong_key_opens_nothing(service: Service) -> None:
    with httpx.Client(base_url=service.url) as client:
        answer = client.post("/session", json={"key": "another"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "key"
        assert client.get("/models").status_code == 401


def test_reading_needs_the_cookie_and_a_change_its_token_too(service: Service) -> None:
    body = {"model": "prices", "history": [1.0, 2.0, 3.0]}
    with signed_in(service) as (client, token):
        assert client.get("/models").is_success
        assert client.post("/predict", json=body).status_code == 401
        forged = {"x-session-token": token[::-1]}
        assert client.post("/predict", json=body, headers=forged).status_code == 401
        assert client.post("/predict", json=body, headers={"x-session-token": token}).is_success


@pytest.mark.parametrize("other", ['seen={"tour": 1}', "a b", "x[1]=2", "path=/", 'open="'])
def test_cookies_of_other_services_of_this_machine_are_none_of_ours(
    service: Service, other: str
) -> None:
    with signed_in(service) as (client, token):
        cookies = f"{other}; {COOKIE}={client.cookies[COOKIE]}"
    with httpx.Client(base_url=service.url, headers={"cookie": cookies}) as client:
        assert client.get("/session").json()["token"] == token
        assert client.get("/models").is_success


def test_a_page_learns_its_token_again_after_a_reload(service: Service) -> None:
    with signed_in(service) as (client, token):
        assert client.get("/session").json() == {
            "key_required": True,
            "signed_in": True,
            "token": token,
            "name": "STEPAHEAD_API_KEY",
            "scope": "admin",
        }
        client.delete("/session")
        assert client.get("/session").json()["signed_in"] is False


def test_frames_and_scripts_need_no_key_and_data_do(service: Service) -> None:
    with httpx.Client(base_url=service.url) as client:
        for path in ("/", "/ui/train", "/ui/static/api.js"):
            assert client.get(path).is_success
        for path in ("/models", "/predictions", "/docs"):
            assert client.get(path).status_code == 401


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "sa_made-up", f"{COOKIE}=;"])
def test_a_made_up_cookie_is_none_of_ours(service: Service, cookie: str) -> None:
    with httpx.Client(base_url=service.url, cookies={COOKIE: cookie}) as client:
        assert client.get("/models").status_code == 401


def test_signing_out_ends_the_session_on_the_server(service: Service) -> None:
    body = {"model": "prices", "history": [1.0, 2.0, 3.0]}
    with signed_in(service) as (client, token):
        kept = client.cookies[COOKIE]
        client.delete("/session")
    headers = {"x-session-token": token}
    with httpx.Client(base_url=service.url, cookies={COOKIE: kept}, headers=headers) as thief:
        assert thief.get("/models").status_code == 401
        assert thief.post("/predict", json=body).status_code == 401


def test_signing_out_reaches_the_other_processes(service: Service, tmp_path: Path) -> None:
    with (
        running_service(service.database_url, tmp_path, api_key=KEY) as second,
        signed_in(service) as (client, _),
        httpx.Client(base_url=second.url, cookies=dict(client.cookies)) as elsewhere,
    ):
        eventually(lambda: elsewhere.get("/models").is_success)
        client.delete("/session")
        eventually(lambda: elsewhere.get("/models").status_code == 401)


def test_a_session_runs_out(service: Service) -> None:
    with signed_in(service) as (client, _):
        with service.sessions.begin() as session:
            session.execute(
                update(BrowserSession).values(expires_at=datetime(2020, 1, 1, tzinfo=UTC))
            )
            session.add(BrowserSession(digest=b"x", expires_at=datetime(2099, 1, 1, tzinfo=UTC)))
        eventually(lambda: client.get("/models").status_code == 401)


def test_a_session_of_another_service_key_has_ended(service: Service, tmp_path: Path) -> None:
    with signed_in(service) as (client, _):
        cookies = {COOKIE: client.cookies[COOKIE]}
    with (
        running_service(service.database_url, tmp_path, host="127.0.0.1") as keyless,
        httpx.Client(base_url=keyless.url, cookies=cookies) as client,
    ):
        assert client.get("/session").json()["key_required"] is False
