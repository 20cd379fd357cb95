"""Check the pages when something goes wrong: no service, odd names, a changed file."""

import json
from collections.abc import Iterator
from os import utime
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, running_service
from tests.web.conftest import OpenPage
from tests.web.viewing import WIDE, Viewer, overflow, settle, view_as

pytestmark = pytest.mark.browser

LONG = "A" * 200
DAYS = [f"2024-{month:02d}-{day:02d}" for month in (1, 2) for day in range(1, 29)]
STOPPING = {"status": 503, "title": "Unavailable", "detail": "the service is about to stop"}
HALF_WIDE = Viewer(width=768, scheme="light")


def table_of(*names: str) -> str:
    rows = [f"{day},{name},{index}" for name in names for index, day in enumerate(DAYS)]
    return "\n".join(["Day,Shop,Sales", *rows])


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Without a worker: what is ordered waits."""
    folder = tmp_path_factory.mktemp("troubles")
    with own_database(cluster) as url, running_service(url, folder) as running:
        running.register("prices", persistence_artifact())
        yield running


@pytest.fixture(scope="module")
def shops(service: Service) -> str:
    """Upload a dataset of two series, one with a long name, and register a version of it."""
    answer = service.client.post("/datasets", files={"file": table_of("North", LONG).encode()})
    dataset: str = answer.raise_for_status().json()["id"]
    registered = service.register("shops", persistence_artifact(features=("Sales",), frequency="D"))
    with service.sessions.begin() as session:
        row = session.merge(registered)
        row.dataset_id = answer.json()["id"]
    return dataset


def order(service: Service, model: str) -> str:
    answer = service.client.post(
        f"/models/{model}/train", files={"file": table_of("North").encode()}
    )
    job: str = answer.raise_for_status().json()["id"]
    return job


def test_the_menu_does_not_overlap_its_neighbours(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url) as page:
        page.goto("/ui/jobs")
        for width in (360, 640, 768, 901, 1440):
            view_as(page, Viewer(width=width, scheme="light"))
            upload = page.get_by_role("link", name="Upload data").bounding_box()
            last = page.get_by_role("link", name="API", exact=True).bounding_box()
            assert upload is not None
            assert last is not None
            beside = last["x"] + last["width"] <= upload["x"]
            assert beside or last["y"] >= upload["y"] + upload["height"], width


def test_a_series_of_a_long_name_makes_no_page_wider(
    service: Service, open_page: OpenPage, shops: str
) -> None:
    with open_page(service.url) as page:
        page.goto(f"/ui/train?dataset={shops}")
        expect(page.get_by_label("Series shown")).to_be_visible()
        for viewer in (WIDE, HALF_WIDE):
            view_as(page, viewer)
            settle(page)
            assert overflow(page) == 0


def test_a_file_that_was_changed_since_it_was_chosen_is_named(
    service: Service, open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(table_of("North"))
    with open_page(service.url, refusals=True) as page:
        page.goto("/ui/train")
        page.locator("input[type=file]").first.set_input_files(file)
        page.get_by_text("How it was read").click()
        expect(page.get_by_label("Decimal sign: read as")).to_be_visible()
        file.write_text(table_of("North", "South"))
        utime(file, (1, 1))  # of another time, however fast this is
        page.get_by_label("Decimal sign: read as").select_option(".")
        expect(page.locator(".problem")).to_contain_text("sales.csv is a folder, or it was changed")


def test_a_recipe_stays_as_typed_when_the_name_is_corrected(
    service: Service, open_page: OpenPage, shops: str
) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto(f"/ui/train?dataset={shops}")
        page.get_by_text("Change the recipe").click()
        page.get_by_label("epochs", exact=True).fill("7")
        name = page.get_by_label("Name of the model")
        name.fill("Not a Name")
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.locator(".field-error:visible")).to_contain_text("is not a valid model name")
        name.fill("prices")
        expect(page.get_by_label("Initial weights")).to_be_visible()
        expect(page.get_by_label("epochs", exact=True)).to_have_value("7")
        # Pressed as by hand, from the field: what came with the name must not move the button.
        button = page.get_by_role("button", name="Train", exact=True)
        button.scroll_into_view_if_needed()
        place = button.bounding_box()
        assert place is not None
        page.mouse.move(place["x"] + 5, place["y"] + 5)
        with page.expect_request("**/models/prices/train"):
            page.mouse.down()
            page.wait_for_timeout(100)
            page.mouse.up()
        page.wait_for_url("**/ui/train?job=*")


def test_reading_options_also_apply_to_the_test_file(service: Service, open_page: OpenPage) -> None:
    def days_first(*months: int) -> FilePayload:
        rows = [f"{day:02d}/{month:02d}/2024,{day}" for month in months for day in range(1, 13)]
        text = "\n".join(["Day,Sales", *rows])
        return {"name": "sales.csv", "mimeType": "text/csv", "buffer": text.encode()}

    with open_page(service.url) as page:
        page.goto("/ui/train")
        page.locator("input[type=file]").first.set_input_files(days_first(1, 2, 3, 4, 5, 6))
        page.get_by_text("How it was read").click()
        with page.expect_response("**/datasets"):
            page.get_by_label("Date order: read as").select_option("dmy")
        expect(page.locator("[inert]")).to_have_count(0)  # what is ordered is of this reading
        page.get_by_label("Judge on").select_option("file")
        page.get_by_label("The second file").set_input_files(days_first(7, 8, 9, 10, 11, 12))
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_url("**/ui/train?job=*")
        job = service.client.get(f"/jobs/{page.url.partition('=')[2]}").json()
    judged_on = service.client.get(f"/datasets/{job['test']}").json()["report"]
    assert (judged_on["start"], judged_on["end"]) == ("2024-07-01", "2024-12-12")


def test_numbers_that_are_typed_are_of_no_series(
    service: Service, open_page: OpenPage, shops: str
) -> None:
    assert shops
    with open_page(service.url) as page:
        page.goto("/ui/try?model=shops")
        taken = page.get_by_label("Input")
        taken.select_option(label="End of North")
        past = page.get_by_role("textbox", name="Past values of Sales")
        expect(past).to_have_value("\n".join(f"{day} {row}" for row, day in enumerate(DAYS)))
        past.fill("2025-01-01 5\n2025-01-02 6\n2025-01-03 7")
        expect(taken).to_have_value("-1")
        with page.expect_request("**/predict") as asked:
            page.get_by_role("button", name="Forecast").click()
        assert '"series"' not in (asked.value.post_data or "")
        expect(page.locator(".big")).to_have_text("7")


def test_what_was_typed_meanwhile_stays(service: Service, open_page: OpenPage, shops: str) -> None:
    assert shops
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with open_page(service.url) as page:
        page.goto("/ui/try?model=shops")
        past = page.get_by_role("textbox", name="Past values of Sales")
        expect(past).not_to_have_value("")
        page.route("**/values?*", hold, times=1)
        with page.expect_request("**/values?*"):
            page.get_by_label("Input").select_option(index=2)
        past.fill("5\n6\n7")
        with page.expect_response("**/values?*"):
            held[0].continue_()
        settle(page)
        expect(past).to_have_value("5\n6\n7")


def test_an_earlier_dataset_that_cannot_be_loaded_is_reported(
    service: Service, open_page: OpenPage, shops: str
) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto("/ui/train")
        page.get_by_text("Earlier uploads", exact=True).click()
        page.route(f"**/datasets/{shops}", lambda route: route.abort())
        page.get_by_label("or use an earlier upload").select_option(shops)
        expect(page.locator(".problem")).to_contain_text("cannot be reached")


def test_a_job_is_followed_on_after_a_refusal(service: Service, open_page: OpenPage) -> None:
    job = order(service, "followed")
    with open_page(service.url, refusals=True) as page:
        page.route("**/events", lambda route: route.fulfill(status=503, json=STOPPING), times=1)
        page.goto(f"/ui/train?job={job}")
        expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
        service.client.post(f"/jobs/{job}/cancel")
        expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()


def test_a_failed_job_can_be_ordered_again(service: Service, open_page: OpenPage) -> None:
    rows = [f"{day},{index},{-index}" for index, day in enumerate(DAYS)]
    files = [("\n".join(["Day,Sales,Costs", *part])).encode() for part in (rows[:40], rows[40:])]
    answer = service.client.post(
        "/models/again/train",
        files={"file": ("shop.csv", files[0]), "test": ("later.csv", files[1])},
        data={
            "target": "Costs",
            "recipe": '{"preset": "chapter", "epochs": 7, "layers": [3, 2], "clip_norm": 0.5}',
        },
    )
    first = answer.raise_for_status().json()
    with open_page(service.url) as page:
        page.goto(f"/ui/train?job={first['id']}")
        expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
        expect(page.get_by_role("link", name="Train again")).to_have_count(0)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("link", name="Train again").click()
        expect(page.get_by_text("shop.csv: One series")).to_be_visible()
        page.reload()
        expect(page.get_by_label("Name of the model")).to_have_value("again")
        expect(page.get_by_label("epochs", exact=True)).to_have_value("7")
        expect(page.get_by_label("Column to predict")).to_have_value("Costs")
        page.get_by_label("Use of Sales").select_option("used")
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_url("**/ui/train?job=*")
        second = service.client.get(f"/jobs/{page.url.rpartition('=')[2]}").json()
    assert second["id"] != first["id"]
    ordered = ("model", "dataset", "target", "test")
    assert {key: second[key] for key in ordered} == {key: first[key] for key in ordered}
    inputs = {"features": ["Costs", "Sales"], "known": []}
    assert second["recipe"] == {**first["recipe"], **inputs}


def test_the_chart_follows_the_column_to_predict(service: Service, open_page: OpenPage) -> None:
    rows = "\n".join(["Day,Sales,Costs", *(f"{day},{at},{at % 7}" for at, day in enumerate(DAYS))])
    answer = service.client.post("/datasets", files={"file": ("two.csv", rows.encode())})
    with open_page(service.url) as page:
        page.goto(f"/ui/train?dataset={answer.raise_for_status().json()['id']}")
        target = page.get_by_label("Column to predict")
        with page.expect_response("**/values?column=Costs"):
            target.select_option("Costs")
        expect(page.get_by_label("Use of Costs")).to_have_count(0)
        expect(page.get_by_label("Use of Sales")).to_be_visible()


def test_an_unreachable_service_is_reported_and_asked_again(
    service: Service, open_page: OpenPage
) -> None:
    job = order(service, "left-alone")
    with open_page(service.url, refusals=True) as page:
        page.goto("/ui/jobs?model=left-alone")
        expect(page.get_by_role("cell", name="queued")).to_be_visible()
        page.route("**/jobs?*", lambda route: route.abort())
        expect(page.locator(".problem")).to_contain_text("cannot be reached")
        page.unroute("**/jobs?*")
        expect(page.locator(".problem")).to_have_count(0)
        service.client.post(f"/jobs/{job}/cancel")
        expect(page.get_by_role("cell", name="cancelled", exact=True)).to_be_visible()


def test_a_page_without_its_service_does_not_break(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url, refusals=True) as page:
        page.route("**/session", lambda route: route.abort())
        page.route("**/models?*", lambda route: route.abort())
        page.goto("/")
        expect(page.locator(".problem")).to_contain_text("cannot be reached")
        page.unroute_all()


def test_the_list_of_jobs_continues_with_the_keyboard(
    service: Service, open_page: OpenPage
) -> None:
    job = order(service, "watched")
    with open_page(service.url) as page:
        page.goto("/ui/jobs?model=watched")
        log = page.get_by_role("button", name="Log of the training")
        log.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(log).to_be_focused()
        service.client.post(f"/jobs/{job}/cancel")
        expect(page.get_by_role("cell", name="cancelled", exact=True)).to_be_visible()
        expect(log).to_be_focused()


def test_older_rows_take_the_focus(service: Service, open_page: OpenPage) -> None:
    for _ in range(31):
        service.predict(model="prices", series="many", history=[1.0, 2.0, 3.0])
    with open_page(service.url) as page:
        page.goto("/ui/log?series=many")
        page.get_by_role("button", name="Older predictions").press("Enter")
        expect(page.get_by_role("row").nth(31).get_by_role("link")).to_be_focused()


def test_a_missing_model_is_not_replaced_by_another(service: Service, open_page: OpenPage) -> None:
    with open_page(service.url, refusals=True) as page:
        for path in ("/ui/monitor", "/ui/look"):
            page.goto(f"{path}?model=unheard-of")
            expect(page.locator(".problem")).to_contain_text("There is no model 'unheard-of'")
            page.get_by_label("Model").select_option("prices")
            expect(page.locator(".problem")).to_have_count(0)


def look_away(page: Page, *, away: bool) -> None:
    """Tell a page that its tab went to the background, or came back."""
    page.evaluate(
        """(away) => {
            Object.defineProperty(document, "hidden", { configurable: true, value: away });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        away,
    )


