from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.artifacts import persistence_artifact
from tests.service import Service, running_service
from tests.web.conftest import OpenPage
from tests.web.viewing import NARROW_DARK

KEY = "a key of the test"


@pytest.fixture
def service(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(fresh_database, tmp_path, api_key=KEY) as running:
        running.register("prices", persistence_artifact())
        yield running


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
        expect(page.locator(".field-error:visible")).to_contain_text("not a valid key")
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


@pytest.mark.browser
def test_a_key_for_predictions_forecasts_and_reads_no_log(
    service: Service, open_page: OpenPage
) -> None:
    made = service.client.post(
        "/keys",
        json={"name": "till", "scope": "predict", "models": ["prices"]},
        headers={"Authorization": f"Bearer {KEY}"},
    )
    with open_page(service.url, NARROW_DARK, refusals=True) as page:
        page.goto("/ui/try?model=prices")
        expect(page.get_by_role("textbox", name="Key")).to_be_focused()
        page.keyboard.type(made.json()["key"])
        page.keyboard.press("Enter")
        page.get_by_role("textbox", name="Past values").fill("1\n2\n3")
        page.get_by_role("button", name="Forecast").press("Enter")
        expect(page.locator(".big")).to_have_text("3")
        expect(page.locator(".big")).to_be_in_viewport()
        page.goto("/ui/models/prices")
        page.get_by_role("tab", name="Versions").click()
        expect(page.get_by_role("heading", name="Alias history")).to_be_visible()
        expect(page.locator(".problem").first).to_contain_text("Forbidden")
        page.goto("/ui/log")
        expect(page.locator(".problem")).to_contain_text("Forbidden")


@pytest.mark.browser
def test_the_api_page_calls_as_whoever_signed_in(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/docs")
        page.get_by_role("textbox", name="Key").fill(KEY)
        page.get_by_role("button", name="Open").click()
        operation = page.locator(".opblock-post", has_text="/predict").first
        operation.locator(".opblock-summary").click()
        operation.locator("textarea").fill('{"model": "prices", "history": [1, 2, 3]}')
        operation.get_by_role("button", name="Execute").click()
        code = operation.locator(".live-responses-table .response-col_status").last
        expect(code).to_have_text("200")


@pytest.mark.browser
def test_a_browser_sees_pages_where_a_script_sees_errors(
    service: Service, open_page: OpenPage
) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/models/prices")
        page.get_by_role("textbox", name="Key").fill(KEY)
        page.get_by_role("button", name="Open").click()
        expect(page.locator("body")).to_contain_text('"name":"prices"')
        page.goto("/nowhere")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
        expect(page.locator(".problem")).to_have_text("there is nothing at /nowhere")
        page.get_by_role("link", name="All models").click()
        expect(page.get_by_role("link", name="prices", exact=True)).to_be_visible()
    answer = service.client.get("/nowhere", headers={"Authorization": f"Bearer {KEY}"})
    assert answer.json()["detail"] == "there is nothing at /nowhere"
