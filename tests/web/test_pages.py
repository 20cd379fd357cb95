"""Every page, wide and narrow, light and dark: seen, weighed, and looked through by axe."""

from collections.abc import Iterator
from csv import DictReader
from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Locator, Page, Response, expect
from sqlalchemy import update

from app.registry.shipped import import_shipped
from app.storage.tables import Prediction
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.monitoring.log import follow
from tests.service import PATIENCE_SECONDS, Service, running_service
from tests.web.conftest import OpenPage
from tests.web.viewing import (
    NARROW_DARK,
    WIDE,
    keep_screenshot,
    overflow,
    settle,
    view_as,
    violations,
)

pytestmark = pytest.mark.browser

PAGES = {
    "home": "/",
    "train": "/ui/train",
    "model-series": "/ui/models/google-stock",
    "model-text": "/ui/models/belling-the-cat",
    "try-series": "/ui/try?model=google-stock",
    "try-text": "/ui/try?model=belling-the-cat",
    "look": "/ui/look?model=belling-the-cat",
    "monitor": "/ui/monitor?model=google-stock",
    "log": "/ui/log",
    "jobs": "/ui/jobs",
}
SAID = {
    "monitor": "95 % within",
    "jobs": "No jobs match these filters.",
    "model-series": "in the unit of Open",
}
DRAWN = {"model-series", "try-series"}  # plotly.js is loaded here alone
MOST_BYTES = 100_000


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        prices = [778.81, 788.36, 786.08, 795.26, 806.4, 807.86, 805.0, 807.14, 807.48]
        days = [f"2017-01-{day:02d}" for day in (3, 4, 5, 6, 9, 10, 11, 12, 13)]
        for end in range(1, 10):  # each history says what became of the previous forecast
            asked = {"history": prices[:end], "timestamps": days[:end]}
            assert running.predict(model="google-stock", **asked).is_success
        assert running.predict(model="belling-the-cat", text="long ago , the").is_success
        follow(running)
        yield running


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_and_seen_by_everyone(
    service: Service, open_page: OpenPage, axe: Axe, name: str
) -> None:
    came: list[Response] = []

    def note(response: Response) -> None:
        came.append(response)

    with open_page(service.url) as page:
        page.on("response", note)
        page.goto(PAGES[name])
        for viewer in (WIDE, NARROW_DARK):
            view_as(page, viewer)
            settle(page)
            expect(page.locator("main")).to_contain_text(SAID.get(name, ""))
            keep_screenshot(page, f"{name}-{viewer}")
            assert overflow(page) == 0
            assert violations(axe, page) == []
            if name == "model-series":  # names at the lines, or above them where it is narrow
                names = page.locator(".annotation-text" if viewer == WIDE else ".keys > span")
                expect(names).to_have_count(4)
        own = [each for each in came if "/ui/static/" in each.url or each.url.endswith(PAGES[name])]
        weights = {each.url: len(each.body()) for each in own}
        assert page.evaluate("window.Plotly !== undefined") == (name in DRAWN)
    assert len(weights) > 3
    assert sum(weights.values()) < MOST_BYTES, weights


def test_predictions_and_a_model_are_erased(
    service: Service, open_page: OpenPage, axe: Axe
) -> None:
    service.register("forgotten", persistence_artifact())
    assert service.predict(model="forgotten", history=[1, 2, 3], series="Ann").is_success
    with open_page(service.url, NARROW_DARK) as page:
        page.goto("/ui/log?model=forgotten&series=Ann")
        page.get_by_text("Delete", exact=True).press("Enter")
        page.get_by_role("button", name="Delete what matches").press("Enter")
        box = page.get_by_role("dialog")
        expect(box).to_contain_text("1 prediction")
        assert violations(axe, page) == []
        box.get_by_role("button", name="Delete").press("Enter")
        expect(page.get_by_text("No predictions match")).to_be_visible()
        page.goto("/ui/models/forgotten#versions")
        page.get_by_role("button", name="Delete the model").press("Enter")
        page.get_by_label("Type forgotten").fill("forgiven")
        page.keyboard.press("Enter")
        expect(page.locator(".field-error:visible")).to_have_text("must be forgotten")
        page.get_by_label("Type forgotten").fill("forgotten")
        page.keyboard.press("Enter")
        page.wait_for_url("**/")
    assert service.client.get("/models/forgotten").status_code == 404


