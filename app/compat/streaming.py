"""Ask for predictions whose tokens arrive one by one: as `POST /predict` does with `stream`."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json
from starlette.requests import Request

from app.compat.asking import error_of, not_over_http
from app.errors import StepaheadError
from app.http.direct_calls import Body, Call, DirectHandler, Whole

PREDICT = ("POST", "/predict")
TOKEN, ANSWER, ERROR = "", "answer", "error"  # names of the events of `POST /predict`


class Event(NamedTuple):
    """An event of one of several predictions."""

    item: int  # which prediction
    name: str  # TOKEN or ANSWER
    data: dict[str, Any]


class _Streamed(Call):
    """A prediction whose events go to a coroutine of this process."""

    def __init__(
        self,
        request: Request,
        body: bytes,
        item: int,
        events: "asyncio.Queue[Event | StepaheadError]",
    ) -> None:
        path = request.scope["path"]
        whole = Whole("POST", path, {}, body, not_over_http, is_gone=lambda: self.is_gone)
        super().__init__(whole, request.scope["request_id"], request.app.state.metrics)
        self.caller = request.scope["caller"]
        self.is_gone = False
        self._item = item
        self._events = events

    def answer_events(self) -> Body:
        return self

    def write(self, piece: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in piece.strip().split(b"\n"))
        data = from_json(fields[b"data"])
        name = fields.get(b"event", b"").decode()
        self._events.put_nowait(error_of(data) if name == ERROR else Event(self._item, name, data))

    def end(self) -> None:
        """Do nothing: the last event ends the prediction."""

    def end_events(self, body: Body, *, status: int = 200) -> None:
        """Do nothing: the client's own request is counted, not this one."""

    def refuse(self, error: StepaheadError) -> None:
        self._events.put_nowait(error)

    def abandon(self) -> None:
        """Do nothing: nobody waits for an answer."""


async def stream(request: Request, items: Sequence[Mapping[str, object]]) -> AsyncIterator[Event]:
    """Yield the events of several predictions as they arrive.

    The last event of each, `ANSWER`, is its whole answer, which is then committed to the log.
    The work ends soon after the iterator is closed.

    Args:
        request: the client's request, with its caller and request id.
        items: bodies of `POST /predict` without `stream`.

    Raises:
        StepaheadError: one of the predictions is refused or fails; the others end.
    """
    handler: DirectHandler = request.app.state.direct[PREDICT]
    events: asyncio.Queue[Event | StepaheadError] = asyncio.Queue()
    calls = [
        _Streamed(request, to_json({**item, "stream": True}), place, events)
        for place, item in enumerate(items)
    ]
    unanswered = len(calls)
    try:
        for call in calls:
            call.run(handler)
        while unanswered:
            event = await events.get()
            if isinstance(event, StepaheadError):
                raise event
            unanswered -= event.name == ANSWER
            yield event
    finally:
        for call in calls:
            call.is_gone = True
