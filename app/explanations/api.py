"""Explain predictions, and show how far back a version's memory reaches."""

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
from app.explanations import series, text, universal
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
from app.predictions.histories.stored import with_stored_history
from app.predictions.loaded import Loaded
from app.predictions.schemas import PredictRequest
from app.predictions.universal import asking as any_series
from app.registry.references import MAX_NUMBER
from app.registry.store import get_live_version
from app.storage.resources import Resources

router = APIRouter(tags=["explanations"])


@dataclass(frozen=True, kw_only=True)
class Explanations:
    """The parts of this domain, in `app.state.explanations`."""

    opened: OpenedVersions
    # One at a time: it runs in Python, so two would only slow down each other and predictions.
    turn: asyncio.Semaphore
    resources: Resources

    def explain(
        self, version: Loaded, request: ExplainRequest
    ) -> SeriesExplanation | TextExplanation:
        """Explain what a version would answer. Blocks.

        Raises:
            StepaheadError: it cannot be explained; the error says why.
        """
        described = version.manifest.series
        try:
            if described is not None and described.periods:
                return self._of_any_series(version, request)
            opened = self.opened.get(version.model, version.number, version.manifest)
            if request.member > len(opened.networks):
                raise Unprocessable.at(
                    "member", f"is {request.member}, but {version} has {len(opened.networks)}"
                )
            asked = _question(request)
            if version.tokenizer is not None:
                _refuse(version, request, SERIES_ONLY, takes="a text")
                return text.explain(
                    version, opened, request, question=text_predictions.ask(version, asked)
                )
            _refuse(version, request, TEXT_ONLY, takes="a series")
            if asked.dataset is not None:
                asked = with_stored_history(version, asked, self.resources)
            return series.explain(
                version,
                opened,
                request,
                question=series_predictions.ask(version, asked),
                asked=asked,
            )
        except DATABASE_ERRORS as error:
            raise Unavailable(DATABASE_AWAY) from error

    def _of_any_series(self, version: Loaded, request: ExplainRequest) -> SeriesExplanation:
        """Explain what `universal` would answer."""
        _refuse(version, request, TEXT_ONLY, takes="a series")
        asked = _question(request)
        if asked.dataset is not None:
            asked = with_stored_history(version, asked, self.resources)
        question = any_series.ask(version, asked)
        return universal.explain(version, request, question=question, asked=asked)


@router.post(
    "/explain",
    summary="Explain a prediction",
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
    """Compute the answer of `POST /predict` step by step, and show everything that happened.

    The answer has all gates and states per layer and step; the influence of each past step on the
    prediction, by integrated gradients on the scaled window (for texts, on the vectors of the
    tokens); the anchor's part separately; and for texts the expected tokens after every token.
    Nothing is logged.
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
    summary="Show how far back a version's memory reaches",
    operation_id="get_gradients",
    responses=problem_responses(404, 409, 422),
)
def gradients(
    name: Annotated[str, Path(description="a model's name", examples=["google-stock"])],
    n: Annotated[int, Path(ge=1, le=MAX_NUMBER, description="a version", examples=[1])],
    session: SessionDep,
) -> GradientsAnswer:
    """Show the norm of the gradient, from the last step back through time, layer by layer.

    It was measured on the version's own judged rows when it was trained, and is kept in its
    scorecard. Where the norm falls to zero, earlier inputs can neither be seen nor be learned from.
    """
    version = get_live_version(session, name, n)
    manifest = Manifest.model_validate_json(json.dumps(version.manifest))
    scorecard = Scorecard.model_validate_json(json.dumps(version.scorecard))
    memory = scorecard.memory
    if memory is None:
        raise Conflict(
            f"The memory of version {n} of {name!r} was not measured when it was trained: either "
            "its gradient is not a finite number, or an older Stepahead trained it. Train it "
            "again."
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
    """Provide this domain's parts as long as the app serves, after those of the predictions."""
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
            f"{version} is a model for {takes}; it does not take {', '.join(found)}",
            errors=tuple(
                FieldError(field=name, message=f"does not apply to {takes}") for name in found
            ),
        )
