"""How models do in use; a logged request asked again; models trained again by themselves."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Request

from app.deps import Resources, ResourcesDep, SessionDep
from app.errors import Conflict, StepaheadError
from app.monitoring.monitor import monitor
from app.monitoring.schemas import MonitorAnswer, ReplayAnswer, ReplayedAnswer, ReplayRequest
from app.openapi import problem_responses
from app.predictions.api import Predictions
from app.predictions.replay import answer_again
from app.predictions.schemas import LoggedPrediction, PredictRequest
from app.predictions.store import get_prediction
from app.registry.references import ModelReference, parse_reference
from app.registry.store import get_version

router = APIRouter(tags=["monitoring"])

ModelName = Annotated[str, Path(description="a model's name", examples=["google-stock"])]


@router.get(
    "/models/{name}/monitor",
    operation_id="monitor_model",
    summary="Show how a model does in use",
    responses=problem_responses(404, 422),
)
def monitor_model(
    name: ModelName,
    session: SessionDep,
    days: Annotated[int, Query(ge=1, le=3650, description="so many days, today included")] = 30,
) -> MonitorAnswer:
    """Live error and skill, coverage, drift and requests, by version and by day.

    Figures are of the day of the request and are kept when the log's days are dropped. A forecast
    counts once its actual is known, each as often as it was asked for. The alias `shadow` is shown
    beside what was served. Latencies are at `/metrics`.
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
) -> ReplayAnswer:
    """The request as it was logged, answered now; the log is not added to.

    A deleted version is a 409. A version that the request does not fit (a longer `min_history`,
    other columns) is a 422 that says so.
    """
    parts: Predictions = request.app.state.predictions
    original, asked, reference = await asyncio.to_thread(
        _look_up, resources, prediction_id, question
    )
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
                    f"{version.deleted_at:%Y-%m-%d}; it cannot answer any more."
                )
        original = LoggedPrediction.model_validate(row)
        return original, PredictRequest.model_validate(row.request), reference
