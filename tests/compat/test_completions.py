"""OpenAI's completions, by OpenAI's own client where it can send the request."""

from __future__ import annotations  # that name types of libraries imported late

import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from sqlalchemy import select

from app.compat.completions.choices import HeldBack, offsets_of
from app.compat.completions.prompts import prompts_of
from app.compat.completions.schemas import CompletionRequest
from app.errors import InvalidRequest, Unavailable
from app.language.tokenizer import Tokenizer
from app.predictions.log import Group
from app.storage.tables import Prediction, RefusedCall
from tests.service import Service, eventually

FABLE: dict[str, Any] = {
    "model": "fable",
    "prompt": "long ago cat",
    "max_tokens": 4,
    "temperature": 0,
}
LETTERS: dict[str, Any] = {"model": "letters", "prompt": "ab", "max_tokens": 5, "temperature": 0}


@pytest.fixture
def client(service: Service) -> Iterator[openai.OpenAI]:
    """OpenAI's client, as it is."""
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def complete(client: openai.OpenAI, **body: Any) -> openai.types.Completion:  # noqa: ANN401 - as its own
    answer: openai.types.Completion = client.completions.create(**body)
    return answer


def chunks(client: openai.OpenAI, **body: Any) -> list[openai.types.Completion]:  # noqa: ANN401
    return list(client.completions.create(stream=True, **body))


def logged(service: Service, completion: openai.types.Completion) -> list[Prediction]:
    (request_id,) = {completion.id.removeprefix("cmpl-")}
    with service.sessions() as session:
        rows = select(Prediction).where(Prediction.request_id == request_id)
        return list(session.scalars(rows.order_by(Prediction.id)))


def test_the_models_that_continue_texts_are_listed(client: openai.OpenAI) -> None:
    assert [entry.id for entry in client.models.list()] == ["fable", "letters"]
    assert client.models.retrieve("fable").owned_by == "stepahead"
    with pytest.raises(openai.NotFoundError, match="There is no model 'nobody'"):
        client.models.retrieve("nobody")


def test_a_text_is_continued_and_logged(service: Service, client: openai.OpenAI) -> None:
    answer = complete(client, **FABLE, user="accepted and ignored")
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == (" bell . the ,", "length", None)
    assert (answer.model, answer.system_fingerprint) == ("fable", "fable@1")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 4)
    (row,) = logged(service, answer)
    assert [str(row.id)] == answer.prediction_ids  # type: ignore[attr-defined]
    assert row.response["text"] == "long ago cat" + choice.text


def test_a_prompt_that_ends_with_a_space_is_not_followed_by_another(client: openai.OpenAI) -> None:
    body = {**FABLE, "prompt": "Long ago cat "}
    assert complete(client, **body).choices[0].text == "bell . the ,"
    streamed = "".join(chunk.choices[0].text for chunk in chunks(client, **body))
    assert streamed == "bell . the ,"


@pytest.mark.parametrize(
    "prompt", [["long ago cat", "the , mice"], [[3, 4, 5], [0, 1, 2]]], ids=["texts", "ids"]
)
def test_every_prompt_has_its_choices(
    service: Service, client: openai.OpenAI, prompt: list[Any]
) -> None:
    answer = complete(client, **{**FABLE, "prompt": prompt, "n": 2, "temperature": 1, "seed": 5})
    alone = complete(client, **{**FABLE, "prompt": prompt[1], "n": 2, "temperature": 1, "seed": 5})
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in answer.choices[2:]] == [each.text for each in alone.choices]
    assert [row.request["text"] for row in logged(service, answer)] == [
        *("long ago cat", "the , mice")
    ]


def test_ids_are_a_prompt(client: openai.OpenAI) -> None:
    assert complete(client, **{**LETTERS, "prompt": [0, 1]}).choices == (
        complete(client, **LETTERS).choices
    )


def test_an_echo_has_the_probabilities_of_the_prompt(client: openai.OpenAI) -> None:
    answer = complete(client, **{**LETTERS, "max_tokens": 1, "echo": True, "logprobs": 1})
    (choice,) = answer.choices
    assert choice.text == "abc"
    found = choice.logprobs
    assert found is not None
    # The graph gives the token whose number is that of those before it 0.9, and others a thirtieth.
    assert found.tokens == ["a", "b", "c"]
    assert found.text_offset == [0, 1, 2]
    expected: list[Any] = [None, *[pytest.approx(math.log(0.9))] * 2]
    assert found.token_logprobs == expected
    assert found.token_logprobs is not None
    assert found.top_logprobs is not None
    assert found.top_logprobs[:2] == [None, {"b": found.token_logprobs[1]}]
    unexpected = complete(client, **{**LETTERS, "prompt": "aa", "echo": True, "logprobs": 1})
    assert unexpected.choices[0].logprobs is not None
    assert unexpected.choices[0].logprobs.top_logprobs is not None
    assert unexpected.choices[0].logprobs.top_logprobs[1] == {
        "a": pytest.approx(math.log(0.1 / 3)),
        "b": pytest.approx(math.log(0.9)),
    }