def test_a_tab_that_nobody_sees_holds_no_connection(service: Service, open_page: OpenPage) -> None:
    job = order(service, "in-the-back")
    with open_page(service.url) as page:
        page.goto(f"/ui/train?job={job}")
        expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
        with page.expect_event("requestfailed", lambda request: request.url.endswith("/events")):
            look_away(page, away=True)
        service.client.post(f"/jobs/{job}/cancel")
        look_away(page, away=False)
        expect(page.get_by_role("heading", name="Cancelled")).to_be_visible()


@pytest.mark.parametrize("address", ["/ui/try", "/ui/look", "/ui/monitor"])
def test_all_models_can_be_chosen_however_many(
    service: Service, open_page: OpenPage, shops: str, address: str
) -> None:
    assert shops

    def one_at_a_time(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=500", "limit=1"))

    with open_page(service.url) as page:
        page.route("**/models?*", one_at_a_time)
        page.goto(address)
        choice = page.get_by_label("Model", exact=True)
        assert {"prices", "shops"} <= set(
            choice.evaluate("field => [...field.options].map((each) => each.value)")
        )
        page.unroute_all()


@pytest.mark.parametrize("address", ["/ui/jobs", "/ui/log"])
def test_the_answer_to_an_outdated_request_is_ignored(
    service: Service, open_page: OpenPage, address: str
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with open_page(service.url, refusals=True) as page:
        page.goto(address)
        settle(page)
        page.route("**/*?model=first&*", hold)
        model, show = page.get_by_label("Model"), page.get_by_role("button", name="Show")
        model.fill("first")
        show.click()
        model.fill("second")
        with page.expect_response("**/*?model=second&*"):
            show.click()
        with page.expect_event("requestfailed"):
            held[0].abort()
        settle(page)
        expect(page.locator(".problem")).to_have_count(0)
        page.unroute_all()


def test_an_order_offers_nothing_of_a_model_named_before(
    service: Service, open_page: OpenPage, shops: str
) -> None:
    with open_page(service.url, refusals=True) as page:
        page.goto(f"/ui/train?dataset={shops}&model=shops")
        expect(page.get_by_label("Rows to train on")).to_be_visible()
        page.route("**/models/prices", lambda route: route.abort())
        page.get_by_label("Name of the model").fill("prices")
        expect(page.locator(".problem")).to_contain_text("cannot be reached")
        expect(page.get_by_label("Rows to train on")).to_have_count(0)
        page.unroute_all()


def test_a_schedule_and_actual_values_are_entered_on_the_monitor(
    service: Service, open_page: OpenPage, shops: str
) -> None:
    assert shops
    with open_page(service.url, refusals=True) as page:
        page.goto("/ui/monitor?model=shops")
        page.get_by_label("Retrain", exact=True).select_option("every Monday at 3:00 UTC")
        page.get_by_label("If live skill falls below").fill("a lot")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".field-error:visible")).to_contain_text("number")
        page.get_by_label("If live skill falls below").fill("5")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Next training")).to_be_visible()
        schedule = service.client.get("/models/shops/schedule").json()
        assert (schedule["cron"], schedule["thresholds"]["skill_below"]) == ("0 3 * * 1", 0.05)
        page.get_by_label("Retrain", exact=True).select_option("not by time")
        page.get_by_label("If live skill falls below").fill("")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Next training")).to_have_count(0)
        assert service.client.get("/models/shops/schedule").json() is None

        page.get_by_label("Dates and values").fill("1/30/2025\t5\n1/31/2025\t6")
        page.get_by_label("Series", exact=True).fill("North")
        page.get_by_role("button", name="Add actual values").click()
        expect(page.locator(".done")).to_contain_text("2 values stored")
    stored = service.client.get("/models/shops/actuals").json()["items"]
    assert {(each["series"], each["timestamp"], each["value"]) for each in stored} == {
        ("North", "2025-01-30", 5),
        ("North", "2025-01-31", 6),
    }


