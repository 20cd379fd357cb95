from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text, update

from app.datasets.store import get_dataset
from app.errors import Unprocessable
from app.jobs import queue
from app.monitoring.aggregates import Coverage, ErrorSums
from app.monitoring.retraining import store
from app.monitoring.retraining.cron import checked, next_time
from app.monitoring.retraining.judgement import Live, judge
from app.monitoring.retraining.retrainer import Retrainer
from app.monitoring.schemas import Thresholds
from app.reading.content import SeriesContent, content_from_bytes
from app.storage.monitoring_tables import Schedule
from app.storage.object_store import ObjectStore
from app.storage.store_errors import StoreUnavailable
from app.storage.tables import Dataset, Job, Version
from tests.artifacts import persistence_artifact, stream_text_artifact
from tests.monitoring.log import ask, days, follow, resources_of
from tests.service import Service, eventually

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


class PartlyAway(ObjectStore):
    """A store in which one object cannot be read at the moment."""

    def __init__(self, url: str, away: str) -> None:
        opened = ObjectStore.open(url)
        super().__init__(_backend=opened._backend, _prober=opened._prober, _folder=opened._folder)
        object.__setattr__(self, "away", away)

    def stream(self, sha256: str) -> Iterator[bytes]:
        if sha256 == vars(self)["away"]:
            raise StoreUnavailable("it does not answer")
        return super().stream(sha256)


def train_on(service: Service, rows: int, *, model: str = "google-stock") -> str:
    """Give a model a version that was trained on an upload, and return the dataset's id."""
    lines = ["Date,Open", *(f"{day},{100 + row % 7}" for row, day in enumerate(days(rows)))]
    uploaded = service.client.post("/datasets", files={"file": ("p.csv", "\n".join(lines))})
    assert uploaded.is_success, uploaded.text
    version = service.register(model, persistence_artifact(step=0.5))
    with service.sessions.begin() as session:
        row = session.merge(version)
        row.dataset_id = uploaded.json()["id"]
    identifier: str = uploaded.json()["id"]
    return identifier