def test_a_window_scores_what_follows_the_first(client: openai.OpenAI) -> None:
    body = {**FABLE, "prompt": "The, mice long cat", "max_tokens": 0, "echo": True, "logprobs": 0}
    answer = complete(client, **body)
    assert answer.choices[0].text == "The, mice long cat"
    found = answer.choices[0].logprobs
    assert found is not None
    assert found.tokens == ["the", ",", "mice", "long", "cat"]
    assert found.text_offset == [0, 3, 5, 10, 15]
    assert found.token_logprobs is not None
    assert found.token_logprobs[:3] == [None] * 3
    assert found.token_logprobs[3:] == [
        pytest.approx(math.log(0.9)),
        pytest.approx(math.log(0.1 / 7)),
    ]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 0


def test_a_text_ends_before_its_stop(client: openai.OpenAI) -> None:
    answer = complete(client, **FABLE, stop=["the", "nothing"], logprobs=0)
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason) == (" bell . ", "stop")
    assert choice.logprobs is not None
    assert choice.logprobs.tokens == ["bell", "."]
    alone = complete(client, **FABLE, stop=". the")
    assert (alone.choices[0].text, alone.choices[0].finish_reason) == (" bell ", "stop")


def test_a_stream_is_the_whole_answer_in_pieces(service: Service, client: openai.OpenAI) -> None:
    for body in (FABLE, LETTERS, {**LETTERS, "stop": "aa"}, {**FABLE, "echo": True}):
        whole = complete(client, **body)
        *pieces, last, usage = chunks(client, **body, stream_options={"include_usage": True})
        text = "".join(piece.choices[0].text for piece in [*pieces, last])
        assert text == whole.choices[0].text
        assert {piece.choices[0].finish_reason for piece in pieces} == {None}
        assert last.choices[0].finish_reason == whole.choices[0].finish_reason
        assert (usage.choices, usage.usage) == ([], whole.usage)
        (row,) = logged(service, last)
        assert [str(row.id)] == last.prediction_ids  # type: ignore[attr-defined]
        assert {piece.id for piece in pieces} == {last.id}


def test_a_stream_has_the_choices_of_all_prompts(client: openai.OpenAI) -> None:
    body = {**FABLE, "prompt": ["long ago cat", "the , mice"], "n": 2, "temperature": 1, "seed": 5}
    texts = ["", "", "", ""]
    for chunk in chunks(client, **body):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in complete(client, **body).choices]


def test_tokens_of_a_stream_have_their_probabilities(client: openai.OpenAI) -> None:
    whole = complete(client, **FABLE, logprobs=2).choices[0].logprobs
    assert whole is not None
    found = [
        chunk.choices[0].logprobs
        for chunk in chunks(client, **FABLE, logprobs=2)
        if chunk.choices[0].logprobs is not None
    ]
    assert [each.tokens for each in found] == [[token] for token in whole.tokens or ()]
    assert [each.text_offset for each in found] == [[offset] for offset in whole.text_offset or ()]
    assert [each.top_logprobs for each in found] == [[top] for top in whole.top_logprobs or ()]


@pytest.mark.parametrize("stops", [["ab"], ["ab", "bca"], []])
def test_no_beginning_of_a_stop_is_sent_before_it_is_certain(stops: list[str]) -> None:
    held = HeldBack(stops)
    assert [held.add(piece) for piece in "xaca"] == (
        ["x", "", "ac", ""] if stops else ["x", "a", "c", "a"]
    )
    assert [held.add("b"), held.is_stopped] == (["", True] if stops else ["b", False])
    assert [held.add("more"), held.rest()] == ["" if stops else "more", ""]


def test_offsets_of_bytes_are_those_of_their_character() -> None:
    tokenizer = Tokenizer.fit_spelling("ab", min_count=1)
    tokens = tokenizer.tokens("a€b")
    assert tokens == ["a", "<0xE2>", "<0x82>", "<0xAC>", "b"]
    assert offsets_of(tokens, "a€b", unit="char") == [0, 1, 1, 1, 2]
    assert offsets_of(["long", "<unk>", "ago"], "Long  dönk Ago", unit="word") == [0, 4, 11]


