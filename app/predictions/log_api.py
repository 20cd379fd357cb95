"""`GET /predictions`: the log, read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from app.deps import SessionDep
from app.openapi import problem_responses
from app.paging import Page, cut_page, id_key_of
from app.predictions.schemas import LoggedPrediction, LogQuery
from app.predictions.store import get_prediction, list_predictions

router = APIRouter(tags=["predictions"])


@router.get(
    "/predictions",
    summary="The log of answered requests",
    operation_id="list_predictions",
    responses=problem_responses(400, 422),
)
def predictions(
    session: SessionDep,
    which: Annotated[LogQuery, Query()],
) -> Page[LoggedPrediction]:
    """Newest first, in pages; `next` goes into `cursor` for the page after this one."""
    rows = list_predictions(session, which, limit=which.limit + 1, before=id_key_of(which.cursor))
    page, following = cut_page(rows, limit=which.limit, key=lambda row: row.id)
    items = [LoggedPrediction.model_validate(row) for row in page]
    return Page[LoggedPrediction](items=items, next=following)


@router.get(
    "/predictions/{prediction_id}",
    summary="One logged prediction",
    operation_id="get_prediction",
    responses=problem_responses(404, 422),
)
def prediction(session: SessionDep, prediction_id: UUID) -> LoggedPrediction:
    """Request and response as they were."""
    return LoggedPrediction.model_validate(get_prediction(session, prediction_id))
