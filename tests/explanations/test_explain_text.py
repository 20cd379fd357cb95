import itertools
from typing import Any, Literal

import numpy as np
import pytest

from app.cells.network import Network
from app.errors import Unprocessable
from app.explanations import limits
from app.recipes.recipe import Cell
from tests.explanations.test_explain_series import CELLS, GATES, explained
from tests.explanations.versions import VOCABULARY, text_version
from tests.service import Service

TEXT = "the cat , the bell mice the cat"


def total(found: dict[str, Any]) -> float:
    influence = sum(step["influence"] for step in found["inputs"])
    return float(found["baseline"] + found["gap"] + influence)


def predicted(service: Service, **body: object) -> dict[str, Any]:
    answer = service.predict(**body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["predictions"][0]
    return found


def same(given: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [entry["token"] for entry in given] == [entry["token"] for entry in expected]
    np.testing.assert_allclose(
        [entry["probability"] for entry in given],
        [entry["probability"] for entry in expected],
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("cell", "reading", "embedding"),
    list(itertools.product(CELLS, ("window", "stream"), ("one-hot", 4))),
)
def test_equals_the_prediction_and_adds_up(
    service: Service,
    cell: Cell,
    reading: Literal["window", "stream"],
    embedding: int | Literal["one-hot"],
) -> None:
    name = f"{cell}-{reading}-{embedding}"
    service.register(name, text_version(cell, reading, embedding))
    body = {"model": name, "text": TEXT, "top_k": len(VOCABULARY)}
    found, expected = explained(service, **body), predicted(service, **body)
    same(found["inputs"][-1]["next"], expected["top"])
    assert found["token"] == expected["token"]
    assert found["probability"] == pytest.approx(expected["probability"], abs=1e-4)
    assert total(found) == pytest.approx(found["probability"], abs=1e-12)
    assert abs(found["gap"]) < 1e-6
    assert found["steps"] == (3 if reading == "window" else len(TEXT.split()))
    assert set(found["layers"][0]["gates"]) == GATES[cell]


@pytest.mark.parametrize(
    ("model", "given"),
    [("belling-the-cat", "long ago , the"), ("hello", "hel"), ("hello", "h")],
)
def test_the_shipped_text_models(service: Service, model: str, given: str) -> None:
    found = explained(service, model=model, text=given)
    expected = predicted(service, model=model, text=given)
    assert found["token"] == expected["token"]
    same(found["inputs"][-1]["next"][:1], expected["top"][:1])
    assert total(found) == pytest.approx(found["probability"], abs=1e-12)


def test_what_was_expected_after_every_token_of_hello(service: Service) -> None:
    found = explained(service, model="hello", text="hell", top_k=4)
    assert [step["next"][0]["token"] for step in found["inputs"]] == list("ello")
    for step in found["inputs"]:
        assert sum(entry["probability"] for entry in step["next"]) == pytest.approx(1.0)


def test_a_token_of_ones_own_choice(service: Service) -> None:
    found = explained(service, model="hello", text="hel", token="h")  # noqa: S106 - of a text
    assert found["token"] == "h"  # noqa: S105 - of a text
    assert found["probability"] < 0.5
    assert total(found) == pytest.approx(found["probability"], abs=1e-12)


def test_tokens_not_shown_are_in_the_state_before(service: Service) -> None:
    service.register("long", text_version("lstm", "stream", 4))
    body = {"model": "long", "text": " ".join([TEXT] * 150), "top_k": len(VOCABULARY)}
    found = explained(service, steps=5, **body)
    assert (found["steps"], found["shown"], len(found["inputs"])) == (1200, 5, 5)
    same(found["inputs"][-1]["next"], predicted(service, **body)["top"])
    assert total(found) == pytest.approx(found["probability"], abs=1e-12)
    assert abs(found["gap"]) < 1e-6


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"token": "dog"}, "token", "'dog' is not in the vocabulary"),
        ({"top_k": 7}, "top_k", "the vocabulary of refusing@1 has 6"),
        ({"ahead": 1}, "ahead", "does not apply to a text"),
        ({"text": "the cat " * 6000}, "text", "at most 10,000 can be explained"),
        ({"text": "a\x00b"}, "text", "NUL"),
        ({"history": [1.0]}, "history", "belongs to series"),
    ],
)
def test_what_cannot_be_opened_is_named(
    service: Service, wrong: dict[str, Any], field: str, words: str
) -> None:
    if service.client.get("/models/refusing").status_code == 404:
        service.register("refusing", text_version("rnn", "stream", 4))
    answer = service.client.post("/explain", json={"model": "refusing", "text": TEXT, **wrong})
    assert answer.status_code == 422, answer.text
    assert any(
        entry["field"] == field and words in entry["message"] for entry in answer.json()["errors"]
    ), answer.json()


def test_a_wide_network_over_many_steps_is_too_much_for_a_page(service: Service) -> None:
    service.register("wide", text_version("lstm", "stream", 4, layers=(256,)))
    body = {"model": "wide", "text": TEXT * 40, "units": 256, "steps": 300}
    answer = service.client.post("/explain", json=body)
    assert answer.status_code == 422, answer.text
    assert "ask for fewer units or steps" in answer.json()["errors"][0]["message"]


def test_a_huge_network_is_explained_over_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    built = text_version("lstm", "stream", 4)
    network = Network.from_weights(built.weights, cell="lstm")
    # A step: 4·20 + 5·20 in the first layer, 5·12 + 3·12 in the second; once forward, twice back.
    monkeypatch.setattr(limits, "MOST_WORK", 8 * 3 * 276 * 20)
    with pytest.raises(Unprocessable, match="at most 20 can be explained"):
        limits.points_for(network, 500, field="steps")
