"""Read the log: `GET /predictions`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import StreamingResponse

from app.http.dependencies import CallerDep, ListSessionDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById, id_key, read_paging
from app.predictions.logged.export import MEDIA_TYPES, ExportAnswer, Exports
from app.predictions.logged.schemas import ExportQuery, LoggedPrediction, LogQuery, RefusedAnswer
from app.predictions.logged.store import get_prediction, list_predictions, list_refused
from app.storage.resources import Resources

router = APIRouter(tags=["predictions"])


@router.get(
    "/predictions",
    summary="The log of answered requests",
    operation_id="list_predictions",
    responses=problem_responses(400, 422),
)
def predictions(
    session: ListSessionDep,
    caller: CallerDep,
    which: Annotated[LogQuery, Query()],
) -> Page[LoggedPrediction]:
    """Newest first, in pages; pass `next` as `cursor` for the following page."""
    caller.check_list(which.model)
    paging = read_paging(id_key, which.limit, which.cursor)
    rows = list_predictions(session, which, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda shown: [LoggedPrediction.model_validate(row) for row in shown])


@router.get(
    "/refused",
    summary="List refused predictions, newest first",
    operation_id="list_refused",
    responses=problem_responses(400, 403, 422),
)
def refused(
    session: ListSessionDep,
    paging: PagingById,
    status: Annotated[int | None, Query(ge=400, le=599, description="with this status")] = None,
    key: Annotated[
        str | None,
        Query(max_length=200, pattern=r"^[^\x00]*$", description="name of the caller's key"),
    ] = None,
) -> Page[RefusedAnswer]:
    """Show calls of `/predict` and `/predict/batch` that were not answered, and why.

    They are logged on a best-effort basis: under a flood, the oldest unwritten ones are dropped.
    Calls without a valid key are not logged.
    """
    rows = list_refused(session, status=status, key=key, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda shown: [RefusedAnswer.model_validate(row) for row in shown])


@router.get(
    "/predictions/export",
    summary="The log as a file",
    operation_id="export_predictions",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The file, oldest prediction first",
            "content": {
                media_type: {"schema": {"type": "string", "format": "binary"}}
                for media_type in MEDIA_TYPES.values()
            },
        },
        **problem_responses(422),
    },
)
async def export(
    request: Request, caller: CallerDep, query: Annotated[ExportQuery, Query()]
) -> ExportAnswer:
    """Return every prediction that matches the filter, as of now, in any number.

    Columns: id, created_at, request_id, model, version, alias, kind, series, request, response and
    key, the name of the caller's key. Request and response are JSON. In a CSV, text that a
    spreadsheet would run as a formula (`=…`) begins with an apostrophe; Parquet keeps it unchanged.
    The file is streamed, so an answer that breaks off is incomplete. 503: other exports are
    running.
    """
    caller.check_list(query.model)
    exports: Exports = request.app.state.exports
    return ExportAnswer(await exports.start(query), query.format)


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Run the exports, and end them with the app."""
    exports = Exports(resources.list_url)
    app.state.exports = exports
    try:
        yield
    finally:
        await exports.close()


@router.get(
    "/predictions/{prediction_id}",
    summary="One logged prediction",
    operation_id="get_prediction",
    responses=problem_responses(404, 422),
)
def prediction(session: SessionDep, caller: CallerDep, prediction_id: UUID) -> LoggedPrediction:
    """Contains request and response as they were."""
    found = get_prediction(session, prediction_id)
    caller.check_model(found.model)
    return LoggedPrediction.model_validate(found)
