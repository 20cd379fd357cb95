"""Predictions opened up, and how far back a version's memory reaches."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Path, Request, Response
from pydantic import ValidationError

from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.errors import Conflict, FieldError, Unavailable, Unprocessable
from app.explanations import series, text
from app.explanations.network_cache import OpenedVersions
from app.explanations.schemas import (
    SERIES_EXAMPLE,
    SERIES_ONLY,
    TEXT_EXAMPLE,
    TEXT_ONLY,
    EpochGradients,
    ExplainRequest,
    GradientsAnswer,
    LayerMemoryAnswer,
    SeriesExplanation,
    TextExplanation,
)
from app.explanations.statement import measured_on, reached, statement
from app.http.dependencies import CallerDep, SessionDep
from app.http.openapi import problem_responses
from app.http.problem_responses import DATABASE_AWAY, DATABASE_ERRORS, invalid_fields
from app.predictions import series as series_predictions
from app.predictions import text as text_predictions
from app.predictions.runtime import Loaded
from app.predictions.schemas import PredictRequest
from app.registry.references import MAX_NUMBER
from app.registry.store import get_live_version
from app.storage.resources import Resources

router = APIRouter(tags=["explanations"])


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """This domain's parts; kept in `app.state.explanations`."""

    opened: OpenedVersions
    # One at a time: computed in Python, two would only take each other's and predictions' time.
    turn: asyncio.Semaphore
    resources: Resources

    def explain(
        self, version: Loaded, request: ExplainRequest
    ) -> SeriesExplanation | TextExplanation:
        """Return the explanation of what a version would answer. Blocks.

        Raises:
            StepaheadError: there is none, and why.
        """
        try:
            opened = self.opened.get(version.model, version.number, version.manifest)
            if request.member > len(opened.networks):
                raise Unprocessable.at(
                    "member", f"is {request.member}; {version} has {len(opened.networks)}"
                )
            asked = _question(request)
            if version.tokenizer is not None:
                _refuse(version, request, SERIES_ONLY, takes="a text")
                return text.explain(
                    version, opened, request, question=text_predictions.ask(version, asked)
                )
            _refuse(version, request, TEXT_ONLY, takes="a series")
            if asked.dataset is not None:
                asked = series_predictions.with_stored_history(version, asked, self.resources)
            return series.explain(
                version,
                opened,
                request,
                question=series_predictions.ask(version, asked),
                asked=asked,
            )
        except DATABASE_ERRORS as error:
            raise Unavailable(DATABASE_AWAY) from error


@router.post(
    "/explain",
    summary="Open up a prediction",
    operation_id="explain",
    response_model=SeriesExplanation | TextExplanation,
    responses=problem_responses(400, 403, 404, 409, 413, 415, 422),
)
async def explain(
    question: Annotated[
        ExplainRequest,
        Body(
            openapi_examples={
                "series": {"summary": "why this price", "value": SERIES_EXAMPLE},
                "text": {"summary": "why this word", "value": TEXT_EXAMPLE},
            }
        ),
    ],
    request: Request,
    caller: CallerDep,
) -> Response:
    """What `POST /predict` would answer, computed again by hand with everything that happened.

    Per layer and step all gates and states; for each past step its influence on the prediction, by
    integrated gradients on the scaled window (for text, on the tokens' vectors), the anchor's part
    apart; for text also what was expected after every token. Nothing is logged.
    """
    parts: Explanations = request.app.state.explanations
    runtime = request.app.state.predictions.runtime
    reference = runtime.reference(question.model)
    caller.check_model(reference.name)
    version = runtime.ready(reference) or await runtime.load(reference)
    async with parts.turn:
        body = await asyncio.to_thread(_explained, parts, version, question)
    return Response(body, media_type="application/json")


@router.get(
    "/models/{name}/versions/{n}/gradients",
    summary="How far back a version's memory reaches",
    operation_id="get_gradients",
    responses=problem_responses(404, 409, 422),
)
def gradients(
    name: Annotated[str, Path(description="a model's name", examples=["google-stock"])],
    n: Annotated[int, Path(ge=1, le=MAX_NUMBER, description="a version", examples=[1])],
    session: SessionDep,
) -> GradientsAnswer:
    """The norm of the gradient, from the last step back through time, layer by layer.

    Measured when the version was trained, on its own judged rows, and kept in its scorecard. Where
    the norm falls to nothing, what happened earlier can neither be seen nor be learned from.
    """
    version = get_live_version(session, name, n)
    manifest = Manifest.model_validate_json(json.dumps(version.manifest))
    scorecard = Scorecard.model_validate_json(json.dumps(version.scorecard))
    memory = scorecard.memory
    if memory is None:
        raise Conflict(
            f"The memory of version {n} of {name!r} was not measured when it was trained: either "
            "its gradient is no finite number, or it is of an earlier Stepahead; train it again."
        )
    return GradientsAnswer(
        model=name,
        version=n,
        statement=statement(memory, manifest),
        measured_on=measured_on(scorecard, manifest),
        examples=memory.examples,
        steps=memory.steps,
        reached=reached(memory),
        layers=[
            LayerMemoryAnswer(layer=number, **layer.model_dump())
            for number, layer in enumerate(memory.layers)
        ],
        training=[
            EpochGradients(
                epoch=epoch.epoch,
                gradient_norm=epoch.gradient_norm,
                update_ratio=epoch.update_ratio,
            )
            for epoch in scorecard.epochs
            if epoch.gradient_norm is not None
        ],
    )


@asynccontextmanager
async def lifespan_of(app: FastAPI, resources: Resources) -> AsyncIterator[None]:
    """Yield what this domain keeps for as long as the app serves; after the predictions' own."""
    app.state.explanations = Explanations(
        opened=OpenedVersions(resources), turn=asyncio.Semaphore(1), resources=resources
    )
    yield


def _explained(parts: Explanations, version: Loaded, request: ExplainRequest) -> str:
    return parts.explain(version, request).model_dump_json()


def _question(request: ExplainRequest) -> PredictRequest:
    try:
        return request.question()
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error


def _refuse(
    version: Loaded, request: ExplainRequest, foreign: tuple[str, ...], *, takes: str
) -> None:
    found = [name for name in foreign if name in request.model_fields_set]
    if found:
        raise Unprocessable(
            f"{version} is a model of {takes}: it takes no {', '.join(found)}",
            errors=tuple(
                FieldError(field=name, message=f"does not go with {takes}") for name in found
            ),
        )
