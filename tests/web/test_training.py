"""As a user would: upload, correct a guess, train, watch, reload, trust, promote, forecast."""

import random
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.serving import Served
from tests.web.conftest import OpenPage
from tests.web.viewing import keep_screenshot, settle, violations

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRAINED_MS = 180_000


@pytest.fixture
def service(whole_service: Served) -> Served:
    return whole_service


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    draw, value, lines = random.Random(7), 100.0, ["Day,Price"]
    for day in range(120):
        value += draw.gauss(0, 1)
        lines.append(f"{day // 28 % 12 + 1:02d}/{day % 28 + 1:02d}/2020,{value:.2f}")
    file = tmp_path_factory.mktemp("files") / "My Prices.csv"
    file.write_text("\n".join(lines))
    return file


def train(page: Page, prices: Path, *, epochs: int, warm: bool = False) -> None:
    page.goto("/ui/train")
    page.locator("input[type=file]").first.set_input_files(prices)
    page.get_by_role("radio", name="chapter").check()
    page.get_by_text("Change the recipe").click()
    page.get_by_label("epochs", exact=True).fill(str(epochs))
    if warm:
        page.get_by_label("Initial weights").select_option("1")
    page.get_by_role("button", name="Train", exact=True).click()


def promote_and_roll_back(page: Page, axe: Axe) -> None:
    """Promote version 2, which was not shown to be better, and return to version 1."""
    page.get_by_role("button", name="Promote 2").first.click()
    expect(page.get_by_role("region", name="The versions side by side")).to_be_visible()
    keep_screenshot(page, "model-promote")
    assert violations(axe, page) == []
    page.get_by_role("button", name="Promote anyway").click()
    expect(page.locator(".field-error:visible")).to_contain_text("Say why")
    page.get_by_role("textbox", name="Why").fill("to see it move")
    page.get_by_role("button", name="Promote anyway").click()
    expect(page.get_by_role("listitem").filter(has_text="to see it move")).to_be_visible()
    page.get_by_role("button", name="Roll back to 1").first.click()
    page.get_by_role("button", name="Roll back to version 1").click()
    expect(page.get_by_role("listitem").filter(has_text="champion: 2 → 1")).to_be_visible()


def test_from_a_file_to_a_promoted_version(
    service: Served, open_page: OpenPage, axe: Axe, prices: Path
) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/")
        page.locator("input[type=file]").set_input_files(prices)
        page.wait_for_url("**/ui/train?dataset=*")
        expect(page.get_by_text("My Prices.csv: One series, 120 of 120 rows used")).to_be_visible()

        page.get_by_text("How it was read").click()
        page.get_by_label("Date order: read as").select_option("mdy")  # of the stored file
        expect(page.get_by_label("Date order: read as")).to_be_focused()
        settle(page)
        keep_screenshot(page, "train-understood")
        assert violations(axe, page) == []

        train(page, prices, epochs=0)
        expect(page.locator(".field-error:visible")).to_contain_text("must be at least 1")
        expect(page.get_by_label("epochs", exact=True)).to_be_focused()
        keep_screenshot(page, "train-refused")
        page.get_by_label("epochs", exact=True).fill("60")
        page.get_by_role("button", name="Train", exact=True).click()

        page.wait_for_url("**/ui/train?job=*")
        page.reload()
        seen = page.get_by_role("link", name="Show the version")
        seen.wait_for(timeout=TRAINED_MS)
        expect(page.get_by_text("It is champion")).to_be_visible()
        chart = page.get_by_role("img", name="Line chart: ")  # without another click
        expect(chart).to_be_visible()
        settle(page)
        keep_screenshot(page, "train-done")
        assert violations(axe, page) == []
        seen.click()
        for tab in ("Versions", "Training", "Monitoring", "Explain", "Accuracy"):
            page.get_by_role("tab", name=tab).click()
            settle(page)
            assert violations(axe, page) == [], tab

        train(page, prices, epochs=61, warm=True)
        page.get_by_role("link", name="Show the version").wait_for(timeout=TRAINED_MS)
        expect(page.get_by_text("It waits beside champion 1")).to_be_visible()
        page.goto("/ui/jobs?model=my-prices")
        page.get_by_role("button", name="Log of the training").first.click()
        page.get_by_label("Compare with").select_option(index=1)
        differences = page.get_by_role("region", name="Figures and differences")
        expect(differences.get_by_role("row", name="Epochs")).to_contain_text("6160")
        page.goto("/ui/models/my-prices?version=1#versions")
        expect(page.get_by_role("heading", name="Version 1")).to_be_visible()
        page.get_by_label("Version", exact=True).select_option("2")
        expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
        page.get_by_text("The newest 2 versions").click()
        expect(page.get_by_role("img", name="forecasts of several versions")).to_be_visible()
        settle(page)
        assert violations(axe, page) == []
        promote_and_roll_back(page, axe)


def test_a_training_is_cancelled(
    service: Served, open_page: OpenPage, axe: Axe, prices: Path
) -> None:
    with open_page(service.url) as page:
        train(page, prices, epochs=90_000)
        page.wait_for_url("**/ui/train?job=*")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()
        page.goto("/ui/jobs?status=cancelled")
        expect(page.get_by_role("link", name="my-prices")).to_be_visible()
        page.get_by_role("button", name="Log of the training").click()
        lines = page.get_by_role("region", name="Log of the job")
        expect(lines).to_contain_text("queued: My Prices.csv, 120 rows")
        expect(lines.get_by_role("listitem").last).to_contain_text("cancelled")
        keep_screenshot(page, "jobs-log")
        assert violations(axe, page) == []
