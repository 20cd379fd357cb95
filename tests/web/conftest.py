"""The system's Chromium, and pages that must not complain."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.web.viewing import WIDE, Viewer

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
MISSING = "no Chromium on this system (apt-get install chromium): nothing to look at pages with"

OpenPage = Callable[..., AbstractContextManager[Page]]


# Of a module, not of the run: as long as Playwright lives, an event loop runs in this thread, and
# tests elsewhere could not start one of their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> OpenPage:
    """A page of a fresh browser, which fails the test if anything is written to its console."""

    @contextmanager
    def opened(base_url: str, viewer: Viewer = WIDE, *, refusals: bool = False) -> Iterator[Page]:
        context = browser.new_context(
            base_url=base_url,
            viewport={"width": viewer.width, "height": 900},
            color_scheme=viewer.scheme,
            timezone_id="America/New_York",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(60_000)
        page = context.new_page()
        complaints: list[str] = []

        def note(message: ConsoleMessage) -> None:
            # The browser itself reports every 4xx; where one is meant, it is no complaint.
            meant = refusals and message.text.startswith("Failed to load resource")
            if message.type in {"error", "warning"} and not meant:
                complaints.append(message.text)

        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        context.close()
        assert complaints == []

    return opened


@pytest.fixture(scope="session")
def axe() -> Axe:
    return Axe()
