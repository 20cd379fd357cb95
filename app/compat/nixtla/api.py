"""The calls of Nixtla's client: forecasts and cross-validation of many series at once."""

import asyncio
from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from fastapi.routing import APIRoute
from starlette.requests import Request

from app.artifact.manifest import SeriesInput
from app.compat.asking import ask, error_of, version_of
from app.compat.compression import decompressed
from app.compat.nixtla.schemas import (
    Asked,
    CrossValidation,
    CrossValidationRequest,
    Forecast,
    ForecastRequest,
    ModelName,
    ModelNames,
    NixtlaError,
    Parameters,
    ParametersAnswer,
    Validity,
)
from app.compat.nixtla.series import (
    Answer,
    Origin,
    bounds_of,
    columns_of,
    ends_of,
    item_of,
    origins_of,
    warnings_of,
)
from app.errors import InvalidRequest, StepaheadError, Unprocessable
from app.http.dependencies import CallerDep, ListSessionDep, get_resources
from app.http.openapi import error_responses
from app.predictions.loaded import Loaded
from app.predictions.pricing import refuse_too_many_values
from app.predictions.schemas import MAX_ITEMS
from app.registry.references import UNIVERSAL
from app.registry.store import list_models

PATHS = (
    "/model_params/",
    "/validate_api_key/",
    "/v2/forecast/",
    "/v2/cross_validation/",
    "/v2/finetune/",
)
HOSTED = "timegpt"  # what the names of Nixtla's own models begin with
MAX_FORECASTS = 10_000
MAX_BATCH_VALUES = 200_000  # of one batch, below what a request may have
OF_SERIES = error_responses(NixtlaError, 400, 403, 404, 413, 415, 422)


class CompressedRequest(Request):
    """A request whose body may be compressed; the client compresses those over 1 MB."""

    async def body(self) -> bytes:
        """Return the body as it was before it was compressed."""
        if not hasattr(self, "_plain"):
            limit = get_resources(self).settings.max_body_bytes
            self._plain = await asyncio.to_thread(
                _read, await super().body(), self.headers.get("Content-Encoding", ""), limit
            )
        return self._plain


class CompressedRoute(APIRoute):
    """A route for such requests."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return what handles a request."""
        handle = super().get_route_handler()

        async def decompress(request: Request) -> Response:
            given = CompressedRequest(request.scope, request.receive)
            await given.body()  # FastAPI would not tell what is wrong with it
            answer: Response = await handle(given)
            return answer

        return decompress


router = APIRouter(tags=["Nixtla"], route_class=CompressedRoute)


