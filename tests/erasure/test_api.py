from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.erasure.retention import erase_what_is_old
from app.jobs import queue
from app.recipes.presets import presets
from app.storage.ids import new_id
from app.storage.job_status import JobStatus
from app.storage.monitoring_tables import Actual, Forecast
from app.storage.tables import Base, Dataset, Job, Model, Prediction, Version
from tests.artifacts import persistence_artifact, window_text_artifact
from tests.service import Service, running_service

WINDOW = [1.0, 2.0, 3.0]


@pytest.fixture
def service(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(fresh_database, tmp_path) as running:
        yield running


def keep_dataset(service: Service, *, age_days: int = 0) -> UUID:
    identifier = new_id()
    with service.sessions.begin() as session:
        session.add(
            Dataset(
                id=identifier,
                sha256=identifier.hex * 2,
                read_options="{}",
                content_sha256=identifier.hex * 2,
                kind="series",
                filename="prices.csv",
                size_bytes=1,
                report={},
                created_at=datetime.now(UTC) - timedelta(days=age_days),
            )
        )
    return identifier


def keep_job(service: Service, dataset: UUID, *, ended: bool, age_days: int = 0) -> UUID:
    with service.sessions.begin() as session:
        recipe = presets("series")["chapter"]
        job = queue.enqueue(
            session, model="prices", kind="series", dataset_id=dataset, recipe=recipe
        )
        if ended:
            job.status = JobStatus.SUCCEEDED
            job.finished_at = datetime.now(UTC) - timedelta(days=age_days)
        return job.id


def count(service: Service, table: type[Base]) -> int:
    with service.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def delete(service: Service, path: str, **parameters: Any) -> tuple[int, dict[str, Any]]:  # noqa: ANN401
    answer = service.client.delete(path, params=parameters)
    return answer.status_code, answer.json()


def trained_on(service: Service, dataset: UUID) -> None:
    service.register("prices", persistence_artifact())
    with service.sessions.begin() as session:
        session.get_one(Version, ("prices", 1)).dataset_id = dataset


def test_a_dataset_goes_and_what_mentions_it_stays(service: Service) -> None:
    dataset = keep_dataset(service)
    job = keep_job(service, dataset, ended=True)
    assert delete(service, f"/datasets/{dataset}") == (
        200,
        {"dry_run": False, "counts": {"datasets": 1}},
    )
    assert service.client.get(f"/datasets/{dataset}").status_code == 404
    assert service.client.get(f"/jobs/{job}").json()["dataset"] is None


def test_a_dataset_that_a_job_waits_for_stays(service: Service) -> None:
    dataset = keep_dataset(service)
    job = keep_job(service, dataset, ended=False)
    status, problem = delete(service, f"/datasets/{dataset}")
    assert status == 409
    assert problem["in_the_way"] == [str(job)]


def test_a_dataset_of_a_served_version_stays(service: Service) -> None:
    dataset = keep_dataset(service)
    trained_on(service, dataset)
    status, problem = delete(service, f"/datasets/{dataset}", dry_run=True)
    assert status == 409
    assert problem["in_the_way"] == ["prices@champion"]
    assert delete(service, "/models/prices/aliases/champion")[0] == 200
    assert delete(service, f"/datasets/{dataset}")[0] == 200
    assert service.client.get("/models/prices/versions/1").json()["lineage"]["dataset"] is None


def test_a_dry_run_says_what_would_go_and_leaves_it(service: Service) -> None:
    dataset = keep_dataset(service)
    trained_on(service, dataset)
    keep_job(service, dataset, ended=True)
    delete(service, "/models/prices/aliases/champion")
    status, answer = delete(service, "/models/prices", dry_run=True)
    assert (status, answer["dry_run"]) == (200, True)
    assert answer["counts"] == {"models": 1, "versions": 1, "jobs": 1, "alias_moves": 1}
    assert service.client.get("/models/prices/versions/1").status_code == 200


def test_a_served_model_stays(service: Service) -> None:
    service.register("prices", persistence_artifact())
    status, problem = delete(service, "/models/prices")
    assert status == 409
    assert problem["in_the_way"] == ["prices@champion"]


def test_a_deleted_models_name_is_used_again_and_its_numbers_are_not(service: Service) -> None:
    service.register("prices", persistence_artifact())
    delete(service, "/models/prices/aliases/champion")
    assert delete(service, "/models/prices")[0] == 200
    assert service.client.get("/models/prices").status_code == 404
    assert service.client.get("/models").json()["items"] == []
    assert service.predict(model="prices@1", history=WINDOW).status_code == 404
    again = service.register("prices", window_text_artifact())  # of the other kind
    assert again.number == 2
    assert service.client.get("/models/prices").json()["kind"] == "text"
    assert count(service, Model) == 1


def test_a_deleted_alias_is_not_served(service: Service) -> None:
    service.register("prices", persistence_artifact())
    assert service.predict(model="prices", history=WINDOW).status_code == 200
    assert delete(service, "/models/prices/aliases/champion") == (
        200,
        {"dry_run": False, "counts": {"aliases": 1}},
    )
    assert service.predict(model="prices@1", history=WINDOW).status_code == 200
    assert delete(service, "/models/prices/aliases/champion")[0] == 404


def test_a_job_goes_once_it_has_ended(service: Service) -> None:
    dataset = keep_dataset(service)
    running, ended = (keep_job(service, dataset, ended=ended) for ended in (False, True))
    assert delete(service, f"/jobs/{running}")[0] == 409
    assert delete(service, f"/jobs/{ended}")[0] == 200
    assert service.client.get(f"/jobs/{ended}").status_code == 404


def test_a_series_is_forgotten_and_others_are_not(service: Service) -> None:
    service.register("prices", persistence_artifact())
    for series in ("Ada", "Ada", "Bob"):
        service.predict(model="prices", history=WINDOW, series=series)
    actual = {"model": "prices", "series": "Ada", "timestamp": "2020-01-01", "value": 1.0}
    service.client.post("/actuals", json={"items": [actual]}).raise_for_status()
    status, answer = delete(service, "/predictions", series="Ada", dry_run=True)
    assert (status, answer["counts"]) == (200, {"predictions": 2, "actuals": 1})
    assert count(service, Prediction) == 3
    assert delete(service, "/predictions", series="Ada")[0] == 200
    with service.sessions() as session:
        assert session.scalars(select(Prediction.series)).all() == ["Bob"]
    assert count(service, Actual) == 0


def test_predictions_go_by_time(service: Service) -> None:
    service.register("prices", persistence_artifact())
    service.predict(model="prices", history=WINDOW)
    middle = datetime.now(UTC)
    with service.sessions.begin() as session:
        (old,) = session.scalars(select(Prediction)).all()
        session.add(a_forecast(old.id))
    service.predict(model="prices", history=WINDOW)
    status, answer = delete(service, "/predictions", until=middle.isoformat())
    assert (status, answer["counts"]) == (200, {"predictions": 1, "forecasts": 1})
    assert count(service, Prediction) == 1


def a_forecast(prediction: UUID) -> Forecast:
    return Forecast(
        prediction_id=prediction,
        role="served",
        step=1,
        model="prices",
        version=1,
        series="",
        moment="2020-01-01T00:00:00",
        value=1.0,
    )


def test_the_whole_log_is_not_deleted_by_mistake(service: Service) -> None:
    status, problem = delete(service, "/predictions")
    assert status == 422
    assert "at least one of" in problem["detail"]


def test_what_the_settings_keep_no_longer_goes(service: Service) -> None:
    old, young = keep_dataset(service, age_days=40), keep_dataset(service, age_days=10)
    used = keep_dataset(service, age_days=40)
    trained_on(service, used)
    long_ago, lately = (keep_job(service, used, ended=True, age_days=days) for days in (40, 10))
    settings = service.settings.model_copy(
        update={"dataset_retention_days": 30, "job_retention_days": 30}
    )
    erase_what_is_old(service.sessions, settings)
    with service.sessions() as session:
        assert set(session.scalars(select(Dataset.id))) == {young, used}
        assert set(session.scalars(select(Job.id))) == {lately}
    assert {old, long_ago} & {young, used, lately} == set()


def test_nothing_goes_unless_the_settings_say_so(service: Service) -> None:
    keep_dataset(service, age_days=4000)
    erase_what_is_old(service.sessions, service.settings)
    assert count(service, Dataset) == 1


def test_a_model_is_described_and_found_by_its_tag(service: Service) -> None:
    service.register("prices", persistence_artifact())
    service.register("others", persistence_artifact())
    said = {"description": "Daily prices", "tags": ["eu", "daily", "eu"]}
    assert service.client.patch("/models/prices", json=said).json()["tags"] == ["daily", "eu"]
    found = service.client.get("/models", params={"tag": "eu"}).json()["items"]
    assert [(model["name"], model["description"]) for model in found] == [
        ("prices", "Daily prices")
    ]
    service.client.patch("/models/prices", json={"description": ""})
    assert service.client.get("/models/prices").json()["tags"] == ["daily", "eu"]