def schedule(service: Service, **body: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = service.client.put("/models/google-stock/schedule", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def decisions(service: Service, model: str = "google-stock") -> list[dict[str, Any]]:
    answer = service.client.get(f"/models/{model}/decisions")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def jobs(service: Service) -> list[Job]:
    with service.sessions.begin() as session:
        return list(queue.list_jobs(session, limit=100))


def later(**by: float) -> datetime:
    return datetime.now(UTC) + timedelta(**by)


def test_a_model_is_trained_again_when_it_is_due(service: Service) -> None:
    dataset = train_on(service, 300)
    put = schedule(service, cron="0  3 * * 1")
    assert put["cron"] == "0 3 * * 1"
    due = datetime.fromisoformat(put["next_at"])
    assert (due.weekday(), due.hour, due.minute) == (0, 3, 0)
    retrainer = Retrainer(resources_of(service))
    assert retrainer.look(now=due - timedelta(seconds=1)) == 0
    assert retrainer.look(now=due + timedelta(days=30)) == 1  # however many due times were missed
    assert retrainer.look(now=due + timedelta(days=30)) == 0
    (decision,) = decisions(service)
    (job,) = jobs(service)
    assert (decision["cause"], decision["trained"], decision["job"]) == ("cron", True, str(job.id))
    assert "0 3 * * 1 was due" in decision["reason"]
    assert (str(job.dataset_id), job.target) == (dataset, "Open")
    assert job.recipe == persistence_artifact().manifest.recipe.model_dump(mode="json")
    shown = service.client.get("/models/google-stock/schedule").json()
    assert datetime.fromisoformat(shown["next_at"]) > due + timedelta(days=30)


def test_nothing_is_trained_while_a_job_is_under_way(service: Service) -> None:
    train_on(service, 300)
    schedule(service, cron="0 3 * * *")
    retrainer = Retrainer(resources_of(service))
    for day in (1, 2):
        assert retrainer.look(now=later(days=day)) == 1
    newest, oldest = decisions(service)
    assert (oldest["trained"], newest["trained"]) == (True, False)
    assert "is queued or running" in newest["reason"]
    assert len(jobs(service)) == 1


@pytest.mark.parametrize(
    ("verdict", "actuals", "trained"),
    [("within noise", 4, False), ("better", 4, True), ("within noise", 40, True)],
)
def test_what_universal_does_as_well_is_trained_again_on_many_more_rows_alone(
    service: Service, verdict: str, actuals: int, *, trained: bool
) -> None:
    train_on(service, 300)
    with service.sessions.begin() as session:
        version = session.scalars(select(Version).where(Version.model == "google-stock")).all()[-1]
        series = dict(version.scorecard["series"])
        for scores in filter(None, (series, series["all_steps"])):
            scores["against"] = {"universal": {"rows": 9, "skill": 0.1, "verdict": verdict}}
        version.scorecard = {**version.scorecard, "series": series}
    given = [
        {"model": "google-stock", "timestamp": day, "value": 200.0}
        for day in days(300 + actuals)[300:]
    ]
    assert service.client.post("/actuals", json={"items": given}).status_code == 200
    schedule(service, cron="0 3 * * *")
    Retrainer(resources_of(service)).look(now=later(days=1))

    (decision,) = decisions(service)
    assert decision["trained"] is trained
    assert ("is no better than `universal` beyond noise" in decision["reason"]) is not trained


def test_settled_actuals_extend_the_newest_dataset(service: Service) -> None:
    base = train_on(service, 300)
    coming = days(304)
    given = [
        {"model": "google-stock", "timestamp": day, "value": 200.0 + number}
        for number, day in enumerate(coming[298:])  # two of them are already in the file
    ]
    assert service.client.post("/actuals", json={"items": given}).status_code == 200
    schedule(service, cron="0 3 * * *")
    Retrainer(resources_of(service)).look(now=later(days=1))
    (decision,) = decisions(service)
    assert "4 new actuals" in decision["reason"]
    (job,) = jobs(service)
    assert job.dataset_id is not None
    with service.sessions.begin() as session:
        dataset: Dataset = get_dataset(session, job.dataset_id)
    content = content_from_bytes(service.store.get(dataset.content_sha256))
    assert isinstance(content, SeriesContent)
    assert content.row_times_iso() == coming
    assert content.column("Open")[-5:].tolist() == [105.0, 202.0, 203.0, 204.0, 205.0]
    lines = service.store.get(dataset.sha256).decode().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("time,Open", f"{coming[-1]},205.0", 305)
    assert dataset.report["end"] == coming[-1]
    shown = service.client.get(f"/datasets/{dataset.id}")
    assert shown.status_code == 200
    assert shown.json()["report"]["rows_used"] == 304
    assert str(dataset.extends_id) == base


def test_a_model_whose_dataset_was_taken_away_says_so(service: Service) -> None:
    train_on(service, 300)
    schedule(service, cron="0 3 * * *")
    with service.sessions.begin() as session:
        session.execute(update(Version).values(dataset_id=None))
    Retrainer(resources_of(service)).look(now=later(days=1))
    (decision,) = decisions(service)
    assert decision["trained"] is False
    assert "no version has a dataset" in decision["reason"]


def test_a_dataset_that_is_gone_is_not_a_reason_to_stop(service: Service) -> None:
    dataset = train_on(service, 300)
    with service.sessions.begin() as session:
        sha256 = session.get_one(Dataset, dataset).content_sha256
    (stored,) = (service.settings.resolved_data_dir / "store").rglob(sha256)
    stored.unlink()
    schedule(service, cron="0 3 * * *")
    Retrainer(resources_of(service)).look(now=later(days=1))
    (decision,) = decisions(service)
    assert decision["trained"] is False
    assert jobs(service) == []


def test_a_broken_model_does_not_stop_the_retraining_of_others(service: Service) -> None:
    train_on(service, 300, model="a-broken-one")
    train_on(service, 300)
    for model in ("a-broken-one", "google-stock"):
        put = service.client.put(
            f"/models/{model}/schedule",
            json={"cron": "0 3 * * *", "thresholds": {"skill_below": 0.0}},
        )
        assert put.is_success, put.text
    with service.sessions.begin() as session:
        session.execute(
            update(Version).where(Version.model == "a-broken-one").values(manifest={"no": "sense"})
        )
        broken = session.get_one(Schedule, "a-broken-one")
        broken.thresholds = {"of": "another release"}
    retrainer = Retrainer(resources_of(service))
    assert retrainer.look(now=later(days=1)) == 2
    assert [job.model for job in jobs(service)] == ["google-stock"]
    told = {one["cause"]: one for one in decisions(service, "a-broken-one")}
    assert set(told) == {"cron", "thresholds"}
    for decision in told.values():
        assert decision["trained"] is False
        assert "an unexpected ValidationError occurred" in decision["reason"]
    assert retrainer.look(now=later(days=1)) == 0  # not due again before its next time


def test_a_model_whose_files_cannot_be_read_now_stays_due(service: Service) -> None:
    unreadable = train_on(service, 300, model="a-model")
    train_on(service, 290)
    for model in ("a-model", "google-stock"):
        put = service.client.put(f"/models/{model}/schedule", json={"cron": "0 3 * * *"})
        assert put.is_success, put.text
    with service.sessions.begin() as session:
        away = session.get_one(Dataset, unreadable).content_sha256
    resources = resources_of(service)
    hampered = replace(resources, store=PartlyAway(resources.settings.resolved_store_url, away))
    assert Retrainer(hampered).look(now=later(days=1)) == 1
    assert [job.model for job in jobs(service)] == ["google-stock"]
    assert decisions(service, "a-model") == []
    assert Retrainer(resources).look(now=later(days=1)) == 1
    assert decisions(service, "a-model")[0]["trained"] is True


def test_a_schedule_of_a_model_without_a_dataset_is_refused(service: Service) -> None:
    path = "/models/google-stock/schedule"
    answer = service.client.put(path, json={"cron": "0 3 * * *"})
    assert answer.status_code == 409, answer.text
    assert "POST /models/google-stock/train" in answer.json()["detail"]
    assert service.client.get(path).json() is None
    missing = service.client.put("/models/nobody/schedule", json={"cron": "0 3 * * *"})
    assert missing.status_code == 404


def test_live_skill_below_the_threshold_trains_once_and_then_waits(service: Service) -> None:
    train_on(service, 300)  # forecasts half a step too high: worse than persistence
    service.client.put("/models/google-stock/aliases/champion", json={"version": 2})
    schedule(service, thresholds={"skill_below": 0.0, "forecasts": 10, "days": 2})
    retrainer = Retrainer(resources_of(service))
    assert retrainer.look(now=later()) == 1
    (undecided,) = decisions(service)
    assert "0 settled forecasts are too few" in undecided["reason"]
    for known in range(3, 15):
        ask(service, [100.0 - row for row in range(known)], model="google-stock@2")
    follow(service)
    assert retrainer.look(now=later(minutes=30)) == 0  # checked every hour
    assert retrainer.look(now=later(hours=1.1)) == 1
    trained = decisions(service)[0]
    assert (trained["cause"], trained["trained"]) == ("thresholds", True)
    assert "is below 0" in trained["reason"]
    assert trained["figures"]["forecasts"] >= 10
    for hours in (3, 5):
        assert retrainer.look(now=later(hours=hours)) == 1
    waiting, *others = decisions(service)
    assert "at most once in 24 hours" in waiting["reason"]
    assert len(others) == 2  # the same figures are not reported again
    assert len(jobs(service)) == 1


def test_two_workers_decide_once(service: Service) -> None:
    train_on(service, 300)
    schedule(service, cron="0 3 * * *")
    with service.sessions.begin() as session:
        held = store.lock_due(session, now=later(days=1), judge_every=timedelta(hours=1))
        assert held is not None
        assert Retrainer(resources_of(service)).look(now=later(days=1)) == 0


def test_a_schedule_is_put_shown_and_taken_away(service: Service) -> None:
    train_on(service, 300)
    path = "/models/google-stock/schedule"
    assert service.client.get(path).json() is None
    assert service.client.get("/models/nobody/schedule").status_code == 404
    put = schedule(service, cron="*/5 * * * *", thresholds={"coverage_off_by": 10.0})
    assert service.client.get(path).json() == put
    assert put["thresholds"]["forecasts"] == 50
    assert service.client.delete(path).status_code == 204
    assert service.client.delete(path).status_code == 404
    assert service.client.get("/models/nobody/decisions").status_code == 404


def test_two_callers_set_a_first_schedule_at_the_same_time(service: Service) -> None:
    train_on(service, 300)
    waiting = text("""
        SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'
        """)
    watched = service.engine.execution_options(isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(1) as other:
        with watched.connect() as connection, service.sessions.begin() as session:
            store.put_schedule(
                session, "google-stock", cron="0 3 * * *", next_at=later(days=1), thresholds=None
            )
            put = other.submit(schedule, service, cron="0 4 * * *")
            eventually(lambda: connection.execute(waiting).scalar_one())
        assert put.result()["cron"] == "0 4 * * *"
    assert service.client.get("/models/google-stock/schedule").json() == put.result()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "body"),
    ({"cron": "every day"}, "cron"),
    ({"cron": "@daily"}, "cron"),
    ({"cron": "* * * * * *"}, "cron"),
    ({"cron": "99 * * * *"}, "cron"),
    ({"cron": "0 0 30 2 *"}, "cron"),
    ({"cron": "h * * * *"}, "cron"),
    ({"thresholds": {}}, "thresholds"),
    ({"thresholds": {"skill_below": 2.0}}, "thresholds.skill_below"),
    ({"thresholds": {"skill_below": "0"}}, "thresholds.skill_below"),
    ({"thresholds": {"skill_below": 0.0, "days": 0}}, "thresholds.days"),
]


def test_a_schedule_that_is_not_right_is_refused_and_the_field_named(service: Service) -> None:
    for body, field in WRONG:
        answer = service.client.put("/models/google-stock/schedule", json=body)
        assert answer.status_code == 422, answer.text
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_threshold_on_texts_is_noted_and_trains_nothing(service: Service) -> None:
    path = "/models/letters/schedule"
    service.register("letters", stream_text_artifact(with_ngram=True))
    with service.sessions.begin() as session:
        dataset = session.get_one(Dataset, train_on(service, 300))
        session.execute(
            update(Version).where(Version.model == "letters").values(dataset_id=dataset.id)
        )
    answer = service.client.put(path, json={"thresholds": {"coverage_off_by": 5.0}})
    assert [each["field"] for each in answer.json()["errors"]] == ["thresholds.coverage_off_by"]
    thresholds = {"skill_below": 0.5, "forecasts": 10}
    assert service.client.put(path, json={"thresholds": thresholds}).status_code == 200
    retrainer = Retrainer(resources_of(service))
    assert retrainer.look(now=later(hours=2)) == 1
    asked = [service.predict(model="letters", text="ab").json()["id"] for _ in range(10)]
    items = [{"prediction": each, "text": "b"} for each in asked]  # the most probable is "c"
    service.client.post("/actuals", json={"items": items}).raise_for_status()
    follow(service)
    for hours in (4, 6):
        assert retrainer.look(now=later(hours=hours)) == 1
    newest, oldest = decisions(service, "letters")  # the same figures are noted once
    assert oldest["reason"] == "0 settled texts are too few to decide; 10 are needed"
    assert (newest["trained"], newest["figures"]["texts"]) == (False, 10)
    assert "is below 0.5 (over 10 texts); not trained: the text" in newest["reason"]
    assert jobs(service) == []
    assert service.client.put(path, json={"cron": "0 3 * * *"}).status_code == 200


def test_cron_expressions_are_in_utc() -> None:
    assert checked(" 30 3 * * mon ", MONDAY) == "30 3 * * mon"
    assert next_time("30 3 * * mon", MONDAY) == MONDAY + timedelta(hours=3, minutes=30)
    with pytest.raises(Unprocessable, match="five fields"):
        checked("0 3 * *", MONDAY)


def test_what_thresholds_make_of_live_figures() -> None:
    bad = ErrorSums(
        forecasts=20,
        absolute=20,
        squared=80.0,
        compared=20,
        compared_squared=80.0,
        persistence_squared=20.0,
    )
    levels = {80: Coverage(forecasts=20, covered=12), 95: Coverage(forecasts=20, covered=19)}
    on_skill = Thresholds(skill_below=0.0, forecasts=20)
    judged = judge(Live.of_series(bad), {}, on_skill)
    assert judged.passed
    assert judged.reason.startswith("live skill -1 is below 0")
    assert not judge(Live.of_series(bad), {}, Thresholds(skill_below=-1.5, forecasts=20)).passed
    assert not judge(Live.of_series(bad), {}, Thresholds(skill_below=0.0, forecasts=21)).passed
    on_coverage = Thresholds(coverage_off_by=10.0, forecasts=20)
    judged = judge(Live.of_series(bad), levels, on_coverage)
    assert judged.reason == "intervals of 80 % covered 60 % (over 20 forecasts)"
    assert not judge(
        Live.of_series(bad), levels, Thresholds(coverage_off_by=25.0, forecasts=20)
    ).passed
    assert np.isclose(judged.figures["coverage"]["95"], 95.0)
