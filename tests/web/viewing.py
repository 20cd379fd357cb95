"""Who looks at a page, what is kept of the sight, and what axe finds in it."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.service import PATIENCE_SECONDS

PROJECT = Path(__file__).resolve().parent.parent.parent
SCREENSHOTS = PROJECT / "ci-output" / "screenshots"


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """A window and the colours its owner likes."""

    width: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


WIDE = Viewer(width=1400, scheme="light")
NARROW_DARK = Viewer(width=400, scheme="dark")


def view_as(page: Page, viewer: Viewer) -> None:
    """Show the same page in another window."""
    page.set_viewport_size({"width": viewer.width, "height": 900})
    page.emulate_media(color_scheme=viewer.scheme)


DRAWN = """[...document.querySelectorAll('.plot')].filter((each) => each.offsetParent).every(
    (each) => Math.abs((each.querySelector('.main-svg')?.getAttribute('width') ?? 0)
        - each.clientWidth) < 2)"""
LOOK_AGAIN_MS = 50


def settle(page: Page) -> None:
    """Wait until nothing is loaded or drawn any more."""
    page.wait_for_load_state("networkidle")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    # Playwright's own way to wait for a condition evaluates text in the page, which its policy
    # forbids.
    while not page.evaluate(DRAWN):
        assert time.monotonic() < deadline, "waited in vain for a drawing"
        page.wait_for_timeout(LOOK_AGAIN_MS)
    page.evaluate(  # what is drawn now is seen two frames later
        "new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)))"
    )


def keep_screenshot(page: Page, name: str) -> None:
    """Keep a screenshot for CI's output."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    # Playwright hides the caret by a style of its own, which the page's policy forbids.
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, caret="initial")


def violations(axe: Axe, page: Page) -> list[str]:
    """Return what axe finds: rule and element."""
    found = axe.run(page).response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in found for node in rule["nodes"]]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, width)
