"""Continue texts with text versions: check requests, run many of them together, build answers."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from app.predictions.text_generation import Continuation, Ids, Wanted, continued

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
    warnings: list[str]
    read_seconds: float
    step_seconds: float  # on its own
    added_step_seconds: float  # in a run with others

    @property
    def answer_size(self) -> int:
        """The number of probabilities in the answer."""
        return self.steps * self.top_k

    @property
    def seconds(self) -> float:
        """The time that answering takes on its own."""
        return self.read_seconds + self.steps * self.step_seconds

    @property
    def added_seconds(self) -> float:
        """The time that answering adds to a run."""
        return self.read_seconds + self.steps * self.added_step_seconds

    def what_fits(self, seconds: float) -> FieldError:
        """Say how much of the question could be answered in this many seconds."""
        steps = int((seconds - self.read_seconds) / self.step_seconds)
        if steps >= 1:
            return FieldError(field="steps", message=f"about {steps:,} steps would fit")
        tokens = int((seconds - self.step_seconds) / self.read_seconds * len(self.ids))
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
    steps = request.steps or 1
    top_k = _top_k(version, tokenizer, request.top_k, steps)
    ids, unknown = _encode(version, tokenizer, request.text)
    needed = version.manifest.min_history
    if len(ids) < needed:
        raise Unprocessable.at(
            "text", f"has {len(ids)} tokens; {version} needs at least {needed} (its min_history)"
        )
    choosing = CHOICE_SECONDS + len(tokenizer) * CHOICE_SECONDS_PER_TOKEN[bool(request.temperature)]
    choosing += top_k * ALTERNATIVE_SECONDS
    return TextQuestion(
        version=version,
        text=request.text,
        ids=ids if version.manifest.window is None else ids[-version.manifest.window :],
        steps=steps,
        top_k=top_k,
        temperature=request.temperature or 0.0,
        seed=request.seed,
        warnings=_warnings(unknown),
        read_seconds=len(ids) * version.token_seconds if version.is_stream else 0.0,
        step_seconds=version.run_seconds + choosing,
        added_step_seconds=version.row_seconds + choosing,
    )


def answer(questions: Sequence[TextQuestion]) -> Work[list[Outcome]]:
    """Continue the texts of questions for one version, in order."""
    version = questions[0].version
    continuations = yield from continued(version, questions)
    return [
        _shown(question, continuation)
        for question, continuation in zip(questions, continuations, strict=True)
    ]


def _shown(question: TextQuestion, continuation: Continuation) -> dict[str, object]:
    """Return the answer's own parts."""
    version, tokenizer = question.version, question.version.tokenizer
    if tokenizer is None:
        raise TypeError(f"{version} is no text version")
    vocabulary = tokenizer.vocabulary
    tokens = [vocabulary[chosen] for chosen in continuation.chosen]
    found = zip(tokens, continuation.probabilities, continuation.alternatives, strict=True)
    return {
        "predictions": [
            {
                "step": step,
                "token": token,
                "probability": probability,
                "top": [
                    {"token": vocabulary[other], "probability": value}
                    for other, value in zip(ids.tolist(), values.tolist(), strict=True)
                ],
            }
            for step, (token, probability, (ids, values)) in enumerate(found, start=1)
        ],
        "text": _text_with(question, tokenizer, tokens),
        "skill": version.skill_over(1),
        "warnings": question.warnings,
    }


def _text_with(question: TextQuestion, tokenizer: Tokenizer, tokens: list[str]) -> str:
    """Return the original text and the new tokens, spaced by the tokenizer's rules."""
    if tokenizer.unit == "char":
        return question.text + "".join(tokens)
    last = tokenizer.vocabulary[question.ids[-1]]
    joined = tokenizer.decode([last, *tokens])
    return question.text.rstrip() + joined.removeprefix(last)


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
