"""`POST /predict` and `POST /predict/batch`.

Both are direct calls (app.http.direct_calls): FastAPI's routing takes longer than a small
prediction. Their operations are declared on the router below for the OpenAPI document.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI
from pydantic import ValidationError

from app.access.allowance import PREDICTIONS
from app.errors import (
    Internal,
    StepaheadError,
    Unavailable,
    Unprocessable,
    UnsupportedMediaType,
)
from app.http.caller import Caller
from app.http.direct_calls import JSON_TYPE, Call
from app.http.openapi import problem_responses
from app.http.problem_responses import (
    DATABASE_AWAY,
    DATABASE_ERRORS,
    invalid_fields,
    problem_bytes,
    unforeseen,
)
from app.predictions import series, text, uniform_batches
from app.predictions.batch_items import read_items
from app.predictions.batching import Batcher, Question, Reply, Ticket
from app.predictions.log import PredictionLog, Refusal
from app.predictions.repeated_keys import may_have_repeated_keys, refuse_repeated_keys
from app.predictions.runtime import Loaded, Runtime
from app.predictions.schemas import (
    SERIES_EXAMPLE,
    TEXT_EXAMPLE,
    BatchAnswer,
    BatchRequest,
    PredictRequest,
    SeriesAnswer,
    TextAnswer,
)
from app.process.observability import Metrics
from app.registry.references import ModelReference
from app.storage.resources import Resources

router = APIRouter(tags=["predictions"])

# Reading a text this long into tokens takes milliseconds: not on the event loop.
LONG_TEXT_CHARACTERS = 5_000

read_request = PredictRequest.__pydantic_validator__.validate_json


class Predictions:
    """This domain's parts; kept in `app.state.predictions`."""

    def __init__(
        self, runtime: Runtime, batcher: Batcher, log: PredictionLog, resources: Resources
    ) -> None:
        self.runtime = runtime
        self.batcher = batcher
        self.log = log
        self._resources = resources
        self._preparing: set[asyncio.Task[None]] = set()

    def predict(self, call: Call) -> None:
        """`POST /predict`: from its bytes to a ticket, which the batcher has answered."""
        try:
            request = _parsed(call)
            _let_ask(call.caller, [request.model])
        except StepaheadError as error:
            self._reply(call, error)
        else:
            self._ask(request, call.request.body, call.request_id, partial(self._reply, call))

    def predict_batch(self, call: Call) -> None:
        """`POST /predict/batch`: items in, answers out in their order."""
        try:
            _check_type(call)
            if self._ask_block(call):
                return
            items = read_items(call.request.body)
            _let_ask(
                call.caller,
                [item.model for _, item in items if isinstance(item, PredictRequest)],
            )
        except StepaheadError as error:
            self._reply(call, error)
            return
        requests = [request for request, _ in items]
        replies: list[Reply] = [b""] * len(items)
        missing = len(items)

        def put(place: int, reply: Reply) -> None:
            nonlocal missing
            replies[place] = reply
            missing -= 1
            if not missing:
                self._reply_to_items(call, requests, replies)

        for place, (request, item) in enumerate(items):
            if isinstance(item, StepaheadError):
                put(place, item)
            else:
                self._ask(item, request, call.request_id, partial(put, place))

    def _ask_block(self, call: Call) -> bool:
        """Have a batch of questions that are alike answered as a whole; False of any other."""
        found = uniform_batches.alike_items(call.request.body)
        if found is None:
            return False
        items, requests = found
        _let_ask(call.caller, [item["model"] for item in items])
        try:
            reference = self.runtime.reference(items[0]["model"])
        except Unprocessable:  # as each of them is told
            return False
        version = self.runtime.ready(reference)
        if version is None or not uniform_batches.fits(version, items):
            return False
        block = uniform_batches.Block(
            version,
            items,
            requests,
            request_id=call.request_id,
            alias=reference.alias,
            answer=partial(self._reply_to_items, call, requests),
        )
        self.batcher.submit_run(block)
        return True

    def _ask(
        self,
        request: PredictRequest,
        raw: bytes,
        request_id: str,
        answer: Callable[[Reply], None],
    ) -> None:
        """Have `answer` called with an answer's JSON once its row is committed, or with an error.

        What is asked in one turn of the event loop is answered together.
        """
        try:
            reference = self.runtime.reference(request.model)
            about = request_id, reference.alias, request.series, raw, answer
            version = self.runtime.ready(reference)
            if version is not None and not _takes_time(request):
                self.batcher.submit(version, Ticket(_question(version, request), *about))
                return
        except StepaheadError as error:
            answer(error)
            return

        def ticket(question: Question) -> Ticket:
            return Ticket(question, *about)

        task = asyncio.create_task(self._prepare(reference, request, ticket))
        self._preparing.add(task)
        task.add_done_callback(partial(self._prepared, answer))

    async def _prepare(
        self,
        reference: ModelReference,
        request: PredictRequest,
        ticket: Callable[[Question], Ticket],
    ) -> None:
        """The same for what takes time: a version to load, a dataset or a long text to read."""
        version = self.runtime.ready(reference) or await self.runtime.load(reference)
        if request.dataset is not None and version.tokenizer is None:
            try:
                request = await asyncio.to_thread(
                    series.with_stored_history, version, request, self._resources
                )
            except DATABASE_ERRORS as error:
                raise Unavailable(DATABASE_AWAY) from error
        question = await asyncio.to_thread(_question, version, request)
        self.batcher.submit(version, ticket(question))

    def _prepared(self, answer: Callable[[Reply], None], task: asyncio.Task[None]) -> None:
        self._preparing.discard(task)
        error = Unavailable("ending") if task.cancelled() else task.exception()
        if error is not None:
            answer(error)

    def _reply(self, call: Call, reply: Reply) -> None:
        if isinstance(reply, bytes):
            call.answer(reply)
        elif isinstance(reply, StepaheadError):
            self._log_refusal(call, call.request.body, reply)
            call.refuse(reply)
        else:
            call.fail(reply)

    def _reply_to_items(
        self, call: Call, requests: Sequence[bytes], replies: Sequence[Reply]
    ) -> None:
        answers = [
            reply if isinstance(reply, bytes) else self._wrong_item(call, request, reply)
            for request, reply in zip(requests, replies, strict=True)
        ]
        call.answer(b'{"items":[' + b",".join(answers) + b"]}")

    def _wrong_item(self, call: Call, raw: bytes, error: BaseException) -> bytes:
        """An error as it stands in the answer to a batch."""
        if not isinstance(error, StepaheadError):
            error = unforeseen(error, call.request_id)
        self._log_refusal(call, raw, error)
        return b'{"error":' + problem_bytes(error) + b"}"

    def _log_refusal(self, call: Call, raw: bytes, error: StepaheadError) -> None:
        self.log.refuse(
            Refusal(
                request_id=call.request_id,
                path=call.request.path,
                status=error.status,
                problem=problem_bytes(error),
                body=raw,
            )
        )


