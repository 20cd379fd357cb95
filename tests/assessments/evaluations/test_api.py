from hashlib import sha256
from uuid import UUID

import httpx
import numpy as np
import pytest
from sqlalchemy import update

from app.assessments.evaluations import planning
from app.assessments.evaluations.limits import TRAINING_ABSENT
from app.storage.tables import Version
from tests.artifacts import Artifact, persistence_artifact
from tests.service import Service

RANDOM = np.random.default_rng(0)
VALUES = 500.0 + RANDOM.normal(0.0, 1.0, 90).cumsum().round(2)
DAYS = np.busday_offset(np.datetime64("2017-01-02", "D"), np.arange(90))


def rows(start: int, stop: int) -> bytes:
    lines = [f"{DAYS[row]},{VALUES[row]}\n" for row in range(start, stop)]
    return ("Date,Open\n" + "".join(lines)).encode()


def evaluate(
    service: Service, data: bytes, *, model: str = "prices", number: int = 1, **fields: str
) -> httpx.Response:
    name = "fable.txt" if model == "fable" else "prices.csv"
    return service.client.post(
        f"/models/{model}/versions/{number}/evaluate", files={"file": (name, data)}, data=fields
    )


def upload(service: Service, data: bytes) -> str:
    answer = service.client.post("/datasets", files={"file": ("prices.csv", data)})
    found: str = answer.json()["id"]
    return found


def trained_on(service: Service, model: str, number: int, dataset: str) -> None:
    with service.sessions.begin() as session:
        session.execute(
            update(Version)
            .where(Version.model == model, Version.number == number)
            .values(dataset_id=UUID(dataset))
        )


def refused(answer: httpx.Response, field: str) -> str:
    problem = answer.json()
    assert answer.status_code == 422, problem
    assert field in [error["field"] for error in problem["errors"]], problem
    detail: str = problem["detail"]
    return detail


def test_a_file_gives_a_scorecard_beside_the_baselines(service: Service) -> None:
    answer = evaluate(service, rows(0, 30))

    assert answer.status_code == 200, answer.text
    evaluation = answer.json()
    score = evaluation["scorecard"]["series"]
    expected = VALUES[2:29] + 1.0 - VALUES[3:30]  # a window of 3, and the last value plus 1
    assert evaluation["rows"] == score["rows"] == 27
    assert score["model"]["rmse"] == pytest.approx(np.sqrt((expected**2).mean()))
    assert score["baselines"]["persistence"]["rmse"] == pytest.approx(
        np.sqrt((np.diff(VALUES[2:30]) ** 2).mean())
    )
    assert (evaluation["judged_on"], evaluation["network"]) == ("test", "served")
    assert evaluation["verdict"] == evaluation["scorecard"]["verdict"]
    assert TRAINING_ABSENT in evaluation["scorecard"]["notes"]


def test_the_same_dataset_is_the_same_evaluation_however_it_is_named(service: Service) -> None:
    first = evaluate(service, rows(0, 31)).json()
    again = evaluate(service, rows(0, 31)).json()
    named = service.client.post(
        "/models/prices/versions/1/evaluate", json={"dataset": first["dataset"]}
    ).json()
    page = service.client.get("/models/prices/versions/1/evaluations", params={"limit": 1}).json()
    one = service.client.get(f"/models/prices/versions/1/evaluations/{first['id']}").json()

    assert first == again == named == one
    assert page["items"] == [{name: first[name] for name in first if name != "scorecard"}]
    assert service.client.get("/models/fable/versions/1/evaluations").json()["items"] == []


def test_rows_it_was_trained_on_are_left_out_and_baselines_fitted_on_them(
    service: Service,
) -> None:
    service.register("known", persistence_artifact(window=3))
    trained_on(service, "known", 1, upload(service, rows(0, 60)))

    scorecard = evaluate(service, rows(40, 80), model="known").json()["scorecard"]

    # It was judged on the last fifth of its dataset and not refitted: it knows 48 rows.
    assert scorecard["series"]["rows"] == 32
    assert scorecard["series"]["start"] == str(DAYS[48])
    assert {"drift", "linear_autoregression", "mlp"} <= set(scorecard["series"]["baselines"])
    assert scorecard["series"]["model"]["mase"] is not None
    assert scorecard["notes"][0] == (
        "7 of 39 rows lie in the version's training range and were left out"
    )
    seen = evaluate(service, rows(20, 48), model="known").json()
    assert (seen["judged_on"], seen["skill"]) == ("training", None)
    assert seen["verdict"].startswith("not judged")


