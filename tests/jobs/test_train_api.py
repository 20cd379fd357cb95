import json
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select, text

from app.storage.tables import Dataset, Job
from tests.service import Service

PRICES = "Date,Open,Volume,Note\n" + "".join(
    f"2017-{month:02d}-{day:02d},{month * 100 + day},{day * day},x{day}y\n"
    for month in range(1, 5)
    for day in range(1, 29)
)
JANUARY = "\n".join(PRICES.splitlines()[:29]) + "\n"
FABLE = "long ago , the mice had a general council to consider what measures they could take . " * 9


def train(
    service: Service, model: str, *, files: dict[str, str] | None = None, **fields: object
) -> httpx.Response:
    parts: list[tuple[str, tuple[str | None, str]]] = [
        *((name, (filename(data), data)) for name, data in (files or {}).items()),
        *(
            (name, (None, value if isinstance(value, str) else json.dumps(value)))
            for name, value in fields.items()
        ),
    ]
    return service.client.post(f"/models/{model}/train", files=parts)


def filename(data: str) -> str:
    return "fable.txt" if data.startswith(FABLE) else "prices.csv"


def rows(service: Service) -> tuple[int, int, int]:
    """Count datasets, jobs and queue entries."""
    with service.sessions() as session:
        return (
            session.scalars(select(func.count()).select_from(Dataset)).one(),
            session.scalars(select(func.count()).select_from(Job)).one(),
            session.scalar(text("SELECT count(*) FROM procrastinate_jobs")) or 0,
        )


def refused(answer: httpx.Response, field: str) -> str:
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert field in [error["field"] for error in problem["errors"]], problem
    detail: str = problem["detail"]
    return detail


def test_universal_keeps_its_name(service: Service) -> None:
    before = rows(service)

    answer = train(service, "universal", files={"file": PRICES})

    assert answer.status_code == 409
    assert "choose another name" in answer.json()["detail"]
    assert rows(service) == before


def test_a_file_is_understood_and_its_training_queued(service: Service) -> None:
    before = rows(service)

    answer = train(
        service,
        "new-model",
        files={"file": PRICES, "test": JANUARY},
        recipe={"preset": "chapter", "epochs": 7},
        target="Volume",
    )

    job = answer.json()
    assert answer.status_code == 202, job
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert job == service.client.get(answer.headers["location"]).json()
    assert (job["status"], job["model"], job["kind"]) == ("queued", "new-model", "series")
    assert (job["target"], job["recipe"]["epochs"]) == ("Volume", 7)
    assert job["dataset"] != job["test"]
    assert rows(service) == (before[0] + 2, before[1] + 1, before[2] + 1)
    with service.sessions() as session:
        queued = session.get_one(Job, UUID(job["id"])).queue_id
        arguments = session.scalar(
            text("SELECT args FROM procrastinate_jobs WHERE id = :id"), {"id": queued}
        )
    assert arguments == {"job_id": job["id"]}
    lines = service.client.get(f"/jobs/{job['id']}/log").json()["items"]
    assert [line["text"] for line in lines] == [
        "queued: prices.csv, 112 rows, 2017-01-01 to 2017-04-28, to predict Volume",
        "recipe chapter: LSTM(4), window 1, horizon 1, at most 7 epochs",
    ]


def test_a_dataset_may_stand_in_for_the_file_and_for_the_test(service: Service) -> None:
    uploaded = service.client.post("/datasets", files={"file": ("p.csv", PRICES)}).json()["id"]
    test = service.client.post("/datasets", files={"file": ("t.csv", JANUARY)}).json()["id"]

    answer = train(service, "from-dataset", dataset=uploaded, test=test)

    assert answer.status_code == 202, answer.json()
    assert (answer.json()["dataset"], answer.json()["test"]) == (uploaded, test)
    assert answer.json()["recipe"]["preset"] == "default"
    assert answer.json()["recipe"]["horizon"] == 14  # the rows are daily
    assert answer.json()["target"] == "Open"
    lines = service.client.get(f"/jobs/{answer.json()['id']}/log").json()["items"]
    assert lines[1]["text"] == "no target was named, so it is Open; `target` also takes Volume"


def test_without_a_recipe_a_model_trains_again_with_its_champions(service: Service) -> None:
    champion = service.client.get("/models/prices/versions/1").json()["manifest"]

    answer = train(service, "prices", files={"file": PRICES}, start_from=1)

    job = answer.json()
    assert answer.status_code == 202, job
    assert job["recipe"] == champion["recipe"]
    assert job["target"] == champion["series"]["target"]
    assert job["start_from"] == 1


def test_a_text_is_trained_too(service: Service) -> None:
    answer = train(service, "fable", files={"file": FABLE}, recipe={"preset": "chapter"})

    assert answer.status_code == 202, answer.json()
    assert (answer.json()["kind"], answer.json()["target"]) == ("text", None)


