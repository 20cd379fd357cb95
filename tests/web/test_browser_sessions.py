"""Who has shown the key, in a browser and without one."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import expect

from app.http.browser_sessions import COOKIE, LIFETIME_SECONDS, Sessions
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, running_service
from tests.web.conftest import OpenPage

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
        }
        client.delete("/session")
        assert client.get("/session").json()["signed_in"] is False


def test_frames_and_scripts_need_no_key_and_data_do(service: Service) -> None:
    with httpx.Client(base_url=service.url) as client:
        for path in ("/", "/ui/train", "/ui/static/api.js"):
            assert client.get(path).is_success
        for path in ("/models", "/predictions", "/docs"):
            assert client.get(path).status_code == 401


@pytest.mark.parametrize("cookie", ["", ".", "a.b", "9999999999.x.y", "é.ü.ö", f"{COOKIE}=;"])
def test_a_made_up_cookie_is_none_of_ours(cookie: str) -> None:
    assert not Sessions(KEY).is_valid(cookie)


def test_a_session_runs_out_and_ends_with_the_key() -> None:
    now = 1_000_000.0
    cookie = Sessions(KEY, clock=lambda: now).new()
    assert Sessions(KEY, clock=lambda: now + LIFETIME_SECONDS - 1).is_valid(cookie)
    assert not Sessions(KEY, clock=lambda: now + LIFETIME_SECONDS + 1).is_valid(cookie)
    assert not Sessions("another key", clock=lambda: now).is_valid(cookie)


@pytest.mark.browser
def test_the_dashboard_asks_for_the_key_once(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/")
        expect(page.get_by_role("textbox", name="Key")).to_be_focused()
        for _ in range(2):  # a second Escape closes a dialog whatever its page says
            page.keyboard.press("Escape")
        expect(page.locator(".problem")).to_contain_text("No key was given")
        page.reload()
        page.get_by_role("textbox", name="Key").fill("not it")
        page.get_by_role("button", name="Open").click()
        expect(page.locator(".field-error:visible")).to_contain_text("STEPAHEAD_API_KEY")
        page.get_by_role("textbox", name="Key").fill(KEY)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("link", name="prices", exact=True)).to_be_visible()
        page.goto("/ui/try?model=prices")
        page.get_by_role("textbox", name="Past values").fill("1\n2\n3")
        page.get_by_role("button", name="Forecast").click()
        expect(page.locator(".big")).to_have_text("3")
        page.get_by_role("button", name="Copy as curl").click()
        assert "$STEPAHEAD_API_KEY" in page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_role("textbox", name="Key")).to_be_visible()
