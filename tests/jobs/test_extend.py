"""Test `extend`: an upload joined over HTTP with the dataset that a model was last trained on."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from app.datasets import store as datasets
from app.storage.job_status import JobStatus
from app.storage.tables import Job
from tests.service import Service

FIRST = date(2016, 12, 20)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def prices(days: range, *, form: str = "%Y-%m-%d", add: float = 0.0) -> str:
    rows = [f"{day(number).strftime(form)},{number + number % 7 + add}\n" for number in days]
    return "Date,Price\n" + "".join(rows)


def train(service: Service, model: str, data: str, **fields: str) -> httpx.Response:
    parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
    name = "prices.csv" if data.startswith("Date") else "fable.txt"
    return service.client.post(f"/models/{model}/train", files={**parts, "file": (name, data)})


def trained_on(service: Service, answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 202, answer.json()
    dataset: dict[str, Any] = service.client.get(f"/datasets/{answer.json()['dataset']}").json()
    return dataset


def test_the_upload_and_what_came_before_are_one_dataset_with_its_lineage(
    service: Service,
) -> None:
    first = trained_on(service, train(service, "grown", prices(range(100))))

    whole = trained_on(service, train(service, "grown", prices(range(90, 130)), extend="true"))

    assert whole["rows_used"] == 130
    assert (whole["start"], whole["end"]) == (str(day(0)), str(day(129)))
    assert (whole["frequency"], whole["target"]) == ("D", "Price")
    assert whole["extends"] == first["id"]
    assert whole["report"]["columns"][0]["maximum"] == 132
    added = service.client.get(f"/datasets/{whole['extended_by']}").json()
    assert (added["rows_used"], added["extends"]) == (40, None)
    values = service.client.get(f"/datasets/{whole['id']}/values").json()
    assert values["values"] == [number + number % 7 for number in range(130)]


def test_each_extension_continues_the_one_before(service: Service) -> None:
    trained_on(service, train(service, "steady", prices(range(100))))
    middle = trained_on(service, train(service, "steady", prices(range(100, 110)), extend="true"))
    last = trained_on(service, train(service, "steady", prices(range(110, 111)), extend="true"))

    assert (last["rows_used"], last["extends"]) == (111, middle["id"])


def test_what_adds_nothing_trains_on_what_there_was(service: Service) -> None:
    first = trained_on(service, train(service, "again", prices(range(100))))

    whole = trained_on(service, train(service, "again", prices(range(60, 100)), extend="true"))

    assert whole["id"] == first["id"]


def test_rows_that_disagree_are_a_conflict_that_names_them(service: Service) -> None:
    train(service, "firm", prices(range(100)))
    before = service.client.get("/datasets").json()["items"]

    answer = train(service, "firm", prices(range(98, 105), add=0.5), extend="true")

    problem = answer.json()
    assert answer.status_code == 409, problem
    assert [error["column"] for error in problem["errors"]] == ["Price", "Price"]
    assert f"Price on {day(98)} is 98.5 in the upload and 98 in" in problem["errors"][0]["message"]
    assert service.client.get("/datasets").json()["items"] == before


def test_days_are_read_as_in_the_file_that_they_continue_from(service: Service) -> None:
    """The first days of a month do not tell day from month, but the earlier months did."""
    european = "%d/%m/%Y"
    trained_on(service, train(service, "european-long", prices(range(100), form=european)))
    ambiguous = range(104, 110)  # 3 to 8 April
    assert str(day(104)) == "2017-04-03"

    whole = trained_on(
        service,
        train(service, "european-long", prices(ambiguous, form=european), extend="true"),
    )

    assert (whole["rows_used"], whole["end"]) == (106, "2017-04-08")
    assert whole["read"] == {"date_order": "dmy"}
    assert whole["report"]["gap_count"] == 4


def test_an_other_series_name_or_column_is_a_conflict(service: Service) -> None:
    train(service, "named", prices(range(100)))
    other = prices(range(100, 140)).replace("Price", "Weight")

    answer = train(service, "named", other, extend="true")

    assert answer.status_code == 409, answer.json()
    assert "Price" in answer.json()["detail"]


def test_a_cancelled_training_is_not_what_is_extended(service: Service) -> None:
    first = trained_on(service, train(service, "once", prices(range(100))))
    second = train(service, "once", prices(range(200))).json()
    service.client.post(f"/jobs/{second['id']}/cancel")
    with service.sessions() as session:
        assert session.get_one(Job, second["id"]).status == JobStatus.CANCELLED
        last = datasets.last_dataset(session, "once")
        assert last is not None
        assert str(last.id) == first["id"]


@pytest.mark.parametrize("words", [{"extend": "false"}, {"extend": ""}])
def test_without_extend_a_file_stands_alone(service: Service, words: dict[str, str]) -> None:
    train(service, "alone", prices(range(100)))

    whole = trained_on(service, train(service, "alone", prices(range(90, 190)), **words))

    assert (whole["rows_used"], whole["extends"], whole["extended_by"]) == (100, None, None)


def test_a_text_is_not_extended(service: Service) -> None:
    text = "long ago the mice had a council to consider what to do . " * 20
    assert train(service, "words", text).status_code == 202

    answer = train(service, "words", prices(range(100)), extend="true")

    assert answer.status_code == 422, answer.json()
    assert "is a model for texts" in answer.json()["detail"]
