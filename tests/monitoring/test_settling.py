import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from app.monitoring import log_reader
from app.monitoring.log_reader import LogReader
from app.monitoring.partition_keeper import PartitionKeeper
from app.monitoring.store import lock_position, position_of_log
from app.monitoring.texts.sums import NONE_YET
from app.predictions.logged.partitions import maintain_partitions
from app.storage.ids import first_id, new_id
from app.storage.monitoring_tables import Forecast, TextActual, TextScore
from tests.artifacts import persistence_artifact
from tests.monitoring.log import ask, days, follow, monitor, resources_of
from tests.service import Service


def test_a_later_history_settles_earlier_predictions_by_itself(service: Service) -> None:
    ask(service, [1, 2, 3])  # forecasts 3
    ask(service, [1, 2, 3, 5])  # 5 came; forecasts 5
    ask(service, [1, 2, 3, 5, 4])  # 4 came
    follow(service)
    (version,) = monitor(service)["versions"]
    assert (version["version"], version["role"], version["requests"]) == (1, "served", 3)
    assert version["forecasts"] == 2
    assert version["mae"] == pytest.approx(1.5)


def test_a_try_out_is_logged_and_counts_as_nothing(service: Service) -> None:
    ask(service, [1, 2, 3])
    tried = {"model": "google-stock", "timestamps": days(4), "live": False}
    answer = service.predict(history=[1, 2, 3, 5], **tried).raise_for_status()
    follow(service)
    (version,) = monitor(service)["versions"]
    assert (version["requests"], version["forecasts"]) == (1, 0)
    logged = service.client.get(f"/predictions/{answer.json()['id']}").json()
    assert logged["request"]["live"] is False


def test_a_forecast_made_before_a_holiday_meets_the_next_row(service: Service) -> None:
    calendar = "Mon-Fri except XNYS: 2024-05-27, 2024-12-25"
    service.register("prices", persistence_artifact(calendar=calendar))
    friday = ["2024-05-22", "2024-05-23", "2024-05-24"]
    service.predict(model="prices", history=[1, 2, 3], timestamps=friday)  # forecasts 3
    later = [*friday, "2024-05-28"]
    service.predict(model="prices", history=[1, 2, 3, 5], timestamps=later)
    follow(service)
    (version,) = monitor(service, "prices")["versions"]
    assert (version["forecasts"], version["mae"]) == (1, pytest.approx(2.0))


@pytest.mark.parametrize("read_in_between", [True, False])
def test_the_newest_history_has_the_last_word(service: Service, *, read_in_between: bool) -> None:
    ask(service, [1, 2, 3])
    for came in (5, 9, 4):
        ask(service, [1, 2, 3, came])
        if read_in_between:
            follow(service)
    follow(service)
    (version,) = monitor(service)["versions"]
    assert (version["forecasts"], version["rmse"], version["bias"]) == (1, 1.0, -1.0)


def test_live_figures_are_those_computed_by_hand(service: Service) -> None:
    values = [10.0, 12.0, 11.0, 15.0, 14.0, 20.0]
    service.register("rising", persistence_artifact(step=1.0))
    for known in range(3, len(values) + 1):
        ask(service, values[:known], model="rising")
    follow(service)
    (version,) = monitor(service, "rising")["versions"]
    persistence = [known - actual for known, actual in itertools.pairwise(values[2:])]
    errors = [error + 1 for error in persistence]
    rmse = (sum(error**2 for error in errors) / 3) ** 0.5
    persistence_rmse = (sum(error**2 for error in persistence) / 3) ** 0.5
    assert version["forecasts"] == 3
    assert version["rmse"] == pytest.approx(rmse)
    assert version["mae"] == pytest.approx(sum(map(abs, errors)) / 3)
    assert version["bias"] == pytest.approx(sum(errors) / 3)
    assert version["persistence_rmse"] == pytest.approx(persistence_rmse)
    assert version["skill"] == pytest.approx(1 - rmse / persistence_rmse)
    (day,) = monitor(service, "rising")["days"]
    assert day["rmse"] == version["rmse"]
    assert day["day"] == datetime.now(UTC).date().isoformat()


def test_every_step_has_its_own_figures(service: Service) -> None:
    service.register("far", persistence_artifact(horizon=3, step=1.0))
    ask(service, [1, 2, 3], model="far")  # 4, 5, 6
    ask(service, [1, 2, 3, 4, 7, 6], model="far")
    follow(service)
    steps = monitor(service, "far")["versions"][0]["steps"]
    assert [(step["step"], step["rmse"]) for step in steps] == [(1, 0.0), (2, 2.0), (3, 0.0)]