def test_what_follows_on_the_training_rows_has_them_in_its_windows(service: Service) -> None:
    service.register("follows", persistence_artifact(window=30))
    trained_on(service, "follows", 1, upload(service, rows(0, 60)))

    evaluation = evaluate(service, rows(60, 70), model="follows").json()

    assert evaluation["rows"] == 9  # all but the first
    assert "reach back into the last 29 training rows" in evaluation["scorecard"]["notes"][0]


def test_it_is_measured_again_once_its_training_file_is_here(service: Service) -> None:
    artifact = persistence_artifact(window=3)
    training = rows(0, 50)
    manifest = artifact.manifest.model_copy(update={"dataset_sha256": sha256(training).hexdigest()})
    service.register(
        "shipped",
        Artifact(manifest=manifest, scorecard=artifact.scorecard, graph=artifact.graph),
    )
    before = evaluate(service, rows(50, 81), model="shipped").json()
    upload(service, training)
    after = evaluate(service, rows(50, 81), model="shipped").json()

    assert TRAINING_ABSENT in before["scorecard"]["notes"]
    assert after["id"] == before["id"]
    assert TRAINING_ABSENT not in after["scorecard"]["notes"]
    assert "linear_autoregression" in after["scorecard"]["series"]["baselines"]


def test_a_text_is_measured_token_by_token(service: Service) -> None:
    text = b"the , mice long ago cat bell . the , mice the cat " * 5

    evaluation = evaluate(service, text, model="fable").json()

    score = evaluation["scorecard"]["text"]
    assert score["tokens"] == 13 * 5 - 3
    assert score["bits_per_token"] > 0
    assert score["baselines"]["trigram"] is None
    assert "no training text" in evaluation["scorecard"]["skill_missing"]


@pytest.mark.parametrize(
    ("data", "fields", "field", "words"),
    [
        (b"", {}, "file", "empty"),
        (rows(0, 3), {}, "file", "complete window of 3"),
        (b"Date,Close\n2017-01-02,1\n2017-01-03,2\n2017-01-04,2\n", {}, "file", "no column 'Open'"),
        (b"long ago , the mice\n" * 9, {"read": '{"kind": "text"}'}, "file", "is a text"),
        (rows(0, 20), {"network": "judged"}, "network", "its only network is the served one"),
        (rows(0, 20), {"network": "best"}, "network", "judged or served"),
        (rows(0, 20), {"dataset": "0" * 32}, "dataset", "combined with file"),
        (rows(0, 20), {"surprise": "x"}, "surprise", "known part"),
    ],
)
def test_what_does_not_fit_is_named(
    service: Service, data: bytes, fields: dict[str, str], field: str, words: str
) -> None:
    assert words in refused(evaluate(service, data, **fields), field)  # type: ignore[arg-type]


def test_too_many_rows_are_refused_before_they_are_read(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_ROWS", 10)

    assert "at most 10" in refused(evaluate(service, rows(0, 32)), "file")


def test_a_version_or_a_dataset_that_is_not_there_is_named(service: Service) -> None:
    path = "/models/prices/versions/1/evaluate"
    unknown = {"dataset": "0197aaaa-0000-7000-8000-000000000000"}

    assert evaluate(service, rows(0, 20), number=7).status_code == 404
    assert "no dataset" in refused(service.client.post(path, json=unknown), "dataset")
    assert "UUID" in refused(service.client.post(path, json={"dataset": "x"}), "dataset")
    as_csv = service.client.post(path, content=b"x", headers={"content-type": "text/csv"})
    assert as_csv.status_code == 415
    assert service.client.get(f"{path[:-8]}evaluations/{unknown['dataset']}").status_code == 404
