"""Answer `POST /predict`, from a call's bytes to a ticket and back to its answer.

It is a direct call (app.http.direct_calls), because FastAPI's routing takes longer than a small
prediction.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError

from app.access.allowance import PREDICTIONS
from app.errors import StepaheadError, Unavailable, UnsupportedMediaType
from app.http.caller import Caller
from app.http.direct_calls import JSON_TYPE, Call
from app.http.problem_responses import (
    DATABASE_AWAY,
    DATABASE_ERRORS,
    invalid_fields,
    problem_bytes,
)
from app.predictions.asking import question_of
from app.predictions.batching import LONG_SECONDS, Batcher, Ticket
from app.predictions.histories.stored import with_stored_history
from app.predictions.log import PredictionLog
from app.predictions.logged.rows import Refusal
from app.predictions.pricing import SMALL_BODY_BYTES, refuse_too_long, refuse_too_many_values
from app.predictions.questions import CallerGone, Question, Reply
from app.predictions.repeated_keys import refuse_repeated_keys
from app.predictions.runtime import Runtime
from app.predictions.schemas import PredictRequest
from app.predictions.texts.stream import TokenStream
from app.registry.references import ModelReference
from app.storage.resources import Resources

# Tokenizing a text of this length takes milliseconds, so it is not done on the event loop.
LONG_TEXT_CHARACTERS = 5_000

read_request = PredictRequest.__pydantic_validator__.validate_json


class Asked(NamedTuple):
    """A validated request, or an item of a batch, that is becoming a question."""

    request: PredictRequest
    raw: bytes  # the original JSON
    answer: Callable[[Reply], None]  # called once


class Predictions:
    """The parts of this domain; kept in `app.state.predictions`."""

    def __init__(
        self, runtime: Runtime, batcher: Batcher, log: PredictionLog, resources: Resources
    ) -> None:
        self.runtime = runtime
        self.batcher = batcher
        self.log = log
        self._resources = resources
        self._preparing: set[asyncio.Task[None]] = set()

    def predict(self, call: Call) -> None:
        """Answer `POST /predict`."""
        try:
            request = _read(call)
            let_ask(call.caller, [request.model])
            asked = Asked(request, call.request.body, partial(self.reply, call))
            if request.stream:
                self.finish_later(self._stream(call, asked), asked.answer)
                return
            ticket = self.ticket(call, asked, takes_time=_takes_time(request))
            if ticket is None:
                self.finish_later(self._prepare_and_submit(call, asked), asked.answer)
            else:
                self._submit(ticket)
        except StepaheadError as error:
            self.reply(call, error)

    def ticket(self, call: Call, asked: Asked, *, takes_time: bool) -> Ticket | None:
        """Return the ticket of a request, or None if it must be prepared first.

        Raises:
            Unprocessable: a field does not fit the version.
        """
        request = asked.request
        reference = self.runtime.reference(request.model)
        version = self.runtime.ready(reference)
        if version is None or takes_time:
            return None
        return _ticket_for(call, asked, reference, question_of(version, request))

    def _submit(self, ticket: Ticket) -> None:
        if ticket.question.seconds <= LONG_SECONDS:
            self.batcher.submit(ticket)
        else:
            refuse_too_long(ticket.question)
            self.batcher.submit_apart([ticket])

    async def _prepare_and_submit(self, call: Call, asked: Asked) -> None:
        self._submit(await self.prepared_ticket(call, asked))

    async def _stream(self, call: Call, asked: Asked) -> None:
        """Answer with events; a run of its own stops soon after its caller has disconnected."""
        ticket = await self.prepared_ticket(call, asked)
        events = TokenStream(call, asked.answer)
        question = events.listening(ticket.question)
        refuse_too_long(question)
        ticket = ticket._replace(question=question, answer=events.finish)
        self.batcher.submit_apart([ticket])

    async def prepared_ticket(self, call: Call, asked: Asked) -> Ticket:
        """Return the ticket of a request that takes time.

        Its version has to be loaded, or its dataset or long text has to be read.
        """
        request = asked.request
        reference = self.runtime.reference(request.model)
        version = self.runtime.ready(reference) or await self.runtime.load(reference)
        if request.dataset is not None and version.tokenizer is None:
            try:
                request = await asyncio.to_thread(
                    with_stored_history, version, request, self._resources
                )
            except DATABASE_ERRORS as error:
                raise Unavailable(DATABASE_AWAY) from error
        if call.request.is_gone():
            raise CallerGone
        question = await asyncio.to_thread(question_of, version, request)
        return _ticket_for(call, asked, reference, question)

    def finish_later(
        self, work: Coroutine[Any, Any, None], refuse: Callable[[BaseException], None]
    ) -> None:
        """Do slow work in a task; `refuse` is called with the error if it fails."""
        task = asyncio.create_task(work)
        self._preparing.add(task)
        task.add_done_callback(partial(self._finished, refuse))

    def _finished(self, refuse: Callable[[BaseException], None], task: asyncio.Task[None]) -> None:
        self._preparing.discard(task)
        error = Unavailable("ending") if task.cancelled() else task.exception()
        if error is not None:
            refuse(error)

    def reply(self, call: Call, reply: Reply) -> None:
        """Answer a call, or refuse it."""
        if isinstance(reply, bytes):
            call.answer(reply)
        elif isinstance(reply, StepaheadError):
            self.log_refusal(call, call.request.body, reply)
            call.refuse(reply)
        elif isinstance(reply, CallerGone):
            call.abandon()
        else:
            call.fail(reply)

    def log_refusal(self, call: Call, raw: bytes, error: StepaheadError) -> None:
        """Log a refused call, or a refused item of a batch."""
        self.log.refuse(
            Refusal(
                request_id=call.request_id,
                path=call.request.path,
                status=error.status,
                problem=problem_bytes(error),
                body=raw,
                key=call.caller.name,
            )
        )


def let_ask(caller: Caller, models: Sequence[str]) -> None:
    """Check that a caller may have this many predictions of these models.

    Raises:
        Forbidden: its key is not for one of them.
        TooManyRequests: its key has reached its limit for this minute.
    """
    if caller.models is not None:
        for name in {model.partition("@")[0] for model in models}:
            caller.check_model(name)
    caller.take(PREDICTIONS, len(models))


def _takes_time(request: PredictRequest) -> bool:
    return request.dataset is not None or (
        request.text is not None and len(request.text) > LONG_TEXT_CHARACTERS
    )


def _ticket_for(call: Call, asked: Asked, reference: ModelReference, question: Question) -> Ticket:
    return Ticket(
        question,
        call.request_id,
        reference.alias,
        asked.request.series,
        asked.raw,
        call.caller.name,
        asked.answer,
        call.request.is_gone,
    )


def check_body(call: Call) -> None:
    """Check the type of a body, and how much memory reading it takes.

    Raises:
        UnsupportedMediaType: it is not JSON.
        TooLarge: it contains too many values.
    """
    announced = call.request.headers.get(b"content-type", JSON_TYPE)
    if announced != JSON_TYPE and not announced.lower().startswith(JSON_TYPE):
        raise UnsupportedMediaType(
            f"the content type is {announced.decode('latin-1')}; this call reads "
            "application/json (curl: -H 'Content-Type: application/json')"
        )
    if len(call.request.body) > SMALL_BODY_BYTES:
        refuse_too_many_values(call.request.body)


def _read(call: Call) -> PredictRequest:
    """Return the validated request.

    Raises:
        StepaheadError: it is not valid; each wrong field is named.
    """
    check_body(call)
    body = call.request.body
    try:
        request: PredictRequest = read_request(body)
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    # Each field has a key, and `model` and `text` are strings. If these account for all quotation
    # marks, no key is repeated (app.predictions.repeated_keys).
    fields = request.model_fields_set
    strings = len(fields) + ("model" in fields) + (request.text is not None)
    if body.count(b'"') != 2 * strings:
        refuse_repeated_keys(body, request)
    return request
