"""Test the shipped models with the README's requests."""

from collections.abc import Iterator

import pytest

from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("shipped")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


def test_hell_is_followed_by_o(service: Service) -> None:
    answer = service.predict(model="hello", text="hell").json()
    assert answer["text"] == "hello"


def test_the_fable_continues_and_shows_all_112_probabilities(service: Service) -> None:
    answer = service.predict(model="belling-the-cat", text="long ago , the", top_k=112).json()
    (step,) = answer["predictions"]
    assert step["token"] == "mice"  # noqa: S105 - a word
    assert len(step["top"]) == 112
    assert sum(entry["probability"] for entry in step["top"]) == pytest.approx(1.0, abs=1e-5)


def test_the_chapters_stock_model_answers_and_admits_its_skill(service: Service) -> None:
    answer = service.predict(
        model="google-stock",
        history=[778.81, 788.36, 786.08],
        timestamps=["2017-01-03", "2017-01-04", "2017-01-05"],
    ).json()
    (step,) = answer["predictions"]
    assert step["value"] == pytest.approx(780, abs=40)
    assert step["timestamp"] == "2017-01-06"
    assert answer["skill"] < 0
    assert step["intervals"] is None


def test_the_chapters_stock_model_has_intervals_for_levels_that_are_asked_for(
    service: Service,
) -> None:
    body = {"model": "google-stock", "history": [786.08], "levels": [50, 80, 95, 99]}
    (step,) = service.predict(**body).json()["predictions"]
    assert [band["level"] for band in step["intervals"]] == [50, 80, 95, 99]
    assert all(band["low"] <= step["value"] < band["high"] for band in step["intervals"])
    widths = [band["high"] - band["low"] for band in step["intervals"]]
    assert widths == sorted(widths)
    # The chapter model's errors on the calibration rows were mostly above 0, up to about 50.
    assert 20 < widths[1] < 60


def test_a_lone_request_equals_the_same_one_among_many(service: Service) -> None:
    items = [{"model": "google-stock", "history": [300.0 + 7.5 * n]} for n in range(60)]
    together = service.client.post("/predict/batch", json={"items": items}).json()["items"]
    for item, shared in zip(items, together, strict=True):
        alone = service.predict(**item).json()["predictions"][0]["value"]
        assert shared["predictions"][0]["value"] == pytest.approx(alone, rel=1e-6)