def test_a_page_has_its_json(service: Service) -> None:
    for path, same in {
        "/": "/models",
        "/ui/models/hello": "/models/hello",
        "/ui/jobs": "/jobs",
    }.items():
        assert f'<a id="as-json" href="{same}">' in service.client.get(path).text
        assert service.client.get(same).headers["content-type"] == "application/json"


def test_home_says_what_each_model_is_worth(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url) as page:
        page.goto("/")
        stock = page.get_by_role("listitem").filter(has_text="google-stock")
        expect(stock.locator(".badge")).to_have_text("worse, skill −80 %")
        expect(stock).to_contain_text("Worse than repeating the last value")
        expect(stock.get_by_role("img", name="last 8 in use")).to_be_visible()
        fable = page.get_by_role("listitem").filter(has_text="belling-the-cat")
        expect(fable.locator(".badge")).to_have_text("not judged")
        expect(page.get_by_role("link", name="Upload data")).to_be_visible()
        page.get_by_role("button", name="Try it on sample data").click()
        page.wait_for_url("**/ui/train?job=*")
        expect(page.get_by_role("heading", name="Training seattle-weather")).to_be_visible()
        job = page.url.rpartition("=")[2]
        assert service.client.post(f"/jobs/{job}/cancel").is_success


def test_nothing_is_called_better_where_nothing_was_held_out(
    service: Service, open_page: OpenPage
) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/models/belling-the-cat#accuracy")
        expect(page.get_by_text("knows the text it was trained on by heart").first).to_be_visible()
        table = page.get_by_role("table", name="Bits per character")
        expect(table).to_contain_text("trigram")
        expect(table.locator(".badge")).to_have_count(0)


def pasted(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="Past values of Open").fill(text)
    page.get_by_role("button", name="Forecast").click()


def test_a_column_pasted_from_a_spreadsheet_is_forecast(
    service: Service, open_page: OpenPage, axe: Axe
) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/try?model=google-stock")
        with page.expect_request("**/predict") as asked:
            pasted(page, "Date\tOpen\n1/3/2017\t$778.81\n1/4/2017\t788.36\n")
        assert '"live":false' in (asked.value.post_data or "")
        expect(page.locator(".big")).to_have_text("779.796")
        expect(page.get_by_text("Open, 2017-01-05")).to_be_visible()
        expect(page.get_by_text("95 %:")).to_be_visible()
        settle(page)
        assert violations(axe, page) == []
        page.get_by_role("button", name="Copy as curl").click()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert '"history":[778.81,788.36]' in copied
        assert "live" not in copied
        assert f"{service.url}/predict" in copied
        page.get_by_role("button", name="Copy as Python").click()
        copied = page.evaluate("navigator.clipboard.readText()")
    compile(copied, "copied", "exec")


def test_what_is_pasted_is_understood_or_the_line_is_named(
    service: Service, open_page: OpenPage
) -> None:
    pastes = {
        "778.81\nabc": "Line 2: “abc” is not a number.",
        "": "Paste past values, oldest first.",
        "1,5\n2,5": "2 rows understood.",
        "1,657,300\n1,700,000": "2 rows understood.",
        "[1, 2, 3]": "3 rows understood.",
        "31.12.2016;5,5\n1.1.2017;6,5": "2016-12-31 to 2017-01-01, read as day, month, year.",
        "3 Jan 2017 9:30 pm\t5\n4 Jan 2017 9:30 pm\t6": "2017-01-03T21:30 to",
        "2017-01-03 09:30 5\n2017-01-04 09:30 6": "2 rows understood, 2017-01-03T09:30 to",
    }
    with open_page(service.url) as page:
        page.goto("/ui/try?model=google-stock")
        for text, said in pastes.items():
            pasted(page, text)
            expect(page.get_by_text(said).first).to_be_visible()
            refused = said.startswith(("Line", "Paste"))
            expect(page.locator(".answer.stale")).to_have_count(1 if refused else 0)


