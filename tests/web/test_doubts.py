"""Check that the Train page shows doubtful readings first and folds the certain ones."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, expect

from tests.database import own_database
from tests.service import Service, running_service
from tests.web.conftest import OpenPage
from tests.web.viewing import keep_screenshot, settle, violations

pytestmark = pytest.mark.browser

# Days of March, or the 3rd of each month; -999.9 may be a value or a missing one.
AMBIGUOUS = "\n".join(
    ["date,rain", *(f"{at:02d}/03/2021,{-999.9 if at % 3 == 0 else at / 2}" for at in range(1, 13))]
)


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with (
        own_database(cluster) as url,
        running_service(url, tmp_path_factory.mktemp("doubts")) as running,
    ):
        yield running


def test_doubts_come_first_and_can_be_decided(
    service: Service, open_page: OpenPage, axe: Axe
) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/train")
        page.locator("input[type=file]").first.set_input_files(
            FilePayload(name="rain.csv", mimeType="text/csv", buffer=AMBIGUOUS.encode())
        )
        order = page.get_by_role("group", name="Is this right? Order of day and month")
        order.wait_for()  # as long as the reader takes to start
        expect(order.get_by_role("radio", name="month, day, year")).to_be_checked()
        missing = page.get_by_role("group", name="Is this right? Missing values")
        expect(missing).to_contain_text("-999.9 as a number")
        expect(page.get_by_label("Delimiter: read as")).to_be_hidden()
        expect(page.get_by_role("button", name="Train", exact=True)).to_be_in_viewport()
        settle(page)
        keep_screenshot(page, "train-doubts")
        assert violations(axe, page) == []

        order.get_by_role("radio", name="day, month, year").check()
        expect(order).to_have_count(0)
        missing.get_by_role("radio", name="as a missing value").check()
        expect(missing).to_have_count(0)
        expect(
            page.get_by_text("rain.csv: One series, 8 of 12 rows used, 2021-03-01")
        ).to_be_visible()