def _read(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    plain = decompressed(body, encoding, limit_bytes=limit_bytes)
    refuse_too_many_values(plain)
    return plain


def error_form(error: StepaheadError) -> tuple[int, dict[str, object]]:
    """Return status and body of an error response."""
    return error.status, NixtlaError(detail=error.detail).model_dump()


@router.get(
    "/validate_api_key",
    summary="Check a key",
    operation_id="nixtla_key",
    responses=error_responses(NixtlaError),
)
async def validate_api_key(caller: CallerDep) -> Validity:
    """A 401 if the service requires a key and this is none."""
    return Validity(detail=f"valid, with the scope {caller.scope}")


@router.get(
    "/model_params",
    summary="Show what a model reads and forecasts",
    operation_id="nixtla_parameters",
    responses=error_responses(NixtlaError, 400, 403, 404, 422),
)
async def model_params(
    request: Request,
    model: Annotated[str, Query(max_length=220, examples=["timegpt-2.1"])],
    freq: Annotated[str | None, Query(max_length=40, description="accepted and ignored")] = None,
) -> ParametersAnswer:
    """The most rows that a version reads, and the steps that it was trained to forecast."""
    del freq
    version, _ = await _series_version(request, model)
    size, horizon = version.reach.window, version.manifest.horizon
    return ParametersAnswer(detail=Parameters(input_size=size, horizon=horizon))


@router.get(
    "/v2/models",
    summary="List the models that forecast series",
    operation_id="nixtla_models",
    responses=error_responses(NixtlaError),
)
def models(session: ListSessionDep, caller: CallerDep) -> ModelNames:
    """All that the key may use, by name."""
    names = [row.name for row in list_models(session, kind="series")]
    allowed = [name for name in names if caller.models is None or name in caller.models]
    return ModelNames(models=[ModelName(name=name) for name in allowed])


@router.post(
    "/v2/forecast",
    summary="Forecast many series",
    operation_id="nixtla_forecast",
    responses=OF_SERIES,
)
async def forecast(request: Request, asked: Annotated[ForecastRequest, Body()]) -> Forecast:
    """Forecasts of all series; a 200 means that each is a prediction committed to the log.

    If one series fails, the call fails with an error that names it.
    """
    origins = ends_of(asked)
    return Forecast(**await _forecast(request, asked, origins))


@router.post(
    "/v2/cross_validation",
    summary="Forecast what is known from earlier origins",
    operation_id="nixtla_cross_validation",
    responses=OF_SERIES,
)
async def cross_validation(
    request: Request, asked: Annotated[CrossValidationRequest, Body()]
) -> CrossValidation:
    """Forecasts from the last origins of all series, each a prediction committed to the log.

    Nothing is trained. So the errors of a model that was trained on these rows flatter it; its
    scorecard has those on rows that it never saw. `universal` was trained on none.
    """
    version, _ = await _series_version(request, asked.reference)
    origins = origins_of(asked, version.manifest.min_history)
    answer = await _forecast(request, asked, origins)
    by_series = [list(own) for _, own in groupby(origins, key=lambda origin: origin.series)]
    return CrossValidation(
        **answer,
        sizes=[asked.h * len(own) for own in by_series],
        idxs=[origin.cut + step for origin in origins for step in range(asked.h)],
    )


async def _forecast(request: Request, asked: Asked, origins: Sequence[Origin]) -> dict[str, Any]:
    version, described = await _series_version(request, asked.reference)
    if len(origins) > MAX_FORECASTS:
        raise Unprocessable.at(
            "series", f"these are {len(origins)} forecasts; a call may ask for {MAX_FORECASTS:,}"
        )
    if any(asked.level or ()) and described.intervals is None:
        why = described.intervals_missing or "it was trained before versions had them"
        raise Unprocessable.at("level", f"{version} has no intervals: {why}")
    for option in ("multivariate", "feature_contributions"):
        if getattr(asked, option):
            raise Unprocessable.at(option, "is not supported here; leave it out")
    columns = columns_of(asked, described, version)
    reference = _reference(asked.reference)

    def items_of() -> list[dict[str, object]]:
        return [item_of(asked, columns, origin, reference, version) for origin in origins]

    answers = await _answers(request, origins, await asyncio.to_thread(items_of))
    return {
        "mean": [step["value"] for answer in answers for step in answer["predictions"]],
        "intervals": bounds_of(asked, answers),
        "version": f"{answers[0]['model']}@{answers[0]['version']}",
        "skill": answers[0]["skill"],
        "baseline": answers[0]["baseline"],
        "warnings": warnings_of(origins, answers),
        "prediction_ids": [answer["id"] for answer in answers],
    }


async def _answers(
    request: Request, origins: Sequence[Origin], items: Sequence[dict[str, object]]
) -> list[Answer]:
    """Return the answers, of batches that a request may have.

    Raises:
        StepaheadError: one of them is an error, which names its series.
    """
    answers: list[Answer] = []
    for batch in batches_of(items):
        for answer in await ask(request, batch):
            if "error" in answer:
                where = f"series {origins[len(answers)].series}: "
                raise error_of(answer["error"], where=where)
            answers.append(answer)
    return answers


def batches_of(items: Sequence[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    """Yield items in batches that a request may have."""
    batch: list[dict[str, object]] = []
    values = 0
    for item in items:
        own = sum(
            len(each)
            for each in (item["history"], item.get("timestamps", ()))
            if isinstance(each, Sized)
        )
        if batch and (len(batch) == MAX_ITEMS or values + own > MAX_BATCH_VALUES):
            yield batch
            batch, values = [], 0
        batch.append(item)
        values += own
    if batch:
        yield batch


async def _series_version(request: Request, reference: str) -> tuple[Loaded, SeriesInput]:
    """Return a version that forecasts series.

    Raises:
        InvalidRequest: it continues texts.
    """
    version = await version_of(request, _reference(reference))
    described = version.manifest.series
    if described is None:
        raise InvalidRequest(f"model: {version} continues texts; it does not forecast series")
    return version, described


def _reference(model: str) -> str:
    """Return the name of the model that stands for one of Nixtla's, or the name itself."""
    return UNIVERSAL if model.startswith(HOSTED) else model
