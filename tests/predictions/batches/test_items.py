import json

import pytest

from tests.service import Service

SERIES: dict[str, object] = {"model": "google-stock", "history": [1.0, 2.0, 3.0]}
TEXT: dict[str, object] = {"model": "stream", "text": "ab"}


def test_items_are_answered_in_their_order_whatever_their_kind(asked: Service) -> None:
    items: list[dict[str, object]] = [
        SERIES,
        TEXT,
        SERIES,
        {"model": "two-steps", "history": [1, 2, 3]},
    ]
    answer = asked.client.post("/predict/batch", json={"items": items})
    assert answer.status_code == 200
    assert [item["model"] for item in answer.json()["items"]] == [item["model"] for item in items]


@pytest.mark.parametrize(
    ("item", "status", "field"),
    [
        ({"model": "nobody", "history": [1]}, 404, None),
        ({"model": "google-stock", "history": [1]}, 422, "history"),
        ({"model": "google-stock", "history": [1, 2, "3"]}, 422, "history.2"),
        ({"model": "google-stock", "history": [1, 2, True]}, 422, "history.2"),
        ({"model": "google-stock"}, 422, "history"),
        ({"history": [1, 2, 3]}, 404, None),  # universal is not in this registry
        (5, 422, "body"),
        (None, 422, "body"),
        ({"model": "stream", "text": "\x00"}, 422, "text"),
    ],
)
def test_an_item_that_fails_is_a_problem_in_its_place(
    asked: Service, item: object, status: int, field: str | None
) -> None:
    answer = asked.client.post("/predict/batch", json={"items": [SERIES, item, TEXT]})
    assert answer.status_code == 200
    first, problem, last = answer.json()["items"]
    assert first["predictions"][0]["value"] == 3.0
    assert last["text"] == "abc"
    assert problem["error"]["status"] == status
    assert [error["field"] for error in problem["error"]["errors"]] == ([field] if field else [])


def test_nan_in_one_item_fails_that_item(asked: Service) -> None:
    body = (
        '{"items": [{"model": "google-stock", "history": [1, 2, 3]},'
        ' {"model": "google-stock", "history": [1, 2, NaN]}]}'
    )
    answer = asked.client.post(
        "/predict/batch", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.json()["items"][1]["error"]["errors"][0]["field"] == "history.2"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        ("", 400),
        ("[1, 2", 400),
        ("[]", 422),
        ("{}", 422),
        ('{"items": []}', 422),
        ('{"items": 5}', 422),
        ('{"items": [{}], "more": 1}', 422),
        ('{"items": [' + ",".join(["1"] * 1001) + "]}", 422),
        ('{"items": "' + "x" * 100_000 + '"}', 413),
    ],
)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(
    asked: Service, content: str, status: int
) -> None:
    answer = asked.client.post(
        "/predict/batch", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_an_item_is_logged_as_it_was_given(asked: Service) -> None:
    item = {"model": "google-stock@1", "history": [7.0, 8.0, 9.5], "series": "GOOG"}
    answer = asked.client.post("/predict/batch", json={"items": [item]}).json()["items"][0]
    logged = asked.client.get(f"/predictions/{answer['id']}").json()
    assert logged["request"] == item
    assert logged["response"] == answer
    assert logged["alias"] is None
    assert logged["series"] == "GOOG"


VARIED: list[dict[str, object]] = [
    SERIES,
    {"model": "google-stock@1", "history": [1, 2, 1000.5], "series": 'a {b} "c"'},
    {"model": "two-columns", "history": {"Volume": [1.0, 2.0, 3.0], "Open": [-1.0, 2.5, 9.0]}},
    {"model": "calibrated", "history": [30.0, 20.0, 9.0], "horizon": 4, "levels": [95, 80]},
    {
        "model": "google-stock",
        "history": [1.0, 2.0, -3.0],
        "timestamps": ["2017-01-06", "2017-01-13", "2017-01-20"],
    },
    {"model": "two-steps", "history": [1e15, 2.0, 1e-7] * 20},
    {"model": "steep", "history": [1.0, 2.0, 3.0], "horizon": 3},
    {"model": "google-stock", "history": [1.0, 2.0, None]},
    TEXT,
]


@pytest.mark.parametrize("items", [VARIED, VARIED[:1], VARIED[:3], VARIED[3:6], VARIED[4:7]])
def test_a_batch_answers_as_its_items_are_answered_one_by_one(
    asked: Service, items: list[dict[str, object]]
) -> None:
    together = asked.client.post("/predict/batch", json={"items": items}).json()["items"]
    for item, answer in zip(items, together, strict=True):
        alone = asked.client.post("/predict", json=item)
        if alone.is_success:
            assert list(answer) == list(alone.json())
            assert answer | {"id": None} == alone.json() | {"id": None}
        else:
            assert answer == {"error": alone.json()}


def test_one_wrong_value_far_in_is_named_in_its_item_and_nothing_else_is_touched(
    asked: Service,
) -> None:
    items: list[dict[str, object]] = [
        {"model": "google-stock", "history": [1.0, 2.0, float(number)]} for number in range(256)
    ]
    items[199] = {"model": "google-stock", "history": [1.0, "2", 3.0]}
    answers = asked.client.post("/predict/batch", json={"items": items}).json()["items"]
    problem = answers.pop(199)["error"]
    assert [error["field"] for error in problem["errors"]] == ["history.1"]
    values = [answer["predictions"][0]["value"] for answer in answers]
    assert values == [float(number) for number in range(256) if number != 199]


def test_the_rows_of_a_batch_have_their_own_warnings(asked: Service) -> None:
    weekly = ["2017-01-06", "2017-01-13", "2017-01-20"]
    items = [
        {"model": "google-stock", "history": [1.0, 2.0, 3.0]},
        {"model": "google-stock", "history": [1.0, -2.0, 3.0], "timestamps": weekly},
        {"model": "google-stock", "history": [1.0, 2.0, 3.0], "timestamps": weekly},
        {"model": "google-stock", "history": [1.0, 2.0, 1000.5]},
    ]
    answers = asked.client.post("/predict/batch", json={"items": items}).json()["items"]
    begins = [[warning.split()[0] for warning in answer["warnings"]] for answer in answers]
    assert begins == [[], ["values", "the"], ["the"], ["values"]]


@pytest.mark.parametrize(
    "body",
    [
        (
            b'{"items":[{"model":"google-stock","history":[1,2.50,3]},'
            b'{"model":"google-stock","history":[4,5,6e0]}]}'
        ),
        (
            b' { "items" : [\n{"model" : "google-stock", "history":[1,2.50,3]} ,\t'
            b'{"history":[4,5,6e0],"model":"google-stock"} ] }\n'
        ),
        (
            b'{"items":[{"model":"google-stock","series":"}{","history":[1,2.50,3]},'
            b'{"model":"google-stock","series":"{","history":[4,5,6e0]}]}'
        ),
        (
            b'{"items":[{"model":"google-stock","history":{"Open":[1,2.50,3]}},'
            b'{"model":"google-stock","history":[4,5,6e0]}]}'
        ),
    ],
)
def test_each_item_is_logged_with_its_own_request_however_the_body_is_written(
    asked: Service, body: bytes
) -> None:
    answer = asked.client.post(
        "/predict/batch", content=body, headers={"Content-Type": "application/json"}
    )
    for item, given in zip(answer.json()["items"], json.loads(body)["items"], strict=True):
        logged = asked.client.get(f"/predictions/{item['id']}").json()
        assert logged["request"] == given
        assert logged["response"] == item
