"""Test answers of server-sent events, and the options of a continuation."""

import json
import math
from typing import Any

import numpy as np
import pytest

from app.errors import Unavailable
from app.predictions.log import Group
from app.predictions.texts.generation import Continuation, Wanted, penalised
from tests.service import Service

FABLE = {"model": "belling-the-cat", "text": "long ago cat", "steps": 4, "top_k": 2}
LETTERS = {"model": "stream", "text": "ab", "steps": 5, "top_k": 2}


def events(service: Service, **body: object) -> list[tuple[str, dict[str, Any]]]:
    """Return the name and JSON of each event."""
    answer = service.predict(**body, stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for event in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in event.splitlines())
        found.append((fields.get("event", ""), json.loads(fields["data"])))
    return found


def answered(service: Service, **body: object) -> dict[str, Any]:
    answer = service.predict(**body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("body", [FABLE, LETTERS], ids=["window", "stream"])
def test_a_stream_is_the_tokens_and_then_the_whole_answer_which_is_logged(
    asked: Service, body: dict[str, object]
) -> None:
    *tokens, (name, answer) = events(asked, **body)
    assert name == "answer"
    written = str(body["text"]) + "".join(event.pop("text") for _, event in tokens)
    assert written == answer["text"]
    assert [event for _, event in tokens] == answer["predictions"]
    logged = asked.client.get(f"/predictions/{answer['id']}").json()
    assert logged["response"] == answer
    whole = answered(asked, **body)
    assert whole.pop("id") != answer.pop("id")
    assert whole == answer


def test_two_streams_share_a_connection(asked: Service) -> None:
    first, second = events(asked, **LETTERS), events(asked, **LETTERS)
    assert [event for _, event in first[:-1]] == [event for _, event in second[:-1]]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"model": "google-stock", "history": [1, 2, 3]}, 422, "stream"),
        ({"model": "stream", "text": "a\x00"}, 422, "text"),
        ({"model": "nobody", "text": "a"}, 404, None),
    ],
)
def test_what_is_refused_before_the_first_token_is_a_problem(
    asked: Service, body: dict[str, object], status: int, field: str | None
) -> None:
    answer = asked.predict(**body, stream=True)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field] * (field is not None)


def test_a_batch_has_no_streams(asked: Service) -> None:
    items = [{**LETTERS, "stream": True}, LETTERS]
    first, second = asked.client.post("/predict/batch", json={"items": items}).json()["items"]
    assert first["error"]["errors"][0]["field"] == "stream"
    assert second["predictions"]


def test_without_its_row_a_stream_ends_in_an_error(service: Service) -> None:
    log = service.app.state.predictions.log
    kept = log.write

    def refuse(groups: list[Group]) -> None:
        for group in groups:
            group.done({0: Unavailable("the log is away")})

    log.write = refuse
    try:
        *tokens, (name, problem) = events(service, **LETTERS)
    finally:
        log.write = kept
    assert len(tokens) == 5
    assert (name, problem["status"]) == ("error", 503)


def test_a_stop_ends_a_continuation_and_stays_in_it(asked: Service) -> None:
    answer = answered(asked, **LETTERS, stop=["ab", "zz"])
    assert (answer["text"], answer["finished"]) == ("abcaab", "stop")
    assert len(answer["predictions"]) == 4
    assert answered(asked, **LETTERS, stop=["zz"])["finished"] == "steps"
    words = answered(asked, **FABLE, stop=["bell ."])
    assert words["text"] == "long ago cat bell ."


def test_several_continuations_start_with_the_one_alone(asked: Service) -> None:
    body = {**LETTERS, "temperature": 1.5, "seed": 5}
    several = answered(asked, **body, n=3)
    alone = answered(asked, **body)
    assert several["predictions"] == alone["predictions"]
    texts = [each["text"] for each in several["continuations"]]
    assert texts[0] == alone["text"]
    assert len(set(texts)) > 1
    assert answered(asked, **body, n=3)["continuations"] == several["continuations"]
    *tokens, _ = events(asked, **body, n=3)
    assert [event["continuation"] for _, event in tokens[:3]] == [1, 2, 3]


def test_an_echo_gives_the_tokens_of_the_text(asked: Service) -> None:
    # After each token, the graph gives its best token a probability that all answers show.
    answer = answered(asked, model="stream", text="abc", echo=True, logprobs=True)
    first, second, third = answer["echo"]
    assert (first["token"], first["probability"]) == ("a", None)
    best = answered(asked, model="stream", text="a")["predictions"][0]
    assert (second["token"], best["token"]) == ("b", "b")
    assert second["probability"] == best["probability"]
    assert first["top"] == []
    assert second["top"][0] == best["top"][0] | {"logprob": second["logprob"]}
    assert third["logprob"] == pytest.approx(math.log(third["probability"]))
    step = answer["predictions"][0]
    assert step["logprob"] == pytest.approx(math.log(step["probability"]))
    assert {"token", "probability", "logprob"} == set(step["top"][0])


def test_an_echo_of_a_window_begins_after_the_first(asked: Service) -> None:
    text = "long ago cat bell ."
    echo = answered(asked, model="belling-the-cat", text=text, echo=True, top_k=1)["echo"]
    assert [each["token"] for each in echo] == text.split()
    assert [each["probability"] for each in echo[:3]] == [None] * 3
    first = answered(asked, model="belling-the-cat", text="long ago cat", top_k=1)
    assert echo[3]["top"] == first["predictions"][0]["top"]


def test_an_echo_counts_among_the_alternatives(asked: Service) -> None:
    body = {"model": "stream", "text": "ab" * 15_000, "top_k": 4}
    assert asked.predict(**body, echo=True).json()["errors"][0]["field"] == "top_k"
    assert asked.predict(**body).status_code == 200


def test_a_narrow_nucleus_leaves_the_most_probable_token(asked: Service) -> None:
    drawn = {
        answered(asked, **LETTERS, temperature=5, seed=seed, top_p=0.01)["text"]
        for seed in range(5)
    }
    assert drawn == {answered(asked, **LETTERS)["text"]}


def test_a_penalty_lowers_what_occurred_in_text_or_continuation() -> None:
    ids = np.array([1])
    texts = [
        Continuation(
            wanted=Wanted(
                ids=ids, steps=9, top_k=1, temperature=0, seed=None, repetition_penalty=penalty
            ),
            ids=ids,
            generator=np.random.default_rng(0),
            chosen=[2],
        )
        for penalty in (1.0, 2.0)
    ]
    probabilities = np.full((2, 4), 0.25, np.float32)
    assert penalised(texts, probabilities).tolist() == [[0.25] * 4, [0.25, 0.0625, 0.0625, 0.25]]


def test_a_penalty_changes_what_is_written(asked: Service) -> None:
    # After "c" the unknown symbol, which is never chosen, is most probable; the others are equal.
    body = {"model": "stream", "text": "aab"}
    assert answered(asked, **body)["text"] == "aaba"
    assert answered(asked, **body, repetition_penalty=2)["text"] == "aabc"
