"""Take the pictures of the dashboard in docs/screenshots from a running service.

    python docs/screenshots.py http://127.0.0.1:8000

Uploads a real series and trains on it first, so that there is something to see. Needs Chromium.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
SAMPLE = "seattle-temps"
WAIT_SECONDS = 600.0
PICTURES = {
    "home": "/",
    "model": f"/ui/models/{SAMPLE}",
    "try-series": f"/ui/try?model={SAMPLE}",
    "try-text": "/ui/try?model=belling-the-cat",
    "look": "/ui/look?model=belling-the-cat",
    "train": f"/ui/train?model={SAMPLE}",
    "jobs": "/ui/jobs",
}
NARROW = {"model"}
PRESSED = {"try-series": "Forecast", "try-text": "Next word", "look": "Explain", "jobs": "Log"}


def main() -> None:
    """Train, then visit each page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of a running service")
    url = parser.parse_args().url
    train(url)
    FOLDER.mkdir(exist_ok=True)
    dataset = httpx.get(f"{url}/datasets?limit=1").json()["items"][0]["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, path in PICTURES.items():
            take(browser, url, name, f"{path}&dataset={dataset}" if name == "train" else path)
        browser.close()


def train(url: str) -> None:
    """Train a version of a real series, unless the service has one."""
    with httpx.Client(base_url=url, timeout=60) as client, tempfile.TemporaryFile() as file:
        if client.get(f"/models/{SAMPLE}").is_success:
            return
        command = [sys.executable, "-m", "app.cli", "sample", SAMPLE]
        subprocess.run(command, stdout=file, check=True)
        file.seek(0)
        ordered = client.post(
            f"/models/{SAMPLE}/train", files={"file": (f"{SAMPLE}.csv", file, "text/csv")}
        )
        job = ordered.raise_for_status().headers["location"]
        deadline = time.monotonic() + WAIT_SECONDS
        while client.get(job).json()["status"] in {"queued", "running"}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{job} does not end")
            time.sleep(1)


def take(browser: Browser, url: str, name: str, path: str) -> None:
    """Take one page, wide and light."""
    page = browser.new_page(
        base_url=url, viewport={"width": 1400, "height": 900}, color_scheme="light"
    )
    page.goto(path)
    if name in PRESSED:
        page.get_by_role("button", name=PRESSED[name]).first.click()
    settled(page)
    page.screenshot(path=FOLDER / f"{name}.png", caret="initial")
    if name in NARROW:
        take_narrow(page, name)
    page.close()


def take_narrow(page: Page, name: str) -> None:
    """Take the page as on a phone in dark mode."""
    page.set_viewport_size({"width": 400, "height": 860})
    page.emulate_media(color_scheme="dark")
    settled(page)
    page.screenshot(path=FOLDER / f"{name}-narrow-dark.png", caret="initial")


def settled(page: Page) -> None:
    """Wait until everything is loaded and drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()