def test_reading_again_changes_nothing(service: Service) -> None:
    ask(service, [1, 2, 3])
    ask(service, [1, 2, 3, 5])
    follow(service)
    before = monitor(service)
    for _ in range(3):
        follow(service, LogReader(resources_of(service)))
    assert monitor(service) == before


COPY = text("""
    INSERT INTO predictions
    SELECT :id, created_at, request_id, model, version, alias, kind, series, request, response
      FROM predictions WHERE id = :original
    """)


def test_what_becomes_visible_late_is_read_anyway(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = new_id(), new_id()
    answer = ask(service, [1, 2, 3])
    for late in (second, first):  # the earlier id is committed last
        with service.engine.begin() as connection:
            connection.execute(COPY, {"id": late, "original": answer["id"]})
        follow(service)
    found = monitor(service)
    # checked from time to time
    assert (found["versions"][0]["requests"], found["unread"]) == (2, 1)
    monkeypatch.setattr(log_reader, "LATE_EVERY", timedelta(0))
    follow(service)
    found = monitor(service)
    assert (found["versions"][0]["requests"], found["unread"]) == (3, 0)


def test_what_is_late_beyond_measure_takes_more_than_one_batch(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr(log_reader, "LATE_EVERY", timedelta(0))
    late = [new_id() for _ in range(10)]
    answer = ask(service, [1, 2, 3])
    follow(service)
    with service.engine.begin() as connection:
        connection.execute(COPY, [{"id": one, "original": answer["id"]} for one in late])
    ask(service, [1, 2, 3])
    follow(service)
    assert monitor(service)["versions"][0]["requests"] == 12


def test_all_that_is_late_is_read_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "ROWS_AT_ONCE", 4)
    late = [new_id() for _ in range(10)]
    answer = ask(service, [1, 2, 3])
    follow(service)
    looked_for = first_id(datetime.now(UTC) - log_reader.LATE_BY - log_reader.LATE_EVERY)
    with service.engine.begin() as connection:
        connection.execute(COPY, [{"id": one, "original": answer["id"]} for one in late])
        connection.execute(text("UPDATE log_position SET position = :id"), {"id": looked_for})
    follow(service)
    found = monitor(service)
    assert (found["versions"][0]["requests"], found["unread"]) == (11, 0)


def test_what_was_read_is_forgotten_when_nothing_can_be_late_any_more(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = text("SELECT count(*) FROM read_predictions")
    ask(service, [1, 2, 3])
    follow(service)
    with service.engine.connect() as connection:
        assert connection.execute(count).scalar_one() == 1
    monkeypatch.setattr(log_reader, "LATE_BY", timedelta(0))
    monkeypatch.setattr(log_reader, "LATE_EVERY", timedelta(0))
    follow(service)
    with service.sessions() as session:
        assert session.execute(count).scalar_one() == 0
        position = position_of_log(session)
    follow(service)
    with service.sessions() as session:
        assert position_of_log(session) == position  # nothing is written without news
    assert monitor(service)["versions"][0]["requests"] == 1


def test_two_readers_at_once_do_not_read_twice(service: Service) -> None:
    ask(service, [1, 2, 3])
    one, other = (LogReader(resources_of(service)) for _ in range(2))
    with service.sessions.begin() as session:
        assert lock_position(session, wait=False) is not None
        assert one.read_and_settle() == 0  # another process is doing it
    assert other.read_and_settle() == 1
    assert one.read_and_settle() == 0
    assert monitor(service)["versions"][0]["requests"] == 1


def test_a_long_log_is_read_in_batches(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "ROWS_AT_ONCE", 4)
    for known in range(3, 13):
        ask(service, range(known))
    follow(service)
    (version,) = monitor(service)["versions"]
    assert (version["requests"], version["forecasts"], version["rmse"]) == (10, 9, 1.0)


def test_a_row_that_makes_no_sense_does_not_stop_the_others(service: Service) -> None:
    broken = ask(service, [1, 2, 3])
    with service.engine.begin() as connection:
        connection.execute(
            text("UPDATE predictions SET response = '{}' WHERE id = :id"), {"id": broken["id"]}
        )
    ask(service, [1, 2, 3])
    ask(service, [1, 2, 3, 5])
    follow(service)
    (version,) = monitor(service)["versions"]
    assert (version["requests"], version["forecasts"]) == (3, 1)


@pytest.mark.parametrize(
    "timestamps",
    [
        ["0001-01-01T00:00:00+05:00", "0001-01-02T00:00:00+05:00", "0001-01-03T00:00:00+05:00"],
        ["9999-12-29T23:00:00-05:00", "9999-12-30T23:00:00-05:00", "9999-12-31T23:00:00-05:00"],
    ],
)
def test_times_at_the_ends_of_the_calendar_do_not_stop_the_others(
    service: Service, timestamps: list[str]
) -> None:
    """In UTC, the first and the last of these times are outside the range of years."""
    answer = service.predict(model="google-stock", history=[1, 2, 3], timestamps=timestamps)
    assert answer.status_code == 200, answer.text
    ask(service, [1, 2, 3])
    ask(service, [1, 2, 3, 5])
    follow(service)
    found = monitor(service)
    assert found["unread"] == 0
    assert (found["versions"][0]["requests"], found["versions"][0]["forecasts"]) == (3, 1)


def test_enormous_errors_are_summed_anyway(service: Service) -> None:
    ask(service, [1, 2, 1e308])
    ask(service, [1, 2, 1e308, -1e308])
    follow(service)
    assert monitor(service)["versions"][0]["rmse"] == 1e100


def test_series_of_one_model_are_kept_apart(service: Service) -> None:
    ask(service, [1, 2, 3], series="A")
    ask(service, [1, 2, 3, 9], series="B")
    follow(service)
    assert monitor(service)["versions"][0]["forecasts"] == 0
    ask(service, [1, 2, 3, 4], series="A")
    follow(service)
    assert monitor(service)["versions"][0]["rmse"] == 1.0


def test_texts_are_counted_before_it_is_known_what_followed(service: Service) -> None:
    assert service.predict(model="belling-the-cat", text="long ago ,").status_code == 200
    follow(service)
    (version,) = monitor(service, "belling-the-cat")["versions"]
    assert (version["requests"], version["skill"]) == (1, None)
    assert version["skill_missing"] == NONE_YET
    assert monitor(service, "belling-the-cat")["requests_per_minute"] == 1
    told = service.client.get("/metrics").text
    assert 'stepahead_prediction_seconds_count{model="belling-the-cat",version="1"} 1.0' in told


def test_what_no_worker_has_read_is_shown(service: Service) -> None:
    ask(service, [1, 2, 3])
    assert monitor(service)["unread"] == 1
    follow(service)
    assert monitor(service)["unread"] == 0


def test_figures_and_actuals_outlive_the_log(service: Service) -> None:
    """Retention deletes a day with predictions that were never read."""
    old = datetime.now(UTC) - timedelta(days=3)
    maintain_partitions(service.engine, service.settings, today=old.date())
    ask(service, [1, 2, 3])
    ask(service, [1, 2, 3, 5])
    assert service.predict(model="belling-the-cat", text="long ago cat").status_code == 200
    moving = text("SELECT id FROM predictions ORDER BY id")
    with service.engine.begin() as connection:
        for number, (identifier,) in enumerate(connection.execute(moving).all()):
            moved = first_id(old + timedelta(seconds=number))
            connection.execute(
                text("UPDATE predictions SET id = :new WHERE id = :old"),
                {"new": moved, "old": identifier},
            )
    followed = {"prediction": str(moved), "text": "bell ."}
    service.client.post("/actuals", json={"items": [followed]}).raise_for_status()
    assert left_after_retention(service, kept_days=1) == 0
    (version,) = monitor(service)["versions"]
    assert (version["requests"], version["forecasts"], version["rmse"]) == (2, 1, 2.0)
    assert [day["day"] for day in monitor(service)["days"]] == [old.date().isoformat()]
    actuals = service.client.get("/models/google-stock/actuals").json()["items"]
    assert [(actual["timestamp"], actual["value"]) for actual in actuals] == [(days(4)[3], 5.0)]
    with service.engine.connect() as connection:
        for table in (Forecast, TextActual, TextScore):
            assert connection.execute(select(table)).all() == []
    (fable,) = monitor(service, "belling-the-cat")["versions"]
    assert (fable["requests"], fable["forecasts"], fable["accuracy"]) == (1, 1, 1.0)


def left_after_retention(service: Service, *, kept_days: int) -> int:
    """Do what an api process does every hour; return what is left in the log."""
    settings = service.settings.model_copy(update={"log_retention_days": kept_days})
    keeper = PartitionKeeper(replace(resources_of(service), settings=settings))
    asyncio.run(keeper.maintain())
    with service.engine.connect() as connection:
        left: int = connection.execute(text("SELECT count(*) FROM predictions")).scalar_one()
    return left


def test_a_stored_history_settles_earlier_predictions_too(service: Service) -> None:
    for rows in (40, 41):
        lines = ["Date,Open", *(f"{day},{row}" for row, day in enumerate(days(rows)))]
        uploaded = service.client.post("/datasets", files={"file": ("p.csv", "\n".join(lines))})
        answer = service.predict(model="google-stock", dataset=uploaded.json()["id"])
        assert answer.status_code == 200, answer.text
    follow(service)
    (version,) = monitor(service)["versions"]
    assert (version["requests"], version["forecasts"], version["rmse"]) == (2, 1, 1.0)
