"""`POST /predict` and `POST /predict/batch`.

The two POST calls are bare ASGI handlers that `app.gateway` calls without FastAPI's routing, which
takes longer than a small prediction. Their operations are declared on the router below for the
OpenAPI document.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Request, Response
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from app.deps import Resources
from app.errors import StepaheadError, Unavailable, UnsupportedMediaType
from app.gateway import DirectHandler
from app.large_bodies import LargeBodies
from app.observability import Metrics
from app.openapi import problem_responses
from app.predictions import series, text
from app.predictions.batching import Batcher, Question, Ticket
from app.predictions.log import PredictionLog, Refusal
from app.predictions.partition_keeper import PartitionKeeper
from app.predictions.runtime import Loaded, Runtime
from app.predictions.schemas import (
    SERIES_EXAMPLE,
    TEXT_EXAMPLE,
    BatchAnswer,
    BatchRequest,
    LooseBatchRequest,
    PredictRequest,
    SeriesAnswer,
    TextAnswer,
)
from app.problems import (
    DATABASE_AWAY,
    DATABASE_ERRORS,
    MEDIA_TYPE,
    invalid_fields,
    problem_bytes,
    problem_headers,
)

router = APIRouter(tags=["predictions"])

# Reading a text this long into tokens takes milliseconds: not on the event loop.
LONG_TEXT_CHARACTERS = 5_000
CLIENT_CLOSED = 499  # what proxies log when the caller went away; never sent
JSON_TYPE = b"application/json"

read_request = PredictRequest.__pydantic_validator__.validate_json
read_item = PredictRequest.__pydantic_validator__.validate_python
read_batch = BatchRequest.__pydantic_validator__.validate_json
read_loose_batch = LooseBatchRequest.__pydantic_validator__.validate_json


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """This domain's parts; kept in `app.state.predictions`."""

    runtime: Runtime
    batcher: Batcher
    log: PredictionLog
    resources: Resources
    large_bodies: LargeBodies = field(default_factory=LargeBodies)

    async def answer(self, request: PredictRequest, raw: bytes, request_id: str) -> bytes:
        """The answer's JSON; its row is committed when this returns.

        Raises:
            StepaheadError: there is no answer, and why.
        """
        asked = await self.ask(request, raw, request_id)
        del request  # its numbers as Python objects are five times the raw ones
        return await asked

    async def ask(
        self, request: PredictRequest, raw: bytes, request_id: str
    ) -> asyncio.Future[bytes]:
        """The same, without waiting for the answer: those asked in one turn are answered together.

        Raises:
            StepaheadError: there will be no answer, and why.
        """
        reference = self.runtime.reference(request.model)
        version = self.runtime.ready(reference) or await self.runtime.load(reference)
        question = await self._question(version, request)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.batcher.submit(
            version,
            Ticket(
                question=question,
                request_id=request_id,
                alias=reference.alias,
                series=request.series,
                request=raw,
                answer=answer,
            ),
        )
        return answer

    async def _question(self, version: Loaded, request: PredictRequest) -> Question:
        if version.tokenizer is None:
            if request.dataset is not None:
                request = await self._stored(version, request)
            return series.ask(version, request)
        if request.text is not None and len(request.text) > LONG_TEXT_CHARACTERS:
            return await asyncio.to_thread(text.ask, version, request)
        return text.ask(version, request)

    async def _stored(self, version: Loaded, request: PredictRequest) -> PredictRequest:
        try:
            return await asyncio.to_thread(
                series.with_stored_history, version, request, self.resources
            )
        except DATABASE_ERRORS as error:
            raise Unavailable(DATABASE_AWAY) from error


async def predict(scope: Scope, receive: Receive, send: Send) -> int:
    """`POST /predict`, bare: body, answer, bytes."""
    parts: Predictions = scope["app"].state.predictions
    body: bytes | None = b""
    try:
        body = await _body(parts, scope, receive)
        if body is None:
            return CLIENT_CLOSED
        answer = await parts.answer(_parsed(body), body, scope["request_id"])
    except StepaheadError as error:
        problem = problem_bytes(error)
        parts.log.refuse(
            Refusal(
                request_id=scope["request_id"],
                path=scope["path"],
                status=error.status,
                problem=problem,
                body=body or b"",
            )
        )
        return await _send(scope, send, error.status, problem, problem_headers(error))
    return await _send(scope, send, 200, answer, {})


async def predict_batch(scope: Scope, receive: Receive, send: Send) -> int:
    """`POST /predict/batch`, bare: items in, answers out in their order."""
    parts: Predictions = scope["app"].state.predictions
    try:
        body = await _body(parts, scope, receive)
        if body is None:
            return CLIENT_CLOSED
        items = _parsed_batch(body)
    except StepaheadError as error:
        return await _send(scope, send, error.status, problem_bytes(error), problem_headers(error))
    answers = await _answers(parts, items, scope)
    return await _send(scope, send, 200, b'{"items":[' + b",".join(answers) + b"]}", {})


# The gateway calls these without going through the router.
DIRECT: dict[tuple[str, str], DirectHandler] = {
    ("POST", "/predict"): predict,
    ("POST", "/predict/batch"): predict_batch,
}


def _parsed(body: bytes) -> PredictRequest:
    try:
        request: PredictRequest = read_request(body)
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    return request


Item = tuple[bytes, PredictRequest | StepaheadError]  # its JSON, and what it says