def test_a_text_is_written_word_by_word(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/try?model=belling-the-cat")
        page.get_by_label("What comes before").fill("long ago , the")
        page.get_by_role("button", name="Next word").click()
        page.get_by_role("button", name="Write mice").click()
        expect(page.locator(".written mark")).to_have_text(" mice")
        expect(page.get_by_role("button", name="Write had")).to_be_visible()


def test_a_text_is_streamed_and_shows_what_stood_beside_each_token(
    service: Service, open_page: OpenPage
) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/try?model=belling-the-cat")
        before = page.get_by_label("What comes before")
        before.fill("long ago , the")
        page.get_by_role("button", name="Continue").click()
        pieces = page.locator(".written .piece")
        expect(pieces).to_have_count(200)
        expect(page.get_by_role("button", name="Continue")).to_be_visible()
        assert before.input_value().startswith("long ago , the mice had")
        pieces.nth(0).click()
        expect(page.get_by_role("button", name="Write mice")).to_be_visible()
        pieces.filter(has_text=",").first.click()
        expect(page.get_by_role("button", name="Write “,”")).to_be_visible()


def test_an_unknown_word_is_named_beside_the_text(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/ui/try?model=belling-the-cat")
        page.get_by_label("What comes before").fill("long ago , the zebra")
        page.get_by_role("button", name="Next word").click()
        expect(page.locator(".field-error:visible")).to_contain_text("zebra")


def test_a_forecast_is_opened_up(service: Service, open_page: OpenPage, axe: Axe) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/look?model=google-stock")
        page.get_by_label("Past values").fill("1/3/2017\t778.81\n1/4/2017\t788.36")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("heading", name="Next: 779.796")).to_be_visible()
        page.goto("/ui/look?model=belling-the-cat")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("heading", name="Gates and states")).to_be_visible()
        expect(page.get_by_role("img", name="forget")).to_be_visible()
        settle(page)
        keep_screenshot(page, "look-opened")
        assert violations(axe, page) == []


def test_the_chapters_hello_follows_its_weights(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/look?model=hello")
        after_e = page.locator(".readstep").nth(1)
        expect(after_e).to_contain_text("state (0.9365, 0.9491, 0.7623): it expects “h”")
        expect(after_e).to_contain_text("42 %")
        page.get_by_label("from unit 1 to l").fill("3")
        expect(after_e).to_contain_text("it expects “l”")


def test_a_logged_request_is_answered_again(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/log?model=google-stock")
        page.get_by_role("button", name="Details").first.click()
        page.get_by_role("textbox", name="Actual value (step 1)").fill("790.5")
        page.get_by_role("button", name="Save actual value").click()
        expect(page.get_by_role("cell", name="790.5")).to_be_visible()
        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_role("region", name="Both answers")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export as CSV").click()
        lines = download.value.path().read_text().splitlines()
        assert lines[0].startswith("id,created_at,model,version")
        assert "google-stock" in lines[1]


def test_the_text_that_followed_a_prompt_is_entered_in_the_log(
    service: Service, open_page: OpenPage
) -> None:
    assert service.predict(model="belling-the-cat", text="long ago , the").is_success
    with open_page(service.url) as page:
        page.goto("/ui/log?model=belling-the-cat")
        page.get_by_role("button", name="Details").first.click()
        page.get_by_label("Text that really followed").fill("mice had")
        page.get_by_role("button", name="Save text").click()
        expect(page.get_by_text("Saved; the monitor shows it")).to_be_attached()
    (known,) = service.client.get("/models/belling-the-cat/actuals").json()["items"]
    assert known["text"] == "mice had"


def test_the_log_shows_and_filters_by_the_key_that_asked(
    service: Service, open_page: OpenPage
) -> None:
    asked = service.predict(model="google-stock", history=[1.0, 2.0]).json()["id"]
    with service.sessions.begin() as session:
        session.execute(update(Prediction).where(Prediction.id == asked).values(key="shop"))
    with open_page(service.url) as page:
        page.goto("/ui/log")
        page.get_by_text("More filters").click()
        page.get_by_label("Key").fill("shop")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("button", name="Details")).to_have_count(1)
        page.get_by_role("button", name="Details").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_role("term").filter(has_text="Key")).to_be_visible()
        expect(dialog.get_by_text("shop", exact=True)).to_be_visible()


