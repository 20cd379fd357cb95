"""Test a dataset instead of a history."""

import pytest

from tests.service import Service

LONG = "date,name,Open\n" + "".join(
    f"2017-01-{day:02d},{name},{day * factor}\n"
    for name, factor in (("A", 1), ("B", 10))
    for day in (2, 3, 4, 5, 6)
)
LONG += "2017-01-05,new,5\n2017-01-06,new,6\n"
SINGLE = "date,Open\n" + "".join(f"2017-01-{day:02d},{day}\n" for day in (2, 3, 4, 5, 6))


@pytest.fixture(scope="module")
def uploaded(asked: Service) -> dict[str, str]:
    found = {}
    for name, content in (("long", LONG), ("single", SINGLE), ("text", "the cat sat . " * 50)):
        suffix = "txt" if name == "text" else "csv"
        answer = asked.client.post(
            "/datasets", files={"file": (f"{name}.{suffix}", content.encode())}
        )
        assert answer.status_code == 201, answer.text
        found[name] = answer.json()["id"]
    return found


def test_what_follows_the_stored_tail_is_predicted_with_its_time(
    asked: Service, uploaded: dict[str, str]
) -> None:
    answer = asked.predict(model="google-stock", dataset=uploaded["single"])
    assert answer.status_code == 200, answer.text
    (step,) = answer.json()["predictions"]
    assert (step["value"], step["timestamp"]) == (6.0, "2017-01-09")
    logged = asked.client.get(f"/predictions/{answer.json()['id']}").json()
    assert logged["request"]["dataset"] == uploaded["single"]


def test_series_says_which_of_several(asked: Service, uploaded: dict[str, str]) -> None:
    answer = asked.predict(model="google-stock", dataset=uploaded["long"], series="B")
    assert answer.json()["predictions"][0]["value"] == 60.0


def test_a_young_series_among_others_is_told_how_many_values_it_takes(
    asked: Service, uploaded: dict[str, str]
) -> None:
    answer = asked.predict(model="google-stock", dataset=uploaded["long"], series="new")
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["message"].startswith("has 2 values; google-stock")
    assert error["message"].endswith("needs at least 3 (its min_history)")


@pytest.mark.parametrize(
    ("which", "more", "status"),
    [
        ("long", {}, 422),
        ("long", {"series": "C"}, 422),
        ("text", {}, 422),
        ("single", {"history": [1.0, 2.0, 3.0]}, 422),
        ("single", {"model": "two-columns"}, 422),
        ("single", {"model": "stream"}, 422),
        (None, {"dataset": "00000000-0000-7000-8000-000000000000"}, 404),
        (None, {"dataset": "mine"}, 422),
    ],
)
def test_a_dataset_that_does_not_fit_is_refused(
    asked: Service,
    uploaded: dict[str, str],
    which: str | None,
    more: dict[str, object],
    status: int,
) -> None:
    body: dict[str, object] = {"model": "google-stock"}
    if which is not None:
        body["dataset"] = uploaded[which]
    answer = asked.predict(**(body | more))
    assert answer.status_code == status, answer.text
