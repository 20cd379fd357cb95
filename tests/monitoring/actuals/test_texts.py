import math
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from app.monitoring.log_reader import LogReader
from tests.artifacts import stream_text_artifact, window_text_artifact
from tests.monitoring.log import follow, monitor, resources_of
from tests.service import Service

SURE, OTHER = 0.9, 0.1 / 3  # probabilities of a counting version with four tokens
# After "ab" it expects c, the unknown symbol, a: the b is none of them.
CBA_BITS = -(2 * math.log2(SURE) + math.log2(OTHER)) / 3


@pytest.fixture
def model(service: Service) -> str:
    """Return a model that expects as many tokens as it has read; its n-gram knows nothing."""
    name = f"letters-{uuid4().hex[:8]}"
    service.register(name, stream_text_artifact(with_ngram=True))
    return name


def asked(service: Service, model: str, prompt: str = "ab", **more: object) -> str:
    answer = service.predict(model=model, text=prompt, **more)
    assert answer.status_code == 200, answer.text
    identifier: str = answer.json()["id"]
    return identifier


def put(service: Service, *items: dict[str, Any]) -> httpx.Response:
    return service.client.post("/actuals", json={"items": items})


def followed(service: Service, prediction: str, text: str) -> dict[str, int]:
    answer = put(service, {"prediction": prediction, "text": text})
    assert answer.status_code == 200, answer.text
    counts: dict[str, int] = answer.json()
    return counts


def served(service: Service, model: str) -> dict[str, Any]:
    follow(service)
    (version,) = monitor(service, model)["versions"]
    found: dict[str, Any] = version
    return found


def test_a_text_is_measured_as_by_hand_beside_the_ngram(service: Service, model: str) -> None:
    prediction = asked(service, model)
    assert followed(service, prediction, "cba") == {
        "new": 1,
        "changed": 0,
        "unchanged": 0,
        "matching": 1,
    }
    version = served(service, model)
    assert (version["requests"], version["forecasts"]) == (1, 1)
    assert version["bits_per_character"] == pytest.approx(CBA_BITS)
    assert version["ngram_bits_per_character"] == pytest.approx(2.0)
    assert version["skill"] == pytest.approx(1 - CBA_BITS / 2)
    assert version["accuracy"] == pytest.approx(2 / 3)
    (day,) = monitor(service, model)["days"]
    assert day["bits_per_character"] == version["bits_per_character"]


def test_an_echo_of_prompt_and_text_says_the_same(service: Service, model: str) -> None:
    followed(service, asked(service, model, "aab"), "bacab")
    whole = service.predict(model=model, text="aabbacab", echo=True).json()["echo"]
    bits = -sum(each["logprob"] for each in whole[3:]) / math.log(2)
    assert served(service, model)["bits_per_character"] == pytest.approx(bits / 5)


def test_a_corrected_text_replaces_the_one_before(service: Service, model: str) -> None:
    prediction = asked(service, model)
    followed(service, prediction, "bbb")
    assert served(service, model)["accuracy"] == 0.0
    assert followed(service, prediction, "cba")["changed"] == 1
    version = served(service, model)
    assert (version["forecasts"], version["accuracy"]) == (1, pytest.approx(2 / 3))
    assert version["bits_per_character"] == pytest.approx(CBA_BITS)
    assert followed(service, prediction, "cba")["unchanged"] == 1
    listed = service.client.get(f"/models/{model}/actuals").json()
    assert [(each["prediction"], each["text"]) for each in listed["items"]] == [(prediction, "cba")]


def test_words_are_read_as_in_prompts_and_need_no_ngram(service: Service) -> None:
    followed(service, asked(service, "belling-the-cat", "long ago CAT"), "Bell  .")
    version = served(service, "belling-the-cat")
    assert version["bits_per_character"] == pytest.approx(-2 * math.log2(SURE) / len("Bell  ."))
    assert (version["accuracy"], version["skill"]) == (1.0, None)
    assert version["skill_missing"] == "the version's graph has no n-gram to compare with"


