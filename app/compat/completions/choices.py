"""Turn answers of `POST /predict` into choices."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from app.compat.completions.prompts import Prompt
from app.compat.completions.schemas import Choice, CompletionRequest, Logprobs, Usage
from app.language.tokenizer import BYTES

# A token that is spelled otherwise in the text (an unknown one, say) is passed over if the next one
# begins within so many characters.
FURTHEST_CHARACTERS = 100
CONTINUATION_BYTES = frozenset(BYTES[0x80:0xC0])  # which no character begins with


def choices_of(
    asked: CompletionRequest, prompt: Prompt, answer: Mapping[str, Any], *, first: int, unit: str
) -> list[Choice]:
    """Return the choices of a prompt.

    Args:
        asked: the request.
        prompt: one of its prompts.
        answer: of `POST /predict`.
        first: the index of the first choice.
        unit: of the version's tokenizer.
    """
    continuations: Sequence[Mapping[str, Any]] = answer.get("continuations") or [answer]
    return [
        _choice(asked, prompt, answer, each, index=first + place, unit=unit)
        for place, each in enumerate(continuations)
    ]


def _choice(
    asked: CompletionRequest,
    prompt: Prompt,
    answer: Mapping[str, Any],
    continuation: Mapping[str, Any],
    *,
    index: int,
    unit: str,
) -> Choice:
    written = continued(prompt.text, continuation["text"], unit=unit) if asked.tokens else ""
    text, is_stopped = before_stop(written, asked.stops)
    steps: list[dict[str, Any]] = continuation["predictions"] if asked.tokens else []
    logprobs = None
    if asked.logprobs is not None:
        start = len(prompt.text) if asked.echo else 0
        logprobs = logprobs_of(steps, written, asked.logprobs, start=start, unit=unit)
        if is_stopped:
            logprobs = _until(logprobs, start + len(text))
        if asked.echo:
            echoed = logprobs_of(answer["echo"], prompt.text, asked.logprobs, start=0, unit=unit)
            logprobs = _joined(echoed, logprobs)
    return Choice(
        index=index,
        text=prompt.text + text if asked.echo else text,
        logprobs=logprobs,
        finish_reason=finish_of(continuation, is_stopped=is_stopped),
    )


def finish_of(continuation: Mapping[str, Any], *, is_stopped: bool) -> Literal["stop", "length"]:
    """Return why a continuation ended."""
    return "stop" if is_stopped or continuation.get("finished") == "stop" else "length"


def continued(prompt: str, whole: str, *, unit: str) -> str:
    """Return what follows a prompt; appended to it, it gives the whole text.

    Words are separated by a space, unless the prompt already ends with one.
    """
    if unit == "char":
        return whole[len(prompt) :]
    stem = prompt.rstrip()
    return without_second_space(prompt, whole[len(stem) :])


def without_second_space(prompt: str, written: str) -> str:
    """Return the beginning of a continuation without a space if the prompt ends with one."""
    return written.removeprefix(" ") if prompt[-1:].isspace() else written


def before_stop(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """Return the text before the first stop, and whether there is one."""
    places = [place for place in map(text.find, stops) if place >= 0]
    return (text[: min(places)], True) if places else (text, False)


class HeldBack:
    """The text of a stream, of which the beginning of a stop is not sent before it is certain.

    Args:
        stops: the strings that end the text.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self.is_stopped = False

    def add(self, piece: str) -> str:
        """Return what may be sent once a piece has been added."""
        if self.is_stopped:
            return ""
        text, self.is_stopped = before_stop(self._held + piece, self._stops)
        kept = 0 if self.is_stopped else self._beginning_in(text)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def rest(self) -> str:
        """Return what was held back."""
        held, self._held = self._held, ""
        return held

    def _beginning_in(self, text: str) -> int:
        """Return how many of the last characters may be the beginning of a stop."""
        return max(
            (
                length
                for stop in self._stops
                for length in range(1, len(stop))
                if text.endswith(stop[:length])
            ),
            default=0,
        )


def logprobs_of(
    steps: Sequence[Mapping[str, Any]], text: str, shown: int, *, start: int, unit: str
) -> Logprobs:
    """Return the probabilities of tokens that stand in a text.

    Args:
        steps: of an answer, with logarithms.
        text: in which the tokens stand.
        shown: how many alternatives to show beside the token itself.
        start: where the text begins.
        unit: of the version's tokenizer.
    """
    tokens = [step["token"] for step in steps]
    offsets = offsets_of(tokens, text, unit=unit)
    return Logprobs(
        tokens=tokens,
        token_logprobs=[step["logprob"] for step in steps],
        top_logprobs=[_top(step, shown) for step in steps],
        text_offset=[start + offset for offset in offsets],
    )


def _top(step: Mapping[str, Any], shown: int) -> dict[str, float] | None:
    if step["logprob"] is None:
        return None
    top = {each["token"]: each["logprob"] for each in step["top"][:shown]}
    return top | {step["token"]: step["logprob"]}


def offsets_of(tokens: Sequence[str], text: str, *, unit: str) -> list[int]:
    """Return where tokens begin in a text, (tokens,)."""
    return _of_characters(tokens) if unit == "char" else _of_words(tokens, text)


def _of_characters(tokens: Sequence[str]) -> list[int]:
    offsets = []
    end = 0
    for token in tokens:
        if token in CONTINUATION_BYTES and end:
            offsets.append(end - 1)
            continue
        offsets.append(end)
        end += 1
    return offsets


def _of_words(tokens: Sequence[str], text: str) -> list[int]:
    lowered = text.lower()
    offsets = []
    end = 0
    for token in tokens:
        found = lowered.find(token, end, end + FURTHEST_CHARACTERS + len(token))
        offsets.append(end if found < 0 else found)
        end = end if found < 0 else found + len(token)
    return offsets


def _until(given: Logprobs, end: int) -> Logprobs:
    """Return the probabilities of the tokens that begin before the end of the text."""
    count = sum(offset < end for offset in given.text_offset)
    return Logprobs(
        tokens=given.tokens[:count],
        token_logprobs=given.token_logprobs[:count],
        top_logprobs=given.top_logprobs[:count],
        text_offset=given.text_offset[:count],
    )


def _joined(first: Logprobs, second: Logprobs) -> Logprobs:
    return Logprobs(
        tokens=first.tokens + second.tokens,
        token_logprobs=first.token_logprobs + second.token_logprobs,
        top_logprobs=first.top_logprobs + second.top_logprobs,
        text_offset=first.text_offset + second.text_offset,
    )


def usage_of(
    asked: CompletionRequest, prompts: Sequence[Prompt], answers: Sequence[Mapping[str, Any]]
) -> Usage:
    """Return the numbers of tokens that were read and made."""
    read = sum(len(prompt.tokens) for prompt in prompts)
    made = sum(
        len(continuation["predictions"])
        for answer in answers
        for continuation in answer.get("continuations") or [answer]
    )
    made *= asked.tokens > 0
    return Usage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made)


def about(answers: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return what is known of the answers besides their texts."""
    warnings = [warning for answer in answers for warning in answer["warnings"]]
    return {
        "system_fingerprint": f"{answers[0]['model']}@{answers[0]['version']}",
        "prediction_ids": [answer["id"] for answer in answers],
        "skill": answers[0]["skill"],
        "warnings": list(dict.fromkeys(warnings)),
    }
