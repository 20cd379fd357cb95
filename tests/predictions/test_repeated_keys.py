"""Test that what is logged is what was validated: no key of a request is repeated."""

import json
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.errors import StepaheadError, Unprocessable
from app.predictions import calls, repeated_keys
from app.predictions.batches import items as batch_items
from app.predictions.batches import uniform
from app.predictions.batches.items import read_items
from app.predictions.calls import read_request
from app.predictions.repeated_keys import REPEATED, refuse_repeated_keys
from app.predictions.schemas import PredictRequest
from tests.service import Service

JSON = {"Content-Type": "application/json"}
GOOD = '{"model":"google-stock","history":[1,2,3]}'


def errors_of(service: Service, body: str) -> list[tuple[str, str]]:
    answer = service.client.post("/predict", content=body.encode(), headers=JSON)
    assert answer.status_code == 422, answer.text
    return [(error["field"], error["message"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"model":"google-stock","history":[NaN],"history":[1,2,3]}', "history"),
        ('{"model":"google-stock","history":[1,2,3],"history":[1,2,3]}', "history"),
        ('{"model":"nobody","model":"google-stock","history":[1,2,3]}', "model"),
        ('{"model":"google-stock","history":[1,2,3],"mod\\u0065l":"google-stock"}', "model"),
        ('{"model":"google-stock","series":"\\"","series":"a","history":[1,2,3]}', "series"),
        ('{"model":"google-stock","levels":[1e999],"levels":null,"history":[1,2,3]}', "levels"),
        ('{"model":"two-columns","history":{"Open":[1],"Open":[1],"Volume":[1]}}', "history.Open"),
        ('{"model":"stream","text":"\\u0000","text":"a"}', "text"),
        ('{"model":"stream","text":"a","temperature":-Infinity,"temperature":1}', "temperature"),
    ],
)
def test_a_key_that_stands_twice_is_named(asked: Service, body: str, key: str) -> None:
    assert errors_of(asked, body) == [(key, REPEATED)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"model":"google-stock","history":[1,2,NaN]}', "history.2"),
        ('{"model":"google-stock","history":[1,-Infinity,3]}', "history.1"),
        ('{"model":"google-stock","history":[1e999,2,3]}', "history.0"),
        ('{"model":"google-stock","history":[1,2,3],"extra":NaN}', "extra"),
        ('{"model":"google-stock","history":[1,2,3],"horizon":Infinity}', "horizon"),
        ('{"model":"google-stock","history":[1,2,3],"levels":[NaN]}', "levels.0"),
        ('{"model":"two-columns","history":{"Open":[1,2,3],"Volume":[1,2,NaN]}}', None),
        ('{"model":"stream","text":"a","temperature":NaN}', "temperature"),
        ('{"model":"stream","text":"a","seed":NaN}', "seed"),
    ],
)
def test_a_number_that_is_not_finite_is_named_wherever_it_stands(
    asked: Service, body: str, field: str | None
) -> None:
    ((found, message),) = errors_of(asked, body)
    assert field is None or found == field
    assert REPEATED not in message