def test_a_formula_in_a_series_name_leaves_the_exported_steps_as_text(
    service: Service, open_page: OpenPage
) -> None:
    formula = "=cmd|'/C calc'!A0"
    assert service.predict(model="google-stock", history=[9.0, 8.0], series=formula).is_success
    with open_page(service.url) as page:
        page.goto("/ui/log?model=google-stock")
        page.get_by_text("More filters").click()
        page.get_by_label("Series").fill(formula)
        page.get_by_text("Export", exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export as CSV").click()
        (row,) = DictReader(download.value.path().read_text().splitlines())
        assert row["series"] == f"'{formula}"
        assert float(row["value"]) > 0


def test_actual_values_are_found_late_and_in_any_spelling_of_times(
    service: Service, open_page: OpenPage
) -> None:
    asked = {"history": [1.0, 2.0], "timestamps": ["2010-01-04", "2010-01-05"], "series": "old"}
    assert service.predict(model="google-stock", **asked).is_success
    items = [
        {
            "model": "google-stock",
            "series": "old",
            "timestamp": f"{date(2010, 1, 6) + timedelta(later)}T00:00:00",
            "value": 7.25,
        }
        for later in range(501)
    ]
    with open_page(service.url) as page:

        def open_details() -> Locator:
            page.goto("/ui/log?model=google-stock&series=old")
            page.get_by_role("button", name="Details").click()
            return page.get_by_role("region", name="Forecast vs. actual").get_by_role("row")

        expect(open_details().last).to_contain_text("not known yet")
        assert service.client.post("/actuals", json={"items": items}).is_success
        expect(open_details().last).to_contain_text("7.25")


def test_a_wrong_filter_is_reported_beside_it(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/ui/log")
        with page.expect_response("**/predictions?*from=*") as shown:
            page.get_by_label("Answered in").select_option("the last hour")
        assert len(shown.value.json()["items"]) > 0
        page.get_by_text("More filters").click()
        page.get_by_label("Version").fill("0")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".field-error:visible")).to_be_visible()
        expect(page.get_by_label("Version")).to_have_attribute("aria-invalid", "true")


def csv(text: str) -> FilePayload:
    return {"name": "prices.csv", "mimeType": "text/csv", "buffer": text.encode()}


def test_a_version_is_measured_on_another_file(service: Service, open_page: OpenPage) -> None:
    january = "Date,Open\n" + "".join(
        f"2017-01-{day:02d},{780 + day % 5}\n" for day in range(3, 32)
    )
    with open_page(service.url) as page:
        page.goto("/ui/models/google-stock")
        page.get_by_role("tab", name="Forecast").press("ArrowRight")
        expect(page.get_by_role("tab", name="Accuracy")).to_be_focused()
        part = page.get_by_role("region", name="Evaluate on other data")
        expect(part).to_contain_text("Not evaluated on other data yet.")
        part.get_by_label("Evaluate on another file").set_input_files(csv(january))
        part.get_by_role("button", name="Evaluate", exact=True).click()
        figures = part.get_by_role("heading", level=3)
        expect(figures).to_contain_text("Evaluated", timeout=PATIENCE_SECONDS * 1000)
        expect(part).to_contain_text("the data it was trained on are not here")
        expect(part.get_by_role("region", name="Evaluations of this version")).to_contain_text(
            "over 28 days"
        )


def test_cells_are_compared_and_what_waits_is_cancelled(
    service: Service, open_page: OpenPage, axe: Axe
) -> None:
    prices = "Date,Open\n" + "".join(
        f"2016-{month:02d}-{day:02d},{700 + month * day % 17}\n"
        for month in range(1, 5)
        for day in range(1, 29)
    )
    with open_page(service.url) as page:
        page.goto("/ui/models/google-stock#versions")
        part = page.get_by_role("region", name="Compare RNN, GRU and LSTM")
        part.get_by_text("Compare the cells").click()
        part.get_by_label("On a file").set_input_files(csv(prices))
        part.get_by_label("Recipe").select_option("chapter")
        part.get_by_role("button", name="Train all three").click()
        for cell in ("RNN", "GRU", "LSTM"):
            expect(part.get_by_role("row", name=f"{cell} Waiting")).to_be_visible()
        assert violations(axe, page) == []
        part.get_by_role("button", name="Cancel").click()
        expect(part).to_contain_text("No cell was trained.")
        expect(part.get_by_role("button", name="Cancel")).to_have_count(0)
