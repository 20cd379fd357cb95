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
        ({"history": [1, 2, 3]}, 422, "model"),
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
