"""Declare and answer `POST /predict` and `POST /predict/batch`.

Both are direct calls (app.http.direct_calls), which do not pass through FastAPI. The router below
declares them for the OpenAPI document.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI

from app.errors import Internal
from app.http.openapi import problem_responses
from app.predictions.batches.calls import BatchCalls
from app.predictions.batching import Batcher
from app.predictions.calls import Predictions
from app.predictions.log import PredictionLog
from app.predictions.runtime import Runtime
from app.predictions.schemas import (
    ANY_SERIES_EXAMPLE,
    SERIES_EXAMPLE,
    TEXT_EXAMPLE,
    BatchAnswer,
    BatchRequest,
    PredictRequest,
    SeriesAnswer,
)
from app.predictions.texts.answer import TextAnswer
from app.process.observability import Metrics
from app.storage.resources import Resources

router = APIRouter(tags=["predictions"])


@router.post(
    "/predict",
    summary="Predict the next step",
    operation_id="predict",
    response_model=SeriesAnswer | TextAnswer,
    responses={
        **problem_responses(400, 403, 404, 413, 415, 422),
        200: {
            "description": "The answer; with `stream`, events, of which the last is the answer",
            "content": {"text/event-stream": {}},
        },
    },
)
async def predict(
    question: Annotated[
        PredictRequest,
        Body(
            openapi_examples={
                "any series": {"summary": "without training", "value": ANY_SERIES_EXAMPLE},
                "series": {"summary": "the next price", "value": SERIES_EXAMPLE},
                "text": {"summary": "the next word", "value": TEXT_EXAMPLE},
            }
        ),
    ],
) -> None:
    """Forecast a series or continue a text.

    Without `model`, a series is forecast by `universal`, which needs no training: any history of 3
    values or more, any horizon.
    The model's kind decides which fields belong to the request. A 200 means that the prediction is
    committed to the log under its `id`. `skill` is how much better than the simple forecast this
    version was measured to be (below zero: worse); `warnings` says what weakens this answer.
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
    """Answers up to 1,000 items in order; one that fails becomes `{"error": problem}`."""
    raise Internal(f"{len(batch.items)} items were asked past the gateway")


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Run the runtime, the log and what keeps them up to date while the app serves."""
    metrics: Metrics = app.state.metrics
    prediction_log = PredictionLog(
        resources.database_url, metrics, api_processes=resources.settings.api_processes
    )
    app.state.health.checks.append(prediction_log.room.not_ready)
    runtime = Runtime(resources, metrics, app.state.registry_watch)
    batcher = Batcher(prediction_log, metrics)
    parts = Predictions(runtime, batcher, prediction_log, resources)
    app.state.predictions = parts
    app.state.direct["POST", "/predict"] = parts.predict
    app.state.direct["POST", "/predict/batch"] = BatchCalls(parts).predict_batch
    try:
        async with prediction_log.running():
            yield
            await batcher.drained()
    finally:
        await runtime.rest()
        batcher.close()
