"""The system's Chromium, and pages that must not complain."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.web.viewing import WIDE, Viewer, view_as

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


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Callable[[str], Page]:
    """Yield a page that the module's tests share, as people go from page to page.

    A page of its own for each test took another two processes and a quarter of the time.
    """

    @cache
    def opened(base_url: str) -> Page:
        context = browser.new_context(
            base_url=base_url,
            timezone_id="America/New_York",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(60_000)
        return context.new_page()

    return opened


@pytest.fixture
def open_page(tab: Callable[[str], Page]) -> OpenPage:
    """Yield a new page, which fails the test if anything is written to its console."""

    @contextmanager
    def opened(base_url: str, viewer: Viewer = WIDE, *, refusals: bool = False) -> Iterator[Page]:
        page = tab(base_url)
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
        view_as(page, viewer)
        complaints: list[str] = []

        def note(message: ConsoleMessage) -> None:
            # The browser itself reports every 4xx; where one is meant, it is no complaint.
            meant = refusals and message.text.startswith("Failed to load resource")
            if message.type in {"error", "warning"} and not meant:
                complaints.append(message.text)

        def note_error(error: Error) -> None:
            complaints.append(str(error))

        page.on("console", note)
        page.on("pageerror", note_error)
        try:
            yield page
            page.evaluate("0")  # after its answer, what the console was told before has come
        finally:
            page.remove_listener("console", note)
            page.remove_listener("pageerror", note_error)
            page.goto("about:blank")
            page.context.clear_cookies()
        assert complaints == []

    return opened


@pytest.fixture(scope="session")
def axe() -> Axe:
    return Axe()
