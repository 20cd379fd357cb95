"""Answer a call with server-sent events: each token as it is chosen, then the whole answer.

A token is an event without a name. The last event is named `answer` and is what the call would have
answered without `stream`; it is sent once its row is committed. If that fails, the last event is
`error` with a problem, and nothing is logged.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from fastapi.sse import format_sse_event
from pydantic_core import to_json

from app.errors import StepaheadError, Unprocessable
from app.http.direct_calls import CALLER_GONE, Body, Call
from app.http.problem_responses import problem_bytes, unforeseen
from app.predictions.questions import CallerGone, Question, Reply
from app.predictions.text import TextQuestion, step_of
from app.predictions.texts.generation import Continuation

REPLACEMENT = "\ufffd"  # stands for bytes that are no character yet


class TokenStream:
    """The events of one call.

    Args:
        call: to be answered.
        refuse: answers with an error while no event was sent.
    """

    def __init__(self, call: Call, refuse: Callable[[Reply], None]) -> None:
        self._call = call
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._body: Body | None = None
        self._said: dict[int, int] = {}  # characters sent of each continuation

    def listening(self, question: Question) -> TextQuestion:
        """Return the question with every token sent to the caller.

        Raises:
            Unprocessable: it is not for a text.
        """
        if not isinstance(question, TextQuestion):
            raise Unprocessable.at("stream", "is for texts")
        return replace(question, listen=self._heard)

    def finish(self, reply: Reply) -> None:
        """Send the last event. The tokens before it may still wait in the event loop."""
        self._loop.call_soon(self._finish, reply)

    def _heard(self, continuation: Continuation) -> None:
        """Send the newest token; called in the thread that works."""
        question = continuation.wanted
        if not isinstance(question, TextQuestion) or question.version.tokenizer is None:
            raise TypeError("a stream without a text")
        tokenizer, place = question.version.tokenizer, len(continuation.chosen) - 1
        event = step_of(question, tokenizer, continuation, place)
        if question.count > 1:
            event["continuation"] = continuation.number + 1
        first = [question.ids[-1], *continuation.chosen]
        written = tokenizer.text(first).removeprefix(tokenizer.text(first[:1]))
        if not continuation.is_finished:
            written = written.rstrip(REPLACEMENT)
        event["text"] = written[self._said.get(continuation.number, 0) :]
        self._said[continuation.number] = len(written)
        self._loop.call_soon_threadsafe(self._send, format_sse_event(data_str=to_text(event)))

    def _send(self, event: bytes) -> None:
        if self._body is None:
            self._body = self._call.answer_events()
        self._body.write(event)

    def _finish(self, reply: Reply) -> None:
        if isinstance(reply, CallerGone):
            if self._body is None:
                self._refuse(reply)
            else:
                self._call.end_events(self._body, status=CALLER_GONE)
        elif isinstance(reply, bytes):
            self._end("answer", reply.decode())
        elif self._body is None:
            self._refuse(reply)
        else:
            error = (
                reply
                if isinstance(reply, StepaheadError)
                else unforeseen(reply, self._call.request_id)
            )
            self._end("error", problem_bytes(error).decode(), status=error.status)

    def _end(self, name: str, data: str, *, status: int = 200) -> None:
        self._send(format_sse_event(event=name, data_str=data))
        if self._body is not None:
            self._call.end_events(self._body, status=status)


def to_text(event: dict[str, object]) -> str:
    """Return an event's JSON."""
    return to_json(event).decode()
