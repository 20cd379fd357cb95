"""Turn the events of `POST /predict` into the chunks of a completion that is streamed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from app.compat.completions.choices import (
    HeldBack,
    about,
    finish_of,
    logprobs_of,
    usage_of,
    without_second_space,
)
from app.compat.completions.prompts import Prompt
from app.compat.completions.schemas import Choice, Completion, CompletionRequest
from app.compat.streaming import ANSWER, Event

DONE = "data: [DONE]\n\n"


class Chunks:
    """The chunks of one answer.

    Args:
        asked: the request.
        prompts: its prompts.
        blank: an answer without choices.
        unit: of the version's tokenizer.
    """

    def __init__(
        self, asked: CompletionRequest, prompts: Sequence[Prompt], blank: Completion, unit: str
    ) -> None:
        self._asked = asked
        self._prompts = prompts
        self._blank = blank
        self._unit = unit
        choices = range(len(prompts) * asked.count)
        self._held = [HeldBack(asked.stops) for _ in choices]
        self._written = [0 for _ in choices]  # characters, held back ones included
        self._answers: list[Mapping[str, Any]] = []

    def beginning(self) -> Iterator[str]:
        """Yield the prompts if they are to be repeated."""
        if self._asked.echo:
            for index in range(len(self._held)):
                prompt = self._prompts[index // self._asked.count]
                yield self._chunk([Choice(index=index, text=prompt.text, finish_reason=None)])

    def of(self, event: Event) -> Iterator[str]:
        """Yield the chunks of an event."""
        if event.name == ANSWER:
            yield from self._finished(event)
        elif (chunk := self._token(event)) is not None:
            yield chunk

    def _token(self, event: Event) -> str | None:
        """Return the chunk of a token, or None if it stands after a stop."""
        index = event.item * self._asked.count + event.data.get("continuation", 1) - 1
        held, start = self._held[index], self._written[index]
        if held.is_stopped:
            return None
        prompt, piece = self._prompts[event.item], event.data["text"]
        if not start:
            piece = without_second_space(prompt.text, piece)
        self._written[index] = start + len(piece)
        text = held.add(piece)
        logprobs = None
        if self._asked.logprobs is not None:
            start += len(prompt.text) if self._asked.echo else 0
            logprobs = logprobs_of(
                [event.data], piece, self._asked.logprobs, start=start, unit=self._unit
            )
        elif not text:
            return None
        return self._chunk([Choice(index=index, text=text, logprobs=logprobs, finish_reason=None)])

    def _finished(self, event: Event) -> Iterator[str]:
        """Yield the last chunk of each continuation of a prompt, which is committed now."""
        self._answers.append(event.data)
        for place, continuation in enumerate(event.data.get("continuations") or [event.data]):
            index = event.item * self._asked.count + place
            held = self._held[index]
            finish = finish_of(continuation, is_stopped=held.is_stopped)
            choice = Choice(index=index, text=held.rest(), finish_reason=finish)
            yield self._chunk([choice], **about([event.data]))

    def ending(self) -> Iterator[str]:
        """Yield what follows the last choice."""
        options = self._asked.stream_options
        if options is not None and options.include_usage:
            yield self._chunk([], usage=usage_of(self._asked, self._prompts, self._answers))
        yield DONE

    def failed(self, error: Mapping[str, object]) -> str:
        """Return the event of an error after the first chunk; nothing follows it."""
        return _event(error)

    def _chunk(self, choices: Sequence[Choice], **others: object) -> str:
        return _event(self._blank.model_copy(update={"choices": choices, **others}))


def _event(data: object) -> str:
    return f"data: {to_json(data).decode()}\n\n"
