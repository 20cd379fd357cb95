from typing import Any

import pytest

from tests.artifacts import FABLE
from tests.service import Service


def written(asked: Service, **body: object) -> dict[str, Any]:
    answer = asked.predict(**body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tokens(answer: dict[str, Any]) -> list[str]:
    return [step["token"] for step in answer["predictions"]]


def test_the_answer_has_the_shape_that_is_promised(asked: Service) -> None:
    answer = written(asked, model="belling-the-cat", text="Long ago , the", top_k=1)
    assert answer.pop("id")
    probability = answer["predictions"][0]["probability"]
    assert probability == pytest.approx(0.9)
    assert answer == {
        "model": "belling-the-cat",
        "version": 1,
        "kind": "text",
        "predictions": [
            {
                "step": 1,
                "token": ",",
                "probability": probability,
                "top": [{"token": ",", "probability": probability}],
            }
        ],
        "text": "Long ago , the ,",
        "skill": None,
        "warnings": [],
    }


def test_the_window_slides_over_what_was_written(asked: Service) -> None:
    answer = written(asked, model="belling-the-cat", text="long ago cat", steps=4)
    assert tokens(answer) == ["bell", ".", "the", ","]
    assert answer["text"] == "long ago cat bell . the ,"


def test_the_whole_vocabulary_can_be_shown_and_sums_to_one(asked: Service) -> None:
    answer = written(asked, model="belling-the-cat", text="the , mice", top_k=len(FABLE))
    top = answer["predictions"][0]["top"]
    assert sorted(entry["token"] for entry in top) == sorted(FABLE)
    assert sum(entry["probability"] for entry in top) == pytest.approx(1.0)


def test_no_top_k_shows_five(asked: Service) -> None:
    answer = written(asked, model="belling-the-cat", text="the , mice")
    assert len(answer["predictions"][0]["top"]) == 5


def test_a_stream_carries_its_state_from_the_text_through_every_step(asked: Service) -> None:
    # The graph predicts the token whose number is the count of tokens so far: 2, 3 (the unknown
    # symbol, which is never chosen, so the second most probable), 4 = 0, 5 = 1, 6 = 2.
    answer = written(asked, model="stream", text="ab", steps=5)
    assert tokens(answer) == ["c", "a", "a", "b", "c"]
    assert answer["text"] == "abcaabc"


def test_bytes_are_the_character_that_they_spell(asked: Service) -> None:
    answer = written(asked, model="spelling", text="a", steps=3)
    assert tokens(answer) == ["<0xE2>", "<0x82>", "<0xAC>"]
    assert answer["text"] == "a€"


def test_a_text_longer_than_a_piece_is_read_to_its_end(asked: Service) -> None:
    text = "a" * 4001  # eight pieces; 4001 = 1 modulo 4
    assert tokens(written(asked, model="stream", text=text)) == ["b"]


def test_unknown_tokens_are_a_warning_where_the_version_takes_them(asked: Service) -> None:
    answer = written(asked, model="stream", text="axb")
    assert answer["warnings"] == ["unknown tokens: 'x'"]


def test_unknown_tokens_of_a_strict_version_are_named_with_their_place(asked: Service) -> None:
    answer = asked.predict(model="belling-the-cat", text="the dog , mice dragon")
    assert answer.status_code == 422
    assert [error["message"] for error in answer.json()["errors"]] == [
        "token 2, 'dog', is not in the vocabulary of belling-the-cat@1",
        "token 5, 'dragon', is not in the vocabulary of belling-the-cat@1",
    ]


def test_the_same_seed_draws_alike_and_chance_needs_none(asked: Service) -> None:
    body: dict[str, object] = {
        "model": "belling-the-cat",
        "text": "the , mice",
        "steps": 30,
        "temperature": 5.0,
    }
    first = tokens(written(asked, **body, seed=7))
    assert tokens(written(asked, **body, seed=7)) == first
    assert tokens(written(asked, **body, seed=8)) != first
    assert len(tokens(written(asked, **body))) == 30


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "the ,"}, "text"),
        ({"text": "  \n"}, "text"),
        ({"text": "the , \x00 mice"}, "text"),
        ({"text": 5}, "text"),
        ({}, "text"),
        ({"text": "the , mice", "steps": 0}, "steps"),
        ({"text": "the , mice", "steps": 1001}, "steps"),
        ({"text": "the , mice", "top_k": 9}, "top_k"),
        ({"text": "the , mice", "top_k": 0}, "top_k"),
        ({"text": "the , mice", "temperature": -1}, "temperature"),
        ({"text": "the , mice", "seed": -1}, "seed"),
        ({"text": "the , mice", "seed": 1.0}, "seed"),
        ({"history": [1.0, 2.0, 3.0]}, "history"),
        ({"text": "the , mice", "horizon": 1}, "horizon"),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    asked: Service, body: dict[str, object], field: str
) -> None:
    answer = asked.predict(model="belling-the-cat", **body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_text_too_short_for_the_window_says_how_many_tokens_it_takes(asked: Service) -> None:
    problem = asked.predict(model="belling-the-cat", text="the ,").json()
    assert "needs at least 3" in problem["detail"]


@pytest.mark.parametrize("steps", [1, 300])
def test_texts_of_unlike_length_and_steps_do_not_disturb_each_other(
    asked: Service, steps: int
) -> None:
    items = [
        {"model": "stream", "text": "ab" * length, "steps": 1 + (length * steps) % 7}
        for length in range(1, 20)
    ]
    items.append({"model": "stream", "text": "abc" * 500, "steps": 3})
    together = asked.client.post("/predict/batch", json={"items": items}).json()["items"]
    for item, shared in zip(items, together, strict=True):
        assert tokens(shared) == tokens(written(asked, **item))