@pytest.mark.parametrize(
    ("model", "parts", "field", "words"),
    [
        ("Not_A_Name", {"files": {"file": PRICES}}, "model", "not a valid model name"),
        ("m", {"target": "Open"}, "file", "required"),
        ("m", {"files": {"file": ""}}, "file", "empty"),
        ("m", {"files": {"file": PRICES}, "surprise": "true"}, "surprise", "known part"),
        ("m", {"files": {"file": PRICES}, "extend": "perhaps"}, "extend", "true or false"),
        ("m", {"files": {"file": PRICES}, "extend": "true"}, "extend", "no dataset here"),
        ("m", {"dataset": "0" * 32, "extend": "true"}, "extend", "send file"),
        ("m", {"files": {"file": PRICES}, "dataset": "x"}, "dataset", "combined with file"),
        ("m", {"dataset": "x"}, "dataset", "not a dataset id"),
        ("m", {"dataset": "0197aaaa-0000-7000-8000-000000000000"}, "dataset", "no dataset"),
        ("m", {"files": {"file": PRICES}, "test": "x"}, "test", "not a dataset id"),
        ("m", {"files": {"file": PRICES}, "recipe": "{"}, "recipe", "valid JSON"),
        ("m", {"files": {"file": PRICES}, "recipe": "[]"}, "recipe", "object"),
        ("m", {"files": {"file": PRICES}, "recipe": '{"epochs": NaN}'}, "recipe", "NaN"),
        ("m", {"files": {"file": PRICES}, "recipe": "[" * 9000}, "recipe", "valid JSON"),
        ("m", {"files": {"file": PRICES}, "recipe": {"preset": "x"}}, "recipe.preset", "default"),
        ("m", {"files": {"file": PRICES}, "recipe": {"epoch": 1}}, "recipe.epoch", "a known field"),
        ("m", {"files": {"file": PRICES}, "recipe": {"epochs": 0}}, "recipe.epochs", "1"),
        (
            "m",
            {"files": {"file": PRICES}, "recipe": {"calendar": "XNOWHERE"}},
            "recipe.calendar",
            "XNYS",
        ),
        ("m", {"files": {"file": PRICES}, "target": "Close"}, "target", "Open, Volume"),
        ("m", {"files": {"file": PRICES}, "target": "Note"}, "target", "Open, Volume"),
        (
            "m",
            {"files": {"file": PRICES}, "recipe": {"features": ["Open", "Close"]}},
            "recipe.features",
            "Close",
        ),
        (
            "m",
            {"files": {"file": PRICES}, "recipe": {"features": ["Volume"]}},
            "recipe.features",
            "contain the target",
        ),
        ("m", {"files": {"file": PRICES}, "recipe": {"window": 200}}, "file", "too short"),
        ("m", {"files": {"file": PRICES}, "recipe": {"window": 1}}, "recipe.window", "at least 2"),
        ("m", {"files": {"file": PRICES, "test": FABLE}}, "test", "is a text"),
        ("m", {"files": {"file": PRICES, "test": "Date,Close\n2018-01-01,1\n"}}, "test", "Open"),
        ("m", {"files": {"file": PRICES, "test": "Date,Open\n2018-01-01,1\n"}}, "test", "short"),
        (
            "m",
            {"files": {"file": PRICES, "test": "Date,Open\n2018-01-01,1\n2018-01-01,2\n"}},
            "test",
            "test: 1 row has the time",
        ),
        ("m", {"files": {"file": FABLE}, "target": "Open"}, "target", "text"),
        (
            "m",
            {"files": {"file": FABLE, "test": FABLE + " dragons"}, "recipe": {"preset": "chapter"}},
            "test",
            "dragons",
        ),
        ("m", {"files": {"file": PRICES}, "start_from": "1"}, "start_from", "no model"),
        ("m", {"files": {"file": PRICES}, "start_from": "x"}, "start_from", "number"),
        ("prices", {"files": {"file": PRICES}, "start_from": "7"}, "start_from", "no version 7"),
        (
            "prices",
            {"files": {"file": PRICES}, "start_from": "1", "recipe": {"layers": [3]}},
            "start_from",
            "layers",
        ),
        (
            "prices",
            {"files": {"file": PRICES}, "start_from": "1", "recipe": {"anchor": "season"}},
            "recipe.anchor",
            "trained with none",
        ),
        ("prices", {"files": {"file": FABLE}}, "file", "for series"),
        ("fable", {"files": {"file": PRICES}}, "file", "for text"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_kept(
    service: Service, model: str, parts: dict[str, object], field: str, words: str
) -> None:
    before = rows(service)

    answer = train(service, model, **parts)  # type: ignore[arg-type]

    assert words in refused(answer, field)
    assert rows(service) == before


def test_a_body_that_is_not_a_form_is_a_415(service: Service) -> None:
    assert service.client.post("/models/m/train", json={}).status_code == 415


def test_recipes_are_explained(service: Service) -> None:
    recipes = service.client.get("/recipes").json()

    presets = {(preset["name"], preset["kind"]) for preset in recipes["items"]}
    both = {(name, kind) for name in ("chapter", "default") for kind in ("series", "text")}
    assert presets == both | {("tune", "series")}
    for kind, fields in recipes["fields"].items():
        described = {field["name"]: field for field in fields}
        preset = next(preset for preset in recipes["items"] if preset["kind"] == kind)
        assert described.keys() == preset["recipe"].keys() - {"kind"}
        assert all(field["description"] for field in fields), kind
        assert described["epochs"]["value"] == {"type": "integer", "minimum": 1, "maximum": 100_000}
