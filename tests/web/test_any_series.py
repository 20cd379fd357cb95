"""Test that the pages forecast any series, with the shipped models."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service
from tests.web.conftest import OpenPage

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("any-series")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


def test_a_pasted_column_is_forecast_without_choosing_a_model(
    service: Service, open_page: OpenPage
) -> None:
    column = "\n".join(f"2026-01-{day:02d} {day % 7}" for day in range(1, 29))
    with open_page(service.url) as page:
        page.goto("/ui/try")
        page.get_by_role("textbox", name="Past values of any series").fill(column)
        page.get_by_role("button", name="Forecast").click()
        expect(page.get_by_text("universal, version 1:")).to_be_visible()
        expect(page.get_by_text("2026-01-29").first).to_be_visible()
        page.get_by_text("All steps").click()
        expect(page.get_by_role("cell", name="2026-02-01")).to_be_visible()
        page.get_by_role("textbox", name="Steps ahead").fill("3")
        page.get_by_role("button", name="Forecast").click()
        expect(page.get_by_role("cell", name="2026-02-01")).to_have_count(0)
        expect(page.get_by_role("cell", name="2026-01-31")).to_be_visible()