def test_ids_that_no_text_has_are_refused() -> None:
    tokenizer = Tokenizer.fit_spelling("ab", min_count=1)
    euro = tokenizer.encode("a€").ids.tolist()
    asked = CompletionRequest(model="letters", prompt=[euro, euro[:-1]])
    with pytest.raises(InvalidRequest, match=r"prompt\.1: no text has these tokens"):
        prompts_of(asked, tokenizer)


@pytest.mark.parametrize(
    ("changes", "message", "param"),
    [
        ({"model": "prices"}, "forecasts series", None),
        ({"prompt": ""}, "at least 1 char", "prompt"),
        ({"prompt": ["a", "a\x00"]}, "NUL", "prompt.1"),
        ({"prompt": [0, 99]}, "no token 99; the vocabulary has 4", "prompt"),
        ({"max_tokens": 0}, "which is for echo alone", "max_tokens"),
        ({"max_tokens": 1001}, "at most 1000", "max_tokens"),
        ({"n": 9}, "at most 8", "n"),
        ({"best_of": 3}, "only the value of n, 1", "best_of"),
        ({"suffix": "end"}, "must be", "suffix"),
        ({"logit_bias": {"50256": -100}}, "at most 0", "logit_bias"),
        ({"frequency_penalty": 0.5}, "at most 0", "frequency_penalty"),
        ({"extra_body": {"top_k": 5}}, "is not a known field", "top_k"),
        ({"stream_options": {}}, "for streams", "stream_options"),
        ({"stream": True, "echo": True, "logprobs": 1}, "not for streams", "logprobs"),
        ({"stream": True, "prompt": "a\x00"}, "NUL", "prompt"),
    ],
)
def test_what_is_wrong_is_a_bad_request(
    client: openai.OpenAI, changes: dict[str, Any], message: str, param: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(**{**LETTERS, **changes})
    assert message in str(refused.value)
    assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")


def test_an_unknown_model_is_not_found(service: Service, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'nobody'") as refused:
        complete(client, **{**LETTERS, "model": "nobody"})
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="there is nothing at /v1/chat/completions"):
        client.chat.completions.create(model="letters", messages=[])
    with pytest.raises(openai.BadRequestError):
        complete(client, **{**LETTERS, "prompt": "\x00"})

    def is_logged() -> bool:
        with service.sessions() as session:
            refusals = session.scalars(select(RefusedCall.path)).all()
        return "/v1/completions" in refusals

    eventually(is_logged)


@pytest.mark.parametrize("stream", [True, False])
def test_without_its_row_there_is_no_answer(
    service: Service, client: openai.OpenAI, *, stream: bool
) -> None:
    log = service.app.state.predictions.log
    kept = log.write

    def refuse(groups: list[Group]) -> None:
        for group in groups:
            group.done({0: Unavailable("the log is away")})

    log.write = refuse
    try:
        with pytest.raises(openai.APIError, match="the log is away"):
            list(client.completions.create(**LETTERS, stream=stream))
    finally:
        log.write = kept


def test_a_tokenizer_is_below_the_address_of_its_model(
    service: Service, client: openai.OpenAI
) -> None:
    base = f"{service.url}/v1/models/letters"
    info = service.client.get(f"{base}/tokenizer_info").json()
    assert (info["tokenizer_class"], info["vocabulary_size"]) == ("char", 4)
    assert info["eos_token"] is None
    read = service.client.post(f"{base}/tokenize", json={"prompt": "abx"}).json()
    assert (read["tokens"], read["token_strs"], read["count"]) == (
        [0, 1, 3],
        ["a", "b", "<unk>"],
        3,
    )
    written = service.client.post(f"{base}/detokenize", json={"tokens": [0, 1]}).json()
    assert written == {"prompt": "ab"}
    with client.with_options(base_url=f"{base}/v1") as own:
        assert complete(own, **LETTERS).choices == complete(client, **LETTERS).choices
        with pytest.raises(openai.BadRequestError, match="the path is that of 'letters'"):
            complete(own, **FABLE)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("prices/tokenize", {"prompt": "a"}, "forecasts series"),
        ("fable/tokenize", {"prompt": "unheard"}, "not in the vocabulary: 'unheard'"),
        ("letters/detokenize", {"tokens": [4]}, "no token 4"),
        ("letters/detokenize", {"tokens": []}, "tokens"),
    ],
)
def test_what_cannot_be_tokenized_is_refused(
    service: Service, path: str, body: dict[str, object], message: str
) -> None:
    answer = service.client.post(f"/v1/models/{path}", json=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
