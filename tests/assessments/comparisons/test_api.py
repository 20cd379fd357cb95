import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from app.registry.store import register
from app.storage.tables import Job
from tests.artifacts import persistence_artifact, window_text_artifact
from tests.assessments.comparisons.cells import noise, scorecard
from tests.database import own_database
from tests.jobs.test_train_api import FABLE, PRICES, rows
from tests.registry.samples import stored_files
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Yield an api with a model of each kind and without a worker."""
    folder = tmp_path_factory.mktemp("comparisons")
    with own_database(cluster) as url, running_service(url, folder) as running:
        running.register("prices", persistence_artifact())
        running.register("fable", window_text_artifact())
        yield running


def compare(service: Service, model: str, data: str, **fields: object) -> httpx.Response:
    name = "fable.txt" if data == FABLE else "prices.csv"
    said = {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in fields.items()
    }
    return service.client.post(f"/models/{model}/compare", files={"file": (name, data)}, data=said)


def train(service: Service, job: str, errors: float) -> int:
    """Turn a job into a version, as a worker does in the end."""
    with service.sessions.begin() as session:
        row = session.get_one(Job, UUID(job))
        artifact = persistence_artifact()
        cell = artifact.manifest.recipe.model_copy(update={"cell": row.recipe["cell"]})
        version = register(
            session,
            model=row.model,
            kind="series",
            manifest=artifact.manifest.model_copy(update={"recipe": cell}),
            scorecard=scorecard(noise(len(row.recipe["cell"]), errors), {"mlp": noise(9, 2.0)}),
            files=stored_files(service.store),
            dataset_id=row.dataset_id,
            job_id=row.id,
        )
        finish(service, job, "succeeded", version=version.number, session=session)
        return version.number


def finish(service: Service, job: str, status: str, **values: Any) -> None:  # noqa: ANN401
    session = values.pop("session", None)
    statement = update(Job).where(Job.id == UUID(job)).values(status=status, **values)
    if session is not None:
        session.execute(statement)
        return
    with service.sessions.begin() as own:
        own.execute(statement)


def test_three_cells_are_queued_with_one_recipe(service: Service) -> None:
    before = rows(service)

    answer = compare(
        service, "new", PRICES, recipe={"preset": "chapter", "epochs": 7}, target="Volume"
    )

    comparison = answer.json()
    assert answer.status_code == 202, comparison
    assert answer.headers["location"] == f"/models/new/comparisons/{comparison['id']}"
    assert comparison == service.client.get(answer.headers["location"]).json()
    assert rows(service) == (before[0] + 1, before[1] + 3, before[2] + 3)
    assert (comparison["status"], comparison["target"]) == ("queued", "Volume")
    assert (comparison["verdict"], comparison["best"], comparison["baselines"]) == (None, None, [])
    jobs = [service.client.get(f"/jobs/{cell['job']}").json() for cell in comparison["cells"]]
    assert [job["recipe"]["cell"] for job in jobs] == ["rnn", "gru", "lstm"]
    assert {job["comparison"] for job in jobs} == {comparison["id"]}
    for job in jobs:
        assert {**job["recipe"], "cell": ""} == {**comparison["recipe"], "cell": ""}
        assert (job["recipe"]["epochs"], job["target"]) == (7, "Volume")


def test_figures_come_with_the_versions_and_the_verdict_in_the_end(service: Service) -> None:
    answer = compare(service, "prices", PRICES)
    jobs = [cell["job"] for cell in answer.json()["cells"]]
    where = answer.headers["location"]

    first = train(service, jobs[0], 3.0)
    half = service.client.get(where).json()
    train(service, jobs[1], 2.9)
    train(service, jobs[2], 1.0)
    whole = service.client.get(where).json()

    assert (half["status"], half["verdict"]) == ("running", None)
    assert half["cells"][0]["version"] == first
    assert half["cells"][0]["figures"]["rmse"] > 2
    assert half["cells"][1]["figures"] is None
    assert half["baselines"][0]["name"] == "mlp"
    assert (whole["status"], whole["best"]) == ("succeeded", "lstm")
    assert whole["verdict"].startswith("LSTM is best: RMSE ")
    figures = [cell["figures"] for cell in whole["cells"]]
    assert [each["beside"] for each in figures] == ["worse", "worse", "best"]
    assert all(each["parameters"] > 0 and each["training_seconds"] > 0 for each in figures)
    assert whole["baselines"][0]["best_cell_is"]["verdict"] == "better"
    page = service.client.get("/models/prices/comparisons").json()
    assert page == {"items": [whole], "next": None}


def test_what_waits_is_cancelled_and_what_was_trained_stays(service: Service) -> None:
    answer = compare(service, "cancelled", PRICES)
    where = answer.headers["location"]
    train(service, answer.json()["cells"][0]["job"], 1.0)

    cancelled = service.client.post(f"{where}/cancel").json()

    assert cancelled["status"] == "cancelled"
    states = [cell["status"] for cell in cancelled["cells"]]
    assert states == ["succeeded", "cancelled", "cancelled"]
    assert cancelled["verdict"].startswith("only RNN was trained")
    assert service.client.post(f"{where}/cancel").status_code == 409


def test_a_training_that_fails_is_reported_beside_the_others(service: Service) -> None:
    answer = compare(service, "failed", PRICES)
    jobs = [cell["job"] for cell in answer.json()["cells"]]
    problem = {"type": "/problems/x", "title": "t", "status": 500, "detail": "d", "errors": []}
    for job in jobs:
        finish(service, job, "failed", error=problem)

    whole = service.client.get(answer.headers["location"]).json()

    assert (whole["status"], whole["verdict"]) == ("failed", "no cell was trained")
    assert [cell["error"]["detail"] for cell in whole["cells"]] == ["d", "d", "d"]


def test_texts_are_compared_too(service: Service) -> None:
    answer = compare(service, "fable", FABLE)

    assert answer.status_code == 202, answer.text
    assert (answer.json()["kind"], answer.json()["target"]) == ("text", None)
    assert answer.json()["recipe"]["tokenizer"] == "word"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"recipe": {"cell": "gru"}}, "recipe.cell", "is what is compared"),
        ({"recipe": {"epochs": 0}}, "recipe.epochs", "1"),
        ({"target": "Close"}, "target", "Open, Volume"),
        ({"start_from": "1"}, "start_from", "known part"),
        ({"dataset": "0" * 32}, "dataset", "combined with file"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_kept(
    service: Service, fields: dict[str, object], field: str, words: str
) -> None:
    before = rows(service)

    answer = compare(service, "m", PRICES, **fields)

    assert answer.status_code == 422, answer.text
    assert words in answer.json()["detail"]
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert rows(service) == before


def test_a_name_without_comparisons_and_without_versions_is_not_there(service: Service) -> None:
    assert service.client.get("/models/fables/comparisons").status_code == 404
    there = compare(service, "prices", PRICES).json()["id"]
    assert service.client.get(f"/models/fable/comparisons/{there}").status_code == 404