def test_what_does_not_fit_is_named_and_nothing_is_kept(service: Service, model: str) -> None:
    prediction = asked(service, model)
    words = asked(service, "belling-the-cat", "long ago ,")
    tried = asked(service, model, live=False)
    series = service.predict(model="google-stock", history=[1, 2, 3]).json()["id"]
    good: dict[str, Any] = {"prediction": prediction, "text": "c"}
    wrong: list[tuple[dict[str, Any], str | None, str]] = [
        ({"text": "c"}, "prediction", "is required with a text"),
        ({**good, "step": 1}, "step", "leave it out"),
        ({**good, "model": model}, "model", "leave it out"),
        ({**good, "value": 1.0}, None, "give a value, or"),
        ({"prediction": prediction}, None, "give a value, or"),
        ({**good, "text": ""}, "text", "at least 1 character"),
        ({**good, "text": "a" * 4001}, "text", "at most 4000 characters"),
        ({**good, "text": "a\x00"}, "text", "NUL"),
        ({**good, "prediction": str(uuid4())}, "prediction", "no prediction"),
        ({"prediction": series, "text": "c"}, "text", "give a value instead"),
        ({"prediction": tried, "text": "c"}, "text", "belongs to a try-out"),
        ({"prediction": words, "text": " \n"}, "text", "has no token"),
        ({"prediction": words, "text": "the dog"}, "text", "token 2, 'dog', is not in the"),
        ({**good, "text": "b"}, None, "contradicts the text at items.0"),
    ]
    for item, field, message in wrong:
        answer = put(service, good, item)
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["field"] == ("items.1" if field is None else f"items.1.{field}")
        assert message in error["message"]
    assert service.client.get(f"/models/{model}/actuals").json()["items"] == []


def test_a_shadow_is_compared_over_the_same_texts(service: Service, model: str) -> None:
    early = asked(service, model)
    service.register(model, stream_text_artifact(vocabulary=("b", "c", "a", "<unk>")))
    service.register(model, window_text_artifact(window=1, vocabulary=("ab", "cba")))
    point(service, model, "shadow", 2)
    first = asked(service, model)
    by_number = asked(service, f"{model}@1")
    for prediction in (early, first, by_number):
        followed(service, prediction, "cba")
    follow(service)
    found = monitor(service, model)
    # It expects a, the unknown symbol, b.
    bits = -(3 * math.log2(OTHER)) / 3
    assert found["shadow"] == {
        "version": 2,
        "forecasts": 1,
        "rmse": None,
        "served_rmse": None,
        "bits_per_character": pytest.approx(bits),
        "served_bits_per_character": pytest.approx(CBA_BITS),
        "skill": pytest.approx(1 - bits / CBA_BITS),
    }
    followed(service, first, "aab")  # what the shadow expects, but for the unknown symbol
    point(service, model, "shadow", 3)
    followed(service, asked(service, model), "bbb")  # of which the third version has no token
    follow(service)
    roles = {(each["version"], each["role"]): each for each in monitor(service, model)["versions"]}
    assert roles[2, "shadow"]["requests"] == 1
    assert roles[2, "shadow"]["bits_per_character"] == pytest.approx(CBA_BITS)
    assert (roles[3, "shadow"]["requests"], roles[3, "shadow"]["refused"]) == (1, 1)
    assert roles[1, "served"]["forecasts"] == 4


def point(service: Service, model: str, alias: str, version: int) -> None:
    body = {"version": version, "force": True, "reason": "it takes words"}
    answer = service.client.put(f"/models/{model}/aliases/{alias}", json=body)
    assert answer.is_success, answer.text


def test_texts_are_erased_with_their_predictions(service: Service, model: str) -> None:
    measured, waiting = asked(service, model), asked(service, model)
    followed(service, measured, "cba")
    follow(service)
    followed(service, waiting, "c")
    erased = service.client.delete("/predictions", params={"model": model}).json()["counts"]
    assert erased == {"predictions": 2, "text_actuals": 2, "text_scores": 1}
    assert served(service, model)["forecasts"] == 1  # the daily figures stay


def test_a_text_that_came_while_its_prediction_was_erased_is_deleted(
    service: Service, model: str
) -> None:
    prediction = asked(service, model)
    followed(service, prediction, "cba")
    with service.engine.begin() as connection:
        connection.execute(text("DELETE FROM predictions WHERE id = :id"), {"id": prediction})
    follow(service)
    assert service.client.get(f"/models/{model}/actuals").json()["items"] == []


def test_a_text_that_cannot_be_measured_does_not_stop_the_others(
    service: Service, model: str
) -> None:
    broken, other = asked(service, model), asked(service, model)
    with service.engine.begin() as connection:
        connection.execute(
            text("UPDATE predictions SET request = '{}' WHERE id = :id"), {"id": broken}
        )
    for prediction in (broken, other):
        followed(service, prediction, "cba")
    assert served(service, model)["forecasts"] == 1
    assert LogReader(resources_of(service)).read_and_settle() == 0
