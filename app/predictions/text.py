"""Continue texts with text versions: check requests, run many of them together, build answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from app.errors import FieldError, Unprocessable
from app.language.tokenizer import Tokenizer, UnknownToken, UnknownTokens
from app.predictions.loaded import Loaded
from app.predictions.questions import Outcome, Work
from app.predictions.schemas import (
    DEFAULT_TOP_K,
    MAX_ALTERNATIVES,
    SERIES_FIELDS,
    PredictRequest,
)
from app.predictions.texts.generation import (
    Continuation,
    Echoed,
    Ids,
    Probabilities,
    Wanted,
    continued,
)

# The cost of a step besides the run of the graph: choosing a token, at temperature 0 and above, and
# each alternative in the answer.
CHOICE_SECONDS = 10e-6
CHOICE_SECONDS_PER_TOKEN = (2e-9, 25e-9)
ALTERNATIVE_SECONDS = 1e-6
NAMED_ERRORS = 20


@dataclass(frozen=True, kw_only=True)
class TextQuestion(Wanted):
    """What a request asks of a text version, and the cost of answering it."""

    version: Loaded
    text: str
    logprobs: bool
    numbered: bool  # whether the request said how many continuations it wants
    warnings: list[str]
    read_seconds: float
    step_seconds: float  # on its own
    added_step_seconds: float  # in a run with others

    @property
    def answer_size(self) -> int:
        """The number of probabilities in the answer."""
        echoed = 0 if self.echo is None else len(self.echo)
        return (self.steps * self.count + echoed) * self.top_k

    @property
    def seconds(self) -> float:
        """The time that answering takes on its own."""
        others = (self.count - 1) * self.added_step_seconds
        return self.read_seconds + self.steps * (self.step_seconds + others)

    @property
    def added_seconds(self) -> float:
        """The time that answering adds to a run."""
        return self.read_seconds + self.steps * self.count * self.added_step_seconds

    def what_fits(self, seconds: float) -> FieldError:
        """Say how much of the question could be answered in this many seconds."""
        steps = int((seconds - self.read_seconds) / self.step_seconds)
        if steps >= 1:
            return FieldError(field="steps", message=f"about {steps:,} steps would fit")
        read = self.ids if self.echo is None else self.echo
        tokens = int((seconds - self.step_seconds) / self.read_seconds * len(read))
        return FieldError(
            field="text", message=f"about {max(1, tokens):,} tokens of text would fit"
        )

    @staticmethod
    def answer(questions: "Sequence[TextQuestion]") -> "Work[list[Outcome]]":
        """Answer questions for one version, in order."""
        return answer(questions)


def ask(version: Loaded, request: PredictRequest) -> TextQuestion:
    """Turn a request into a question, checked against the version that is to answer it.

    Raises:
        Unprocessable: a field does not fit the version; each is named.
    """
    tokenizer, described = version.tokenizer, version.manifest.text
    if tokenizer is None or described is None:
        raise Unprocessable.at("text", f"{version} is no text version")
    text = _text_of(version, request)
    steps = request.steps or 1
    ids, unknown = _encode(version, tokenizer, text)
    shown = steps * (request.n or 1) + (len(ids) if request.echo else 0)
    top_k = _top_k(version, tokenizer, request.top_k, shown)
    needed = version.manifest.min_history
    if len(ids) < needed:
        raise Unprocessable.at(
            "text", f"has {len(ids)} tokens; {version} needs at least {needed} (its min_history)"
        )
    choosing = CHOICE_SECONDS + len(tokenizer) * CHOICE_SECONDS_PER_TOKEN[bool(request.temperature)]
    choosing += top_k * ALTERNATIVE_SECONDS
    return TextQuestion(
        version=version,
        text=text,
        ids=ids if version.manifest.window is None else ids[-version.manifest.window :],
        steps=steps,
        top_k=top_k,
        temperature=request.temperature or 0.0,
        seed=request.seed,
        top_p=1.0 if request.top_p is None else request.top_p,
        repetition_penalty=request.repetition_penalty or 1.0,
        stop=tuple(request.stop or ()),
        count=request.n or 1,
        echo=ids if request.echo else None,
        logprobs=bool(request.logprobs),
        numbered=request.n is not None,
        warnings=_warnings(unknown),
        read_seconds=_read_seconds(version, len(ids), echo=bool(request.echo)),
        step_seconds=version.run_seconds + choosing,
        added_step_seconds=version.row_seconds + choosing,
    )


def _text_of(version: Loaded, request: PredictRequest) -> str:
    """Return the text to continue.

    Raises:
        Unprocessable: there is none, it has a NUL, or other fields are for series.
    """
    foreign = sorted(SERIES_FIELDS & request.model_fields_set)
    if foreign:
        raise Unprocessable(
            f"{version} continues a text: it takes text, not {', '.join(foreign)}",
            errors=tuple(
                FieldError(field=name, message=f"belongs to series; {version} continues a text")
                for name in foreign
            ),
        )
    if request.text is None:
        raise Unprocessable.at("text", "is required: the text to continue")
    if "\x00" in request.text:
        raise Unprocessable.at("text", f"has a NUL character at {request.text.index(chr(0))}")
    return request.text


def answer(questions: Sequence[TextQuestion]) -> Work[list[Outcome]]:
    """Continue the texts of questions for one version, in order."""
    version = questions[0].version
    continuations = iter((yield from continued(version, questions)))
    return [_shown(question, list(islice(continuations, question.count))) for question in questions]


def _shown(question: TextQuestion, continuations: Sequence[Continuation]) -> dict[str, object]:
    """Return the answer's own parts."""
    version, tokenizer = question.version, question.version.tokenizer
    if tokenizer is None:
        raise TypeError(f"{version} is no text version")
    whole = [_written(question, tokenizer, each) for each in continuations]
    shown: dict[str, object] = dict(whole[0])
    if question.numbered:
        shown["continuations"] = whole
    if question.echo is not None:
        shown["echo"] = _echo(question, tokenizer, question.echo, continuations[0].echoed)
    return {**shown, "skill": version.skill_over(1), "warnings": question.warnings}


