"""How models perform in use, replays of logged requests, and automatic retraining."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request, status

from app.errors import Conflict, StepaheadError, Unprocessable
from app.http.dependencies import CallerDep, ListSessionDep, ResourcesDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.monitoring.monitor import NO_INTERVALS, monitor
from app.monitoring.retraining import store
from app.monitoring.retraining.cron import checked, next_time
from app.monitoring.schemas import (
    MonitorAnswer,
    ReplayAnswer,
    ReplayedAnswer,
    ReplayRequest,
    RetrainingAnswer,
    ScheduleAnswer,
    ScheduleRequest,
)
from app.predictions.calls import Predictions
from app.predictions.logged.schemas import LoggedPrediction
from app.predictions.logged.store import get_prediction
from app.predictions.replay import answer_again
from app.predictions.schemas import PredictRequest
from app.registry.references import ModelReference, parse_reference
from app.registry.store import find_model, get_version
from app.storage.resources import Resources

router = APIRouter(tags=["monitoring"])

ModelName = Annotated[str, Path(description="a model's name", examples=["google-stock"])]


@router.get(
    "/models/{name}/monitor",
    operation_id="monitor_model",
    summary="Show how a model performs in use",
    responses=problem_responses(404, 422),
)
def monitor_model(
    name: ModelName,
    session: SessionDep,
    days: Annotated[int, Query(ge=1, le=3650, description="number of days, including today")] = 30,
) -> MonitorAnswer:
    """Show live error and skill, coverage, drift and requests, by version and by day.

    For a model of texts, show bits per character, beside those of the n-gram, of the texts that
    really followed the prompts.

    Figures belong to the day of the request and remain when the days of the log are dropped. A
    forecast counts once its actual is known, as many times as it was requested. The alias `shadow`
    is shown beside the served version. Latencies by version, since each process started, are at
    `/metrics`.
    """
    return monitor(session, name, datetime.now(UTC).date() - timedelta(days=days - 1))


@router.post(
    "/predictions/{prediction_id}/replay",
    operation_id="replay_prediction",
    summary="Answer a logged request again, with another version",
    responses=problem_responses(400, 403, 404, 409, 415, 422),
)
async def replay_prediction(
    prediction_id: Annotated[UUID, Path(description="a prediction's id")],
    question: Annotated[
        ReplayRequest,
        Body(
            openapi_examples={
                "version": {"summary": "of the same model", "value": {"version": 1}},
                "reference": {"summary": "by name", "value": {"model": "google-stock@champion"}},
            }
        ),
    ],
    request: Request,
    resources: ResourcesDep,
    caller: CallerDep,
) -> ReplayAnswer:
    """Answer the request as it was logged; the replay is not logged.

    A deleted version is a 409. A version that the request does not fit (longer `min_history`, other
    columns) is a 422 that says so.
    """
    parts: Predictions = request.app.state.predictions
    original, asked, reference = await asyncio.to_thread(
        _look_up, resources, prediction_id, question
    )
    for model in (original.model, reference.name):
        caller.check_model(model)
    version = parts.runtime.ready(reference) or await parts.runtime.load(reference)
    (outcome,) = await asyncio.to_thread(answer_again, version, [asked], resources)
    if isinstance(outcome, StepaheadError):
        raise outcome
    replayed = {
        "model": version.model,
        "version": version.number,
        "kind": version.manifest.kind,
        **outcome,
    }
    return ReplayAnswer(original=original, replay=ReplayedAnswer.model_validate(replayed))


@router.put(
    "/models/{name}/schedule",
    operation_id="put_schedule",
    summary="Schedule automatic retraining of a model",
    responses=problem_responses(400, 403, 404, 409, 415, 422),
)
def put_schedule(
    name: ModelName,
    request: Annotated[
        ScheduleRequest,
        Body(
            openapi_examples={
                "weekly": {"summary": "Mondays at 3:00 UTC", "value": {"cron": "0 3 * * 1"}},
                "thresholds": {
                    "summary": "when it is worse than persistence",
                    "value": {"thresholds": {"skill_below": 0.0, "forecasts": 50, "days": 7}},
                },
            }
        ),
    ],
    session: SessionDep,
) -> ScheduleAnswer:
    """Retrain the model on a schedule, when live figures of the champion pass a threshold, or both.

    The champion's recipe is trained on the dataset of its newest version, extended by later actuals
    if the target is its only input. The result is promoted, or not, like any other version.
    Thresholds are checked every hour. For a model of texts, a passed threshold is recorded as a
    decision not to train, because its text is the same as before; `cron` trains on it again.

    409: no version of the model was trained on a dataset that is stored here.
    """
    off_by = None if request.thresholds is None else request.thresholds.coverage_off_by
    if off_by is not None and find_model(session, name).kind == "text":
        raise Unprocessable.at("thresholds.coverage_off_by", f"{name!r}: {NO_INTERVALS}")
    now = datetime.now(UTC)
    cron = None if request.cron is None else checked(request.cron, now)
    store.check_can_retrain(session, name)
    schedule = store.put_schedule(
        session,
        name,
        cron=cron,
        next_at=None if cron is None else next_time(cron, now),
        thresholds=None if request.thresholds is None else request.thresholds.model_dump(),
    )
    return ScheduleAnswer.of(schedule)


@router.get(
    "/models/{name}/schedule",
    operation_id="get_schedule",
    summary="Show a model's schedule for automatic retraining",
    responses=problem_responses(404, 422),
)
def get_schedule(name: ModelName, session: SessionDep) -> ScheduleAnswer | None:
    """Show the schedule; null if the model is not retrained automatically."""
    schedule = store.find_schedule(session, name)
    return None if schedule is None else ScheduleAnswer.of(schedule)


@router.delete(
    "/models/{name}/schedule",
    operation_id="delete_schedule",
    summary="Stop the automatic retraining of a model",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(403, 404, 422),
)
def delete_schedule(name: ModelName, session: SessionDep) -> None:
    """Delete the schedule; its decisions so far remain."""
    store.delete_schedule(session, name)


@router.get(
    "/models/{name}/decisions",
    operation_id="list_decisions",
    summary="List the decisions about retraining a model, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_decisions(
    name: ModelName, session: ListSessionDep, paging: PagingById
) -> Page[RetrainingAnswer]:
    """Show decisions with their reasons and figures.

    A schedule makes one each time it is due; thresholds make one whenever their figures have
    changed.
    """
    find_model(session, name)
    rows = store.list_decisions(session, name, before=paging.start, limit=paging.rows)
    return paging.page(
        rows, lambda decisions: [RetrainingAnswer.of(decision) for decision in decisions]
    )


def _look_up(
    resources: Resources, prediction_id: UUID, question: ReplayRequest
) -> tuple[LoggedPrediction, PredictRequest, ModelReference]:
    with resources.sessions.begin() as session:
        row = get_prediction(session, prediction_id)
        reference = (
            ModelReference(name=row.model, alias=None, number=question.version)
            if question.model is None
            else parse_reference(question.model)
        )
        if reference.number is not None:
            version = get_version(session, reference.name, reference.number)
            if version.deleted_at is not None:
                raise Conflict(
                    f"Version {version.number} of {version.model!r} was deleted on "
                    f"{version.deleted_at:%Y-%m-%d}, so it cannot answer any more."
                )
        original = LoggedPrediction.model_validate(row)
        return original, PredictRequest.model_validate(row.request), reference
