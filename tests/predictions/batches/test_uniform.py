"""Test batches of uniform questions, answered and logged as if each came alone."""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import StepaheadError
from app.predictions.batches import uniform
from app.predictions.batches.items import read_items
from app.predictions.batches.uniform import MIN_ROWS, Block, alike_items
from tests.artifacts import persistence_artifact
from tests.predictions.test_log import blocked_log
from tests.service import Service

ROWS = MIN_ROWS + 8
JSON = {"Content-Type": "application/json"}

Answer = dict[str, Any]


@pytest.fixture(autouse=True)
def blocks_made() -> Iterator[list[int]]:
    """Record the rows of each block that is inferred."""
    made: list[int] = []
    work = Block.work

    def noted(block: Block) -> object:
        made.append(block.rows)
        return work(block)

    with patch.object(Block, "work", noted):
        yield made


def batch(service: Service, items: Sequence[object]) -> list[Answer]:
    answer = service.client.post("/predict/batch", json={"items": items})
    assert answer.status_code == 200, answer.text
    answers: list[Answer] = answer.json()["items"]
    return answers


def histories(model: str, count: int = ROWS) -> list[dict[str, object]]:
    """Return items with different histories, some longer than a window of three."""
    return [
        {"model": model, "history": [1, *[2.0] * (2 + number % 3), number / 7]}
        for number in range(count)
    ]