def test_words_and_values_known_ahead_are_asked_for(service: Service, open_page: OpenPage) -> None:
    columns = ("Sales", "Price", "Sky=sun", "Sky=rain")
    service.register("planned", persistence_artifact(features=columns))

    def with_known_column(route: Route) -> None:
        version = route.fetch().json()
        series = version["manifest"]["series"]
        series["known"] = ["Price"]
        series["categories"] = [{"name": "Sky", "features": ["Sky=sun", "Sky=rain"]}]
        route.fulfill(json=version)

    with open_page(service.url, refusals=True) as page:
        page.route("**/models/planned/versions/1", with_known_column)
        page.goto("/ui/try?model=planned")
        page.get_by_role("textbox", name="Past rows of Sales, Price, Sky").fill(
            "Sales\tPrice\tSky\n5\t1\tsun\n6\t2\tlight rain\n7\t3\tsun"
        )
        page.get_by_label("Steps ahead").fill("2")
        page.get_by_label("Price, step 1").fill("1.5")
        page.get_by_label("Price, step 2").fill("cheap")
        with page.expect_request("**/predict") as asked:
            page.get_by_role("button", name="Forecast").click()
        sent = json.loads(asked.value.post_data or "")
        assert sent["history"]["Sky"] == ["sun", "light rain", "sun"]
        assert sent["future"] == {"Price": [1.5, "cheap"]}
        expect(page.locator(".field-error:visible").last).to_have_text("must be a number")
        page.unroute_all()
