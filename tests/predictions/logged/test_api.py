"""Test filters and pages of `GET /predictions`."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.service import Service

PRICES = [1.0, 2.0, 3.0]


@pytest.fixture(scope="module")
def logged(asked: Service) -> Service:
    asked.client.post(
        "/predict",
        json={"model": "google-stock", "history": PRICES, "series": "GOOG"},
        headers={"X-Request-Id": "first"},
    )
    for n in range(5):
        asked.predict(model="two-steps@1", history=[n, n, n])
    asked.predict(model="stream", text="ab")
    return asked


def models(logged: Service, **query: object) -> list[str]:
    answer = logged.client.get("/predictions", params=query)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return [item["model"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["stream"] + ["two-steps"] * 5 + ["google-stock"]),
        ({"model": "two-steps"}, ["two-steps"] * 5),
        ({"kind": "text"}, ["stream"]),
        ({"series": "GOOG"}, ["google-stock"]),
        ({"version": 2}, []),
        ({"model": "stream", "version": 1}, ["stream"]),
        ({"request_id": "first"}, ["google-stock"]),
        ({"model": "nobody"}, []),
        ({"limit": 2}, ["stream", "two-steps"]),
    ],
)
def test_the_log_can_be_filtered(
    logged: Service, query: dict[str, object], expected: list[str]
) -> None:
    assert models(logged, **query) == expected


def test_a_time_range_goes_by_when_it_was_answered(logged: Service) -> None:
    now = datetime.now(UTC)
    ago, ahead = now - timedelta(hours=1), now + timedelta(hours=1)
    assert len(models(logged, **{"from": ago.isoformat(), "to": ahead.isoformat()})) == 7
    assert models(logged, to=ago.isoformat()) == []
    assert models(logged, **{"from": ahead.isoformat()}) == []
    newest = logged.client.get("/predictions", params={"limit": 1}).json()["items"][0]
    created = datetime.fromisoformat(newest["created_at"])
    after = created + timedelta(milliseconds=1)
    assert models(logged, **{"from": created.isoformat(), "to": after.isoformat()})[0] == "stream"


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+05:00", "1969-12-31T23:59:59Z"])
def test_a_time_range_may_begin_before_there_were_ids(logged: Service, since: str) -> None:
    everything = logged.client.get("/predictions").json()["items"]
    found = logged.client.get("/predictions", params={"from": since})
    assert found.status_code == 200
    assert found.json()["items"] == everything
    assert logged.client.get("/predictions", params={"to": since}).json()["items"] == []


def test_pages_give_every_row_once(logged: Service) -> None:
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(4):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = logged.client.get("/predictions", params=query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert cursor is None
    assert len(set(seen)) == len(seen) == 7
    assert seen == sorted(seen, reverse=True)


def test_one_prediction_is_shown_as_it_was(logged: Service) -> None:
    body = {"model": "google-stock", "history": [1, 2.50, 3], "timestamps": None}
    answer = logged.predict(**body).json()
    found = logged.client.get(f"/predictions/{answer['id']}").json()
    assert found["request"] == body
    assert found["response"] == answer
    assert found["alias"] == "champion"
    missing = logged.client.get("/predictions/00000000-0000-7000-8000-000000000000")
    assert missing.status_code == 404