@pytest.mark.parametrize(
    "items",
    [
        histories("google-stock"),
        histories("google-stock@1"),
        histories("two-steps"),
        histories("google-stock", 1000),
        [{**item, "series": f"{n} % {{}} ü"} for n, item in enumerate(histories("google-stock"))],
        [{**item, "series": None} for item in histories("google-stock")],
        [*histories("google-stock"), {"model": "google-stock", "history": [1e15, -1.0, 1e-7]}],
    ],
    ids=["champion", "number", "two steps", "most", "named", "null", "outside"],
)
def test_each_is_answered_and_logged_as_by_itself(
    asked: Service, items: list[dict[str, object]], blocks_made: list[int]
) -> None:
    asked.client.post("/predict", json=items[0])  # then it is in memory
    answers = batch(asked, items)
    has_braces = "{" in str(items[0].get("series"))
    assert blocks_made == ([] if has_braces else [len(items)])
    assert len({answer["id"] for answer in answers}) == len(items)
    for item, answer in list(zip(items, answers, strict=True))[:: len(items) // 20]:
        alone = asked.client.post("/predict", json=item).json()
        assert json.dumps(answer | {"id": alone["id"]}) == json.dumps(alone)
        logged, beside = (
            asked.client.get(f"/predictions/{identifier}").json()
            for identifier in (answer["id"], alone["id"])
        )
        assert logged["request"] == item
        assert logged["response"] == answer
        for name in ("id", "created_at", "request_id", "response"):
            del logged[name], beside[name]
        assert logged == beside


def test_percent_signs_in_names_and_warnings_stay_what_they_are(
    service: Service, blocks_made: list[int]
) -> None:
    service.register("shares", persistence_artifact(features=('100 % "of" %b',), horizon=2))
    items: list[dict[str, object]] = [{"model": "shares", "history": [1, 2, 3]}] * MIN_ROWS
    items.append({"model": "shares", "history": [1, -2, 3]})
    batch(service, items)  # loads it
    answers = batch(service, items)
    assert blocks_made == [len(items)]
    assert [len(answer["warnings"]) for answer in answers] == [0] * MIN_ROWS + [1]
    assert '100 % "of" %b' in answers[-1]["warnings"][0]
    assert [step["value"] for step in answers[-1]["predictions"]] == [3.0, 3.0]


def test_rows_without_a_finite_forecast_fail_alone(
    service: Service, blocks_made: list[int]
) -> None:
    service.register("edge", persistence_artifact(step=1e308))
    items: list[dict[str, object]] = [
        {"model": "edge", "history": [1.0, 2.0, 1e308 if number % 5 == 2 else float(number)]}
        for number in range(ROWS)
    ]
    batch(service, items)  # loads it
    answers = batch(service, items)
    assert blocks_made == [ROWS]
    wrong = [number for number, answer in enumerate(answers) if "error" in answer]
    assert wrong == list(range(2, ROWS, 5))
    alone = service.predict(**items[2])
    assert answers[2] == {"error": alone.json()}
    page = service.client.get("/predictions", params={"model": "edge", "limit": 500}).json()
    assert len(page["items"]) == 2 * (ROWS - len(wrong))
    everywhere = [{"model": "edge", "history": [1.0, 2.0, 1e308]}] * ROWS
    assert [answer["error"]["status"] for answer in batch(service, everywhere)] == [422] * ROWS


def test_what_cannot_be_logged_is_not_given(
    service: Service, monkeypatch: pytest.MonkeyPatch, blocks_made: list[int]
) -> None:
    items = histories("google-stock")
    batch(service, items)
    monkeypatch.setattr("app.predictions.log.COMMIT_SECONDS", 0.2)
    with blocked_log(service):
        answers = batch(service, items)
    assert blocks_made[-1] == ROWS
    assert [answer["error"]["status"] for answer in answers] == [503] * ROWS


def test_more_than_can_be_computed_is_refused_as_a_whole(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = histories("google-stock")
    batch(service, items)
    monkeypatch.setattr("app.predictions.pending.MAX_ROWS", 0)
    answer = service.client.post("/predict/batch", json={"items": items})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "odd",
    [
        {"model": "google-stock@1", "history": [1, 2, 3]},
        {"model": "google-stock", "history": [1, 2]},
        {"model": "google-stock", "history": [1, 2, 3], "levels": [80]},
        {"model": "google-stock", "history": [1, 2, 3], "horizon": 2},
        {"model": "google-stock", "history": {"Open": [1, 2, 3]}},
        {"model": "google-stock", "history": [1, 2, "3"]},
        {"model": "google-stock", "history": [1, 2, True]},
        {"model": "google-stock", "history": [1, 2, 3], "series": ""},
        {"model": "google-stock", "history": []},
        {"model": "google-stock"},
        {"model": "", "history": [1, 2, 3]},
        7,
    ],
)
def test_one_that_is_different_is_answered_item_by_item(
    asked: Service, odd: object, blocks_made: list[int]
) -> None:
    answers = batch(asked, [*histories("google-stock"), odd])
    assert not blocks_made
    alone = asked.client.post("/predict", json=odd)
    if alone.is_success:
        assert answers[-1]["predictions"] == alone.json()["predictions"]
    elif isinstance(odd, dict):
        assert answers[-1] == {"error": alone.json()}
    assert all("predictions" in answer for answer in answers[:-1])


@pytest.mark.parametrize("model", ["two-columns", "stream", "nobody", "not a name"])
def test_a_model_that_takes_no_blocks_says_what_it_says_otherwise(
    asked: Service, model: str, blocks_made: list[int]
) -> None:
    items = histories(model)
    answers = batch(asked, items)
    assert not blocks_made
    assert answers == [{"error": asked.client.post("/predict", json=items[0]).json()}] * ROWS


def test_answers_too_large_for_one_run_are_made_item_by_item(
    asked: Service, monkeypatch: pytest.MonkeyPatch, blocks_made: list[int]
) -> None:
    items = histories("two-steps")
    asked.client.post("/predict", json=items[0])
    monkeypatch.setattr(uniform, "MAX_FORECASTS", 2 * ROWS - 1)
    assert len(batch(asked, items)) == ROWS
    assert not blocks_made


TEXTS = st.text('abc"\\{}[],: ', min_size=1, max_size=4)
ALIKE = st.fixed_dictionaries(
    {"model": st.just("a"), "history": st.lists(st.floats(-9, 9), min_size=1, max_size=3)},
    optional={"series": st.none() | TEXTS},
)
ANY = st.fixed_dictionaries(
    {"model": st.sampled_from(["a", "b"]) | TEXTS, "history": st.lists(st.floats(), max_size=3)},
    optional={"series": st.none() | TEXTS, "horizon": st.integers(-1, 2), "text": TEXTS},
)


@settings(deadline=None)
@given(
    items=st.lists(ALIKE, min_size=1, max_size=4) | st.lists(ANY, min_size=1, max_size=4),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_a_block_is_read_as_its_items_are(
    items: list[dict[str, object]], indent: int | None, *, ascii_only: bool
) -> None:
    body = json.dumps({"items": items}, indent=indent, ensure_ascii=ascii_only).encode()
    with patch.object(uniform, "MIN_ROWS", 1):
        found = alike_items(body)
    if found is None:
        return
    alike, requests = found
    assert [json.loads(request) for request in requests] == items
    for (request, item), own, raw in zip(read_items(body), alike, requests, strict=True):
        assert not isinstance(item, StepaheadError)
        assert raw == request
        assert own == item.model_dump(exclude_unset=True)