@pytest.mark.parametrize("text", ["\\ud800", "\\udc00a", "\\ud800\\ud800"])
def test_half_a_surrogate_pair_is_no_json(asked: Service, text: str) -> None:
    body = f'{{"model":"stream","text":"{text}"}}'
    answer = asked.client.post("/predict", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-request")


def test_json_deeper_than_postgresql_reads_is_refused(asked: Service) -> None:
    deep = "[" * 5_000 + "]" * 5_000
    body = f'{{"model":"google-stock","history":{deep},"history":[1,2,3]}}'
    answer = asked.client.post("/predict", content=body, headers=JSON)
    assert answer.status_code == 400
    assert "recursion limit" in answer.json()["detail"]


def test_quotation_marks_within_a_text_are_no_keys(asked: Service) -> None:
    answer = asked.predict(model="stream", text='"a": "b", "a": "c", \\"')
    assert answer.status_code == 200
    assert answer.json()["text"].startswith('"a": "b", "a": "c", \\"')


@pytest.mark.parametrize("count", [3, uniform.MIN_ROWS + 1])
@pytest.mark.parametrize("where", ["item", "history", "batch"])
def test_in_a_batch_only_the_item_with_the_key_fails(
    asked: Service, count: int, where: str
) -> None:
    items = [GOOD] * count
    if where == "item":
        items[1] = '{"model":"google-stock","history":[NaN],"history":[1,2,3]}'
    elif where == "history":
        items[1] = '{"model":"two-columns","history":{"Open":[1],"Open":[1],"Volume":[1]}}'
    again = '"items":[],' if where == "batch" else ""
    body = f'{{{again}"items":[{",".join(items)}]}}'
    answer = asked.client.post("/predict/batch", content=body, headers=JSON)
    if where == "batch":
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["items"]
        return
    found = answer.json()["items"]
    assert found.pop(1)["error"]["errors"][0]["message"] == REPEATED
    assert all("predictions" in item for item in found)


KEYS = st.sampled_from(["model", "history", "series", "timestamps", "text", "top_k"])
TEXTS = st.text('a"\\{}:,é', max_size=3)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.lists(st.integers(-2, 2), max_size=3),
    st.lists(TEXTS, max_size=2),
    st.integers(0, 5),
    st.just(float("nan")),
)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=4)
Pairs = Sequence[tuple[str, Any]]


def written(pairs: Pairs) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs) + "}"


def repeats(pairs: Pairs) -> bool:
    return len({key for key, _ in pairs}) < len(pairs)


@settings(deadline=None, max_examples=500)
@given(pairs=PAIRS.map(lambda pairs: [("model", "m"), *pairs]))
@example(pairs=[("model", "m"), ("series", '"'), ("series", "a")])
def test_exactly_the_requests_with_a_repeated_key_are_refused(pairs: Pairs) -> None:
    body = written(pairs).encode()
    try:
        request: PredictRequest = read_request(body)
    except ValidationError:
        return
    if repeats(pairs):
        with pytest.raises(Unprocessable):
            refuse_repeated_keys(body, request)
    else:
        refuse_repeated_keys(body, request)


@settings(deadline=None, max_examples=300)
@given(
    items=st.lists(PAIRS.map(lambda pairs: [("model", "m"), *pairs]), min_size=1, max_size=4),
    is_uniform_tried=st.booleans(),
)
def test_exactly_the_items_with_a_repeated_key_are_refused(
    items: Sequence[Pairs], *, is_uniform_tried: bool
) -> None:
    body = ('{"items":[' + ",".join(map(written, items)) + "]}").encode()
    if is_uniform_tried:
        with patch.object(uniform, "MIN_ROWS", 1):
            if uniform.alike_items(body) is not None:
                assert not any(map(repeats, items))
                return
    for pairs, (raw, found) in zip(items, read_items(body), strict=True):
        if repeats(pairs):
            assert isinstance(found, StepaheadError)
        elif isinstance(found, PredictRequest):
            assert json.loads(raw) == dict(pairs)  # the logged request is the original


def test_usual_requests_are_read_once(asked: Service) -> None:
    def never(body: bytes, *_: object) -> None:
        raise AssertionError(body)

    with patch.object(calls, "refuse_repeated_keys", never):
        assert asked.client.post("/predict", content=GOOD, headers=JSON).is_success
        assert asked.predict(model="stream", text="ab", top_k=1, seed=None).is_success

    with (
        patch.object(batch_items, "read_with_repeated_keys", never),
        patch.object(repeated_keys, "read_with_repeated_keys", never),
    ):
        assert asked.client.post("/predict", content=GOOD, headers=JSON).is_success
        full = {
            "model": "two-columns",
            "history": {"Open": [1, 2, 3], "Volume": [1, 2, 3]},
            "timestamps": ["2017-01-03", "2017-01-04", "2017-01-05"],
            "series": "GOOG",
            "levels": None,
        }
        assert asked.predict(**full).is_success
        assert asked.predict(model="stream", text="ab", top_k=1, seed=None).is_success
        for count in (2, 100):
            items = {"items": [full, {"model": "stream", "text": "ab"}] * count}
            assert asked.client.post("/predict/batch", json=items).is_success