def _written(
    question: TextQuestion, tokenizer: Tokenizer, continuation: Continuation
) -> dict[str, object]:
    """Return one continuation."""
    tokens = [tokenizer.vocabulary[chosen] for chosen in continuation.chosen]
    return {
        "predictions": [
            step_of(question, tokenizer, continuation, place) for place in range(len(tokens))
        ],
        "text": _text_with(question, tokenizer, tokens),
        **({"finished": "stop" if continuation.stopped else "steps"} if question.stop else {}),
    }


def step_of(
    question: TextQuestion, tokenizer: Tokenizer, continuation: Continuation, place: int
) -> dict[str, object]:
    """Return a token of a continuation with its alternatives."""
    vocabulary = tokenizer.vocabulary
    token = vocabulary[continuation.chosen[place]]
    return {
        "step": place + 1,
        **_probable(question, token, continuation.probabilities[place]),
        "top": _top(question, tokenizer, *continuation.alternatives[place]),
    }


def _top(
    question: TextQuestion, tokenizer: Tokenizer, ids: Ids, values: Probabilities
) -> list[dict[str, object]]:
    """Return the most probable tokens, (top_k,) each."""
    return [
        _probable(question, tokenizer.vocabulary[number], value)
        for number, value in zip(ids.tolist(), values.tolist(), strict=True)
    ]


def _probable(question: TextQuestion, token: str, probability: float) -> dict[str, object]:
    shown: dict[str, object] = {"token": token, "probability": probability}
    if question.logprobs:
        shown["logprob"] = _logarithm(probability)
    return shown


def _logarithm(probability: float) -> float:
    """Return the natural logarithm; of 0, that of the smallest float, because JSON has no -inf."""
    return math.log(max(probability, float(np.finfo(np.float32).tiny)))


def _echo(
    question: TextQuestion, tokenizer: Tokenizer, ids: Ids, given: Sequence[Echoed]
) -> list[dict[str, object]]:
    """Return the text's tokens with their probabilities, as far as enough precedes them."""
    tokens = [tokenizer.vocabulary[number] for number in ids.tolist()]
    first = len(tokens) - len(given)
    unexpected: dict[str, object] = {"probability": None, "logprob": None, "top": []}
    return [
        *({"token": token, **unexpected} for token in tokens[:first]),
        *(
            {
                "token": token,
                "probability": each.probability,
                "logprob": _logarithm(each.probability),
                "top": _top(question, tokenizer, each.ids, each.values),
            }
            for token, each in zip(tokens[first:], given, strict=True)
        ),
    ]


def _text_with(question: TextQuestion, tokenizer: Tokenizer, tokens: list[str]) -> str:
    """Return the original text and the new tokens, spaced by the tokenizer's rules."""
    if tokenizer.unit == "char":
        return question.text + tokenizer.decode(tokens)
    last = tokenizer.vocabulary[question.ids[-1]]
    joined = tokenizer.decode([last, *tokens])
    return question.text.rstrip() + joined.removeprefix(last)


def _read_seconds(version: Loaded, tokens: int, *, echo: bool) -> float:
    """Return the time for reading a text; an echo takes a step of the graph for each token."""
    if not version.is_stream:
        return tokens * version.row_seconds if echo else 0.0
    return tokens * (version.token_seconds + (version.run_seconds if echo else 0.0))


def _top_k(version: Loaded, tokenizer: Tokenizer, asked: int | None, steps: int) -> int:
    top_k = min(DEFAULT_TOP_K, len(tokenizer)) if asked is None else asked
    if top_k > len(tokenizer):
        raise Unprocessable.at(
            "top_k", f"is {top_k}; the vocabulary of {version} has {len(tokenizer)} tokens"
        )
    if steps * top_k > MAX_ALTERNATIVES:
        raise Unprocessable.at(
            "top_k", f"{top_k} at each of {steps} steps are more than {MAX_ALTERNATIVES:,} in all"
        )
    return top_k


def _encode(
    version: Loaded, tokenizer: Tokenizer, text: str
) -> tuple[Ids, tuple[UnknownToken, ...]]:
    try:
        encoded = tokenizer.encode(text)
    except UnknownTokens as error:
        places = tuple(
            FieldError(
                field="text",
                message=f"token {entry.position + 1}, {entry.token[:100]!r}, is not in the "
                f"vocabulary of {version}",
            )
            for entry in error.unknown[:NAMED_ERRORS]
        )
        detail = f"text: {places[0].message}, and the version takes no unknown tokens"
        raise Unprocessable(detail, errors=places) from error
    return encoded.ids, encoded.unknown


def _warnings(unknown: tuple[UnknownToken, ...]) -> list[str]:
    if not unknown:
        return []
    distinct = list(dict.fromkeys(entry.token for entry in unknown))
    named = ", ".join(repr(token[:100]) for token in distinct[:5])
    more = f" and {len(distinct) - 5} more" if len(distinct) > 5 else ""
    return [f"unknown tokens: {named}{more}"]
