"""Continuations by text versions: what a request asks for, many of them in one run, the answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.artifact.files import LENGTHS, PROBABILITIES, TOKENS
from app.errors import FieldError, StepaheadError, Unprocessable
from app.language.sampling import alternatives, choose
from app.language.tokenizer import Tokenizer, UnknownToken, UnknownTokens
from app.predictions.runtime import Arrays, Loaded
from app.predictions.schemas import (
    DEFAULT_TOP_K,
    MAX_ALTERNATIVES,
    SERIES_FIELDS,
    PredictRequest,
)

Ids = npt.NDArray[np.int64]
Floats32 = npt.NDArray[np.float32]

# A text is read in pieces of so many tokens: the graph keeps every step of a piece in memory.
PIECE_TOKENS = 512
NAMED_ERRORS = 20


@dataclass(frozen=True, kw_only=True)
class TextQuestion:
    """What one request asks of a text version."""

    text: str
    ids: Ids  # (tokens,)
    steps: int
    top_k: int
    temperature: float
    seed: int | None
    warnings: list[str]

    @property
    def answer_size(self) -> int:
        """How many probabilities the answer has."""
        return self.steps * self.top_k


def ask(version: Loaded, request: PredictRequest) -> TextQuestion:
    """The question of a request, checked against the version that is to answer it.

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
    return TextQuestion(
        text=request.text,
        ids=ids if version.manifest.window is None else ids[-version.manifest.window :],
        steps=steps,
        top_k=top_k,
        temperature=request.temperature or 0.0,
        seed=request.seed,
        warnings=_warnings(unknown),
    )


def runs_needed(version: Loaded, questions: Sequence[TextQuestion]) -> int:
    """How many single steps the graph will take for these questions together, at most."""
    steps = max(question.steps for question in questions)
    if version.manifest.window is not None:
        return steps
    return max(len(question.ids) for question in questions) + steps


def answer(
    version: Loaded, questions: Sequence[TextQuestion]
) -> list[dict[str, object] | StepaheadError]:
    """The answers' own parts, in order."""
    tokenizer = version.tokenizer
    if tokenizer is None:
        raise TypeError(f"{version} is no text version")
    writings = [_Writing(tokenizer, question) for question in questions]
    if version.manifest.window is None:
        _write_stream(version, writings)
    else:
        _write_window(version, writings)
    return [writing.shown(version.skill_over(1)) for writing in writings]


class _Writing:
    """One continuation as it grows."""

    def __init__(self, tokenizer: Tokenizer, question: TextQuestion) -> None:
        self.question = question
        self.ids = question.ids  # what the graph sees next: all of it, or the last token
        self._tokenizer = tokenizer
        self._generator = np.random.default_rng(question.seed)
        self._exclude = () if tokenizer.unknown_id is None else (tokenizer.unknown_id,)
        self._tokens: list[str] = []
        self._steps: list[dict[str, object]] = []

    @property
    def finished(self) -> bool:
        return len(self._steps) == self.question.steps

    def take(self, probabilities: Floats32) -> int:
        """Choose the next token from (vocabulary,) probabilities; gives its id."""
        vocabulary = self._tokenizer.vocabulary
        chosen = choose(
            probabilities,
            temperature=self.question.temperature,
            generator=self._generator,
            exclude=self._exclude,
        )
        self._tokens.append(vocabulary[chosen])
        self._steps.append(
            {
                "step": len(self._tokens),
                "token": vocabulary[chosen],
                "probability": float(probabilities[chosen]),
                "top": [
                    {"token": vocabulary[other.id], "probability": other.probability}
                    for other in alternatives(probabilities, self.question.top_k)
                ],
            }
        )
        return chosen

    def shown(self, skill: float | None) -> dict[str, object]:
        return {
            "predictions": self._steps,
            "text": self._continued(),
            "skill": skill,
            "warnings": self.question.warnings,
        }

    def _continued(self) -> str:
        """The text as it was given, and what was written, spaced as the tokenizer would."""
        if self._tokenizer.unit == "char":
            return self.question.text + "".join(self._tokens)
        last = self._tokenizer.vocabulary[self.question.ids[-1]]
        joined = self._tokenizer.decode([last, *self._tokens])
        return self.question.text.rstrip() + joined.removeprefix(last)


