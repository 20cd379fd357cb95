"""Test requests without a model, answered by the shipped `universal`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.service import Service, running_service

DAYS = [f"2026-01-{day:02d}" for day in range(1, 32)]
WEEKLY = [10.0, 12, 15, 14, 20, 30, 25]


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("universal")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


def weekly(count: int) -> list[float]:
    chance = np.random.default_rng(1)
    return [WEEKLY[day % 7] + float(chance.normal(0, 0.3)) for day in range(count)]


def values(answer: dict[str, Any]) -> list[float]:
    return [step["value"] for step in answer["predictions"]]


def test_a_history_without_a_model_is_forecast_and_logged(service: Service) -> None:
    answer = service.predict(history=[3.0, 4.0, 5.0], series="mine").json()

    assert (answer["model"], answer["version"], answer["skill"]) == ("universal", 1, None)
    assert 4 < answer["predictions"][0]["value"] < 8
    logged = service.client.get(f"/predictions/{answer['id']}").json()
    assert (logged["model"], logged["alias"], logged["series"]) == ("universal", "champion", "mine")
    assert logged["request"] == {"history": [3.0, 4.0, 5.0], "series": "mine"}


def test_two_values_are_too_few(service: Service) -> None:
    answer = service.predict(history=[3.0, 4.0])
    assert answer.status_code == 422
    assert "universal@1 needs at least 3" in answer.json()["detail"]


def test_a_short_history_is_said_to_be_unsure(service: Service) -> None:
    answer = service.predict(history=[3.0, 4.0, 5.0]).json()
    assert any("fewer than 12 is unsure" in warning for warning in answer["warnings"])


def test_the_season_of_the_frequency_is_continued_with_its_times(service: Service) -> None:
    answer = service.predict(history=weekly(31), timestamps=DAYS, horizon=14).json()

    assert values(answer) == pytest.approx([WEEKLY[day % 7] for day in range(31, 45)], abs=2.5)
    assert answer["predictions"][0]["timestamp"] == "2026-02-01"
    assert answer["warnings"] == []


def test_a_season_is_found_without_times(service: Service) -> None:
    answer = service.predict(history=weekly(70), horizon=7).json()

    assert values(answer) == pytest.approx(WEEKLY, abs=2.5)
    assert any("a season of 7 steps was found" in warning for warning in answer["warnings"])


def test_missing_days_are_left_open_and_named(service: Service) -> None:
    chosen = [day for day in range(31) if day not in (9, 10)]
    history = weekly(31)
    answer = service.predict(
        history=[history[day] for day in chosen],
        timestamps=[DAYS[day] for day in chosen],
        horizon=7,
    ).json()

    assert values(answer) == pytest.approx([WEEKLY[day % 7] for day in range(31, 38)], abs=2.5)
    assert any(warning.startswith("2 steps of the history") for warning in answer["warnings"])


def test_uneven_times_are_not_continued(service: Service) -> None:
    times = ["2026-01-01", "2026-01-02", "2026-01-09", "2026-03-30", "2026-07-01"]
    answer = service.predict(history=[1.0, 2, 3, 4, 5], timestamps=times).json()

    assert answer["predictions"][0]["timestamp"] is None
    assert any("have no regular step" in warning for warning in answer["warnings"])


def test_the_horizon_left_out_is_that_of_the_frequency(service: Service) -> None:
    assert len(values(service.predict(history=weekly(31), timestamps=DAYS).json())) == 14
    assert len(values(service.predict(history=weekly(31)).json())) == 1


def test_a_thousand_steps_have_intervals_that_keep_growing(service: Service) -> None:
    walk = np.cumsum(np.random.default_rng(2).normal(size=300)).tolist()
    answer = service.predict(history=walk, horizon=1000, levels=[80, 95]).json()

    widths = [
        [band["high"] - band["low"] for band in step["intervals"]] for step in answer["predictions"]
    ]
    assert len(widths) == 1000
    assert widths[999][0] > 1.5 * widths[63][0] > 1.5 * widths[0][0]
    assert all(narrow < wide for narrow, wide in widths)
    assert any("fed back" in warning for warning in answer["warnings"])


def test_a_batch_mixes_series_with_and_without_a_model(service: Service) -> None:
    items: list[dict[str, Any]] = [
        {"history": weekly(40), "horizon": 2},
        {"model": "google-stock", "history": [780.0]},
        {"history": [1.0]},
        {"history": weekly(70), "horizon": 70, "levels": [80]},
    ]
    answers = service.client.post("/predict/batch", json={"items": items}).json()["items"]

    assert [each.get("model") for each in answers] == [
        *("universal", "google-stock", None, "universal"),
    ]
    assert answers[2]["error"]["status"] == 422
    assert len(answers[3]["predictions"]) == 70
    alone = service.predict(**items[0]).json()
    assert values(answers[0]) == pytest.approx(values(alone), rel=1e-5)


def test_many_items_without_a_model_are_answered_in_order(service: Service) -> None:
    items = [{"history": [float(number)] * 20} for number in range(40)]
    answers = service.client.post("/predict/batch", json={"items": items}).json()["items"]
    assert [values(each)[0] for each in answers] == pytest.approx(range(40))


def test_an_even_history_has_an_even_forecast(service: Service) -> None:
    answer = service.predict(history=[5.0] * 12, horizon=3, levels=[80]).json()
    assert values(answer) == [5.0] * 3
    assert any("all values of the history are equal" in told for told in answer["warnings"])


def test_values_beyond_what_a_number_holds_are_refused(service: Service) -> None:
    answer = service.predict(history=[1e308, -1e308, 1e308], levels=[99])
    assert answer.status_code == 422
    assert "too large" in answer.json()["detail"]


def test_a_text_without_a_model_is_told_to_name_one(service: Service) -> None:
    answer = service.predict(text="long ago")
    assert answer.status_code == 422
    assert "name a text model in `model`" in answer.json()["detail"]


def test_several_columns_are_refused(service: Service) -> None:
    answer = service.predict(history={"a": [1.0, 2, 3], "b": [1.0, 2, 3]})
    assert "forecasts one series from its own values" in answer.json()["detail"]


def test_the_end_of_a_dataset_is_forecast(service: Service) -> None:
    rows = [f"{day},{value}" for day, value in zip(DAYS, weekly(31), strict=True)]
    file = "\n".join(["Date,Visitors", *rows]).encode()
    uploaded = service.client.post("/datasets", files={"file": ("visitors.csv", file)}).json()

    answer = service.predict(dataset=uploaded["id"], horizon=7).json()

    assert values(answer) == pytest.approx([WEEKLY[day % 7] for day in range(31, 38)], abs=2.5)
    assert answer["predictions"][0]["timestamp"] == "2026-02-01"


def test_it_is_not_evaluated_by_itself(service: Service) -> None:
    file = "\n".join(["Date,value", *(f"{day},{row}" for row, day in enumerate(DAYS))]).encode()
    answer = service.client.post(
        "/models/universal/versions/1/evaluate", files={"file": ("values.csv", file)}
    )
    assert answer.status_code == 422
    assert "has it as a baseline" in answer.json()["detail"]


def test_its_report_says_what_it_was_judged_on(service: Service) -> None:
    report = service.client.get("/models/universal/versions/1/report").text
    assert "Neither these nor the training held measured data of any kind" in report
    assert "have intervals that keep growing" in report