def _let_ask(caller: Caller, models: Sequence[str]) -> None:
    """Let a caller have as many predictions of these models.

    Raises:
        Forbidden: its key is not for one of them.
        TooManyRequests: its key has had too many in this minute.
    """
    if caller.models is not None:
        for name in {model.partition("@")[0] for model in models}:
            caller.check_model(name)
    caller.take(PREDICTIONS, len(models))


def _takes_time(request: PredictRequest) -> bool:
    return request.dataset is not None or (
        request.text is not None and len(request.text) > LONG_TEXT_CHARACTERS
    )


def _question(version: Loaded, request: PredictRequest) -> Question:
    """What the request asks of this version.

    Raises:
        Unprocessable: a field does not fit the version.
    """
    return series.ask(version, request) if version.tokenizer is None else text.ask(version, request)


def _check_type(call: Call) -> None:
    announced = call.request.headers.get(b"content-type", JSON_TYPE)
    if not announced.lower().startswith(JSON_TYPE):
        raise UnsupportedMediaType(
            f"the content type is {announced.decode('latin-1')}; this call reads "
            "application/json (curl: -H 'Content-Type: application/json')"
        )


def _parsed(call: Call) -> PredictRequest:
    _check_type(call)
    body = call.request.body
    try:
        request: PredictRequest = read_request(body)
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    if may_have_repeated_keys(body, request):
        refuse_repeated_keys(body)
    return request


@router.post(
    "/predict",
    summary="Predict the next step",
    operation_id="predict",
    response_model=SeriesAnswer | TextAnswer,
    responses=problem_responses(400, 403, 404, 413, 415, 422),
)
async def predict(
    question: Annotated[
        PredictRequest,
        Body(
            openapi_examples={
                "series": {"summary": "the next price", "value": SERIES_EXAMPLE},
                "text": {"summary": "the next word", "value": TEXT_EXAMPLE},
            }
        ),
    ],
) -> None:
    """The forecast of a series or the continuation of a text.

    Which fields belong to the request depends on the model's kind. A 200 means that the prediction
    is committed to the log under its `id`. `skill` tells how much better than the simple forecast
    this version was measured to be (below zero: worse), `warnings` what weakens this answer.
    """
    raise Internal(f"{question.model} was asked past the gateway")


@router.post(
    "/predict/batch",
    summary="Predict many at once",
    operation_id="predict_batch",
    response_model=BatchAnswer,
    responses=problem_responses(400, 403, 413, 415, 422),
)
async def predict_batch(
    batch: Annotated[
        BatchRequest,
        Body(
            openapi_examples={
                "both": {
                    "summary": "a series and a text",
                    "value": {"items": [SERIES_EXAMPLE, TEXT_EXAMPLE]},
                }
            }
        ),
    ],
) -> None:
    """Up to 1,000 items, answered in order; one that fails is `{"error": problem}` in its place."""
    raise Internal(f"{len(batch.items)} items were asked past the gateway")


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Runtime, log and what keeps them up to date, for as long as the app serves."""
    metrics: Metrics = app.state.metrics
    prediction_log = PredictionLog(
        resources.database_url, metrics, api_processes=resources.settings.api_processes
    )
    runtime = Runtime(resources, metrics, app.state.registry_watch)
    batcher = Batcher(prediction_log, metrics)
    parts = Predictions(runtime, batcher, prediction_log, resources)
    app.state.predictions = parts
    app.state.direct["POST", "/predict"] = parts.predict
    app.state.direct["POST", "/predict/batch"] = parts.predict_batch
    try:
        async with prediction_log.running():
            yield
            await batcher.drained()
    finally:
        await runtime.rest()
        batcher.close()
