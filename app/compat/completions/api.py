"""OpenAI's completions: `GET /v1/models` and `POST /v1/completions`."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path
from fastapi.responses import StreamingResponse
from starlette.requests import Request

from app.compat.asking import ask, error_of
from app.compat.completions.choices import about, choices_of, usage_of
from app.compat.completions.chunks import Chunks
from app.compat.completions.prompts import check, item_of, prompts_of, renamed, wrong
from app.compat.completions.schemas import (
    Completion,
    CompletionRequest,
    ModelEntry,
    ModelList,
    OpenAIError,
    OpenAIErrorDetail,
)
from app.compat.completions.tokens import tokenizer_of
from app.compat.streaming import Event, stream
from app.errors import InvalidRequest, StepaheadError
from app.http.dependencies import CallerDep, ListSessionDep
from app.http.openapi import error_responses
from app.registry.store import find_model, list_models
from app.storage.tables import Model

# Of errors; KServe's time series protocol, which has its own, lies below it.
PATH = "/v1/"
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
EVENTS = "text/event-stream"
# A last event may come seconds after the one before it, so nobody may collect them.
EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter(tags=["OpenAI completions"])


def error_form(error: StepaheadError) -> tuple[int, dict[str, object]]:
    """Return status and body of an error response; there is no 422 in this protocol."""
    fields = [place.field for place in error.errors if place.field is not None]
    status = InvalidRequest.status if error.status == 422 else error.status
    kind = "server_error" if status >= 500 else "invalid_request_error"
    described = OpenAIErrorDetail(
        message=error.detail,
        type="rate_limit_error" if status == 429 else kind,
        param=fields[0] if fields else None,
        code=CODES.get(status, error.slug.replace("-", "_")),
    )
    return status, OpenAIError(error=described).model_dump()


@router.get(
    "/v1/models",
    summary="List the models that continue texts",
    operation_id="openai_models",
    responses=error_responses(OpenAIError),
)
def models(session: ListSessionDep, caller: CallerDep) -> ModelList:
    """All that the key may use, by name."""
    rows = list_models(session, kind="text")
    allowed = [row for row in rows if caller.models is None or row.name in caller.models]
    return ModelList(data=[_entry(row) for row in allowed])


@router.get(
    "/v1/models/{model}",
    summary="Show a model that continues texts",
    operation_id="openai_model",
    responses={
        **error_responses(OpenAIError, 403, 404),
        "default": {"description": "Any other error", "model": OpenAIError},
    },
)
def model(
    session: ListSessionDep,
    model: Annotated[str, Path(description="a model's name", examples=["hello"])],
) -> ModelEntry:
    """Its name, and when it was made."""
    return _entry(find_model(session, model))


def _entry(row: Model) -> ModelEntry:
    return ModelEntry(id=row.name, created=int(row.created_at.timestamp()))


@router.post(
    "/v1/completions",
    summary="Continue texts",
    operation_id="openai_completions",
    response_model=Completion,
    responses={
        **error_responses(OpenAIError, 400, 403, 404, 413, 415),
        "default": {"description": "Any other error", "model": OpenAIError},
        200: {
            "description": "The continuations; with `stream`, events, each with a chunk of them",
            "content": {EVENTS: {}},
        },
    },
)
async def complete(
    request: Request, asked: Annotated[CompletionRequest, Body()]
) -> Completion | StreamingResponse:
    """Continue one text or several.

    A whole answer, and the chunk with `finish_reason` in a stream, mean that the predictions are
    committed to the log, one for each prompt; `prediction_ids` are their ids there. If one prompt
    fails, the call fails.
    """
    check(asked)
    tokenizer = await tokenizer_of(request, asked.model)
    prompts = await asyncio.to_thread(prompts_of, asked, tokenizer)
    items = [item_of(asked, prompt, tokenizer) for prompt in prompts]
    blank = Completion(
        id=f"cmpl-{request.scope['request_id']}",
        created=int(time.time()),
        model=asked.model,
        choices=[],
    )
    if asked.stream:
        chunks = Chunks(asked, prompts, blank, tokenizer.unit)
        return await _streamed(request, items, chunks)
    answers = await _answers(request, items)
    choices = [
        choice
        for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
        for choice in choices_of(
            asked, prompt, answer, first=place * asked.count, unit=tokenizer.unit
        )
    ]
    return blank.model_copy(
        update={
            "choices": choices,
            "usage": usage_of(asked, prompts, answers),
            **about(answers),
        }
    )


@router.post(
    "/v1/models/{model}/v1/completions", response_model=Completion, include_in_schema=False
)
async def complete_with(
    request: Request, model: str, asked: Annotated[CompletionRequest, Body()]
) -> Completion | StreamingResponse:
    """The same below a base address of the model's own, where its tokenizer is."""
    if asked.model != model:
        raise wrong("model", f"is {asked.model!r}, but the path is that of {model!r}")
    return await complete(request, asked)


async def _answers(request: Request, items: list[dict[str, object]]) -> list[dict[str, Any]]:
    """Return the answers for all prompts.

    Raises:
        StepaheadError: a prompt failed, or all of them together.
    """
    try:
        answers = await ask(request, items)
    except StepaheadError as error:
        raise renamed(error) from error
    for place, answer in enumerate(answers):
        if "error" in answer:
            raise renamed(error_of(answer["error"]), place if len(answers) > 1 else None)
    return answers


async def _streamed(
    request: Request, items: list[dict[str, object]], chunks: Chunks
) -> StreamingResponse:
    """Return a response that sends chunks; it begins with the first token.

    Raises:
        StepaheadError: a prompt is refused before that.
    """
    events = stream(request, items)
    try:
        first = await anext(events)
    except StepaheadError as error:
        raise renamed(error) from error
    return StreamingResponse(_sent(first, events, chunks), media_type=EVENTS, headers=EVENT_HEADERS)


async def _sent(first: Event, events: AsyncIterator[Event], chunks: Chunks) -> AsyncIterator[str]:
    for chunk in chunks.beginning():
        yield chunk
    try:
        for chunk in chunks.of(first):
            yield chunk
        async for event in events:
            for chunk in chunks.of(event):
                yield chunk
    except StepaheadError as error:
        yield chunks.failed(error_form(renamed(error))[1])
        return
    for chunk in chunks.ending():
        yield chunk