def _write_window(version: Loaded, writings: list[_Writing]) -> None:
    """Every token from zero state and the last `window` tokens, which slide."""
    active = writings
    while active:
        tokens = np.stack([writing.ids for writing in active])  # (batch, window)
        probabilities = version.run({TOKENS: tokens}, [PROBABILITIES])[PROBABILITIES]
        for writing, row in zip(active, probabilities, strict=True):
            writing.ids = np.append(writing.ids[1:], writing.take(row))
        active = [writing for writing in active if not writing.finished]


def _write_stream(version: Loaded, writings: list[_Writing]) -> None:
    """The text read once, then one step per token with the state carried on."""
    probabilities, states = _read(version, writings)
    active = writings
    while True:
        for writing, row in zip(active, probabilities, strict=True):
            writing.ids = np.array([writing.take(row)])
        going_on = [number for number, writing in enumerate(active) if not writing.finished]
        if not going_on:
            return
        if len(going_on) < len(active):
            active = [active[number] for number in going_on]
            states = {name: state[:, going_on] for name, state in states.items()}
        probabilities, states = _step(version, [writing.ids for writing in active], states)


def _read(version: Loaded, writings: list[_Writing]) -> tuple[Floats32, Arrays]:
    """Read the texts; those longer than a piece by themselves, the others in one run.

    Returns:
        Probabilities (batch, vocabulary) and states, each (1, batch, units), in their order.
    """
    short = [writing for writing in writings if len(writing.ids) <= PIECE_TOKENS]
    read: dict[int, tuple[Floats32, Arrays]] = {}
    if short:
        probabilities, states = _step(version, [writing.ids for writing in short], {})
        if len(short) == len(writings):
            return probabilities, states
        for row, writing in enumerate(short):
            own = {name: state[:, row : row + 1] for name, state in states.items()}
            read[id(writing)] = probabilities[row : row + 1], own
    for writing in writings:
        if id(writing) in read:
            continue
        states = {}
        for start in range(0, len(writing.ids), PIECE_TOKENS):
            piece = writing.ids[start : start + PIECE_TOKENS]
            read[id(writing)] = _step(version, [piece], states)
            states = read[id(writing)][1]
    parts = [read[id(writing)] for writing in writings]
    return (
        np.concatenate([probabilities for probabilities, _ in parts]),
        {name: np.concatenate([own[name] for _, own in parts], axis=1) for name in parts[0][1]},
    )


def _step(version: Loaded, texts: list[Ids], states: Arrays) -> tuple[Floats32, Arrays]:
    """One run of a stream graph over texts of unlike length.

    Args:
        version: a stream version.
        texts: ids of each, at least one.
        states: of each, (1, batch, units); empty at the start of the texts.
    """
    described = version.manifest.text
    if described is None:
        raise TypeError(f"{version} is no text version")
    lengths = np.array([len(ids) for ids in texts], dtype=np.int32)
    tokens = np.zeros((len(texts), lengths.max()), dtype=np.int64)  # (batch, steps)
    for row, ids in enumerate(texts):
        tokens[row, : len(ids)] = ids
    inputs: Arrays = {TOKENS: tokens, LENGTHS: lengths}
    for state in described.states:
        zero = np.zeros((1, len(texts), state.units), dtype=np.float32)
        inputs[state.name] = states.get(state.name, zero)
    outputs = version.run(inputs)
    return outputs[PROBABILITIES], {
        state.name: outputs[f"{state.name}_out"] for state in described.states
    }


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