def _parsed_batch(body: bytes) -> list[Item]:
    """The items of a batch; a wrong one is its error."""
    try:
        batch: BatchRequest = read_batch(body)
    except ValidationError:
        return _parsed_loosely(body)
    return [(item.model_dump_json(exclude_unset=True).encode(), item) for item in batch.items]


def _parsed_loosely(body: bytes) -> list[Item]:
    try:
        batch: LooseBatchRequest = read_loose_batch(body)
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    items: list[Item] = []
    for given in batch.items:
        raw = to_json(given, inf_nan_mode="constants")
        try:
            items.append((raw, read_item(given)))
        except ValidationError as error:
            items.append((raw, invalid_fields(error.errors(include_url=False))))
    return items


async def _answers(parts: Predictions, items: list[Item], scope: Scope) -> list[bytes]:
    """The answer of each item, or its error; asked in one turn, so that they share runs."""
    asked: list[asyncio.Future[bytes] | StepaheadError] = []
    for raw, item in items:
        try:
            if isinstance(item, StepaheadError):
                raise item
            asked.append(await parts.ask(item, raw, scope["request_id"]))
        except StepaheadError as error:
            asked.append(error)
    await asyncio.gather(
        *(one for one in asked if isinstance(one, asyncio.Future)), return_exceptions=True
    )
    answers = []
    for (raw, _), one in zip(items, asked, strict=True):
        outcome = one if isinstance(one, StepaheadError) else one.exception() or one.result()
        if isinstance(outcome, StepaheadError):
            problem = problem_bytes(outcome)
            parts.log.refuse(
                Refusal(
                    request_id=scope["request_id"],
                    path=scope["path"],
                    status=outcome.status,
                    problem=problem,
                    body=raw,
                )
            )
            answers.append(b'{"error":' + problem + b"}")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            answers.append(outcome)
    return answers


async def _body(parts: Predictions, scope: Scope, receive: Receive) -> bytes | None:
    """The body; None if the caller went away.

    Raises:
        UnsupportedMediaType: it is announced as something else than JSON.
        TooLarge: over the limit.
        Unavailable: too many large ones are being read.
    """
    for name, value in scope["headers"]:
        if name == b"content-type" and not value.lower().startswith(JSON_TYPE):
            raise UnsupportedMediaType(
                f"the content type is {value.decode('latin-1')}; this call reads "
                "application/json (curl: -H 'Content-Type: application/json')"
            )
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    limit = parts.resources.settings.max_body_bytes
    return await parts.large_bodies.read(body, receive, limit_bytes=limit)


async def _send(scope: Scope, send: Send, status: int, body: bytes, headers: dict[str, str]) -> int:
    content_type = JSON_TYPE if status == 200 else MEDIA_TYPE.encode()  # noqa: PLR2004 - answered
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", b"%d" % len(body)),
                (b"x-request-id", scope["request_id"].encode()),
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
    return status


@router.post(
    "/predict",
    summary="Predict the next step",
    operation_id="predict",
    response_model=SeriesAnswer | TextAnswer,
    responses=problem_responses(400, 403, 404, 413, 415, 422),
)
async def predict_through_fastapi(
    question: Annotated[
        PredictRequest,
        Body(
            openapi_examples={
                "series": {"summary": "the next price", "value": SERIES_EXAMPLE},
                "text": {"summary": "the next word", "value": TEXT_EXAMPLE},
            }
        ),
    ],
    request: Request,
) -> Response:
    """The forecast of a series or the continuation of a text.

    Which fields belong to the request depends on the model's kind. A 200 means that the prediction
    is committed to the log under its `id`. `skill` tells how much better than the simple forecast
    this version was measured to be (below zero: worse), `warnings` what weakens this answer.
    """
    parts: Predictions = request.app.state.predictions
    raw = question.model_dump_json(exclude_unset=True).encode()
    answer = await parts.answer(question, raw, request.scope["request_id"])
    return Response(answer, media_type="application/json")


@router.post(
    "/predict/batch",
    summary="Predict many at once",
    operation_id="predict_batch",
    response_model=BatchAnswer,
    responses=problem_responses(400, 403, 413, 415, 422),
)
async def predict_batch_through_fastapi(
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
    request: Request,
) -> Response:
    """Up to 1,000 items, answered in order; one that fails is `{"error": problem}` in its place."""
    items: list[Item] = [
        (item.model_dump_json(exclude_unset=True).encode(), item) for item in batch.items
    ]
    answers = await _answers(request.app.state.predictions, items, request.scope)
    return Response(b'{"items":[' + b",".join(answers) + b"]}", media_type="application/json")


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Runtime, log and what keeps them up to date, for as long as the app serves."""
    metrics: Metrics = app.state.metrics
    prediction_log = PredictionLog(resources.database_url, metrics)
    runtime = Runtime(resources, metrics)
    batcher = Batcher(prediction_log, metrics)
    app.state.predictions = Predictions(
        runtime=runtime,
        batcher=batcher,
        log=prediction_log,
        resources=resources,
    )
    app.state.health.checks.append(runtime.not_ready)
    partitions = PartitionKeeper(resources)
    app.state.health.checks.append(partitions.not_ready)
    with suppress(Unavailable):  # the keepers go on trying, and /readyz says so
        await partitions.maintain()
        await runtime.refresh()
    keepers = [asyncio.create_task(runtime.watch()), asyncio.create_task(partitions.keep())]
    try:
        async with prediction_log.running():
            yield
            await batcher.drained()
    finally:
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        await runtime.rest()
        batcher.close()
