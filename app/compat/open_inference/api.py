"""The Open Inference Protocol, version 2, as clients of KServe, Triton and MLServer speak it."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from app.compat.asking import ask, version_of
from app.compat.compression import decompressed
from app.compat.open_inference.description import check_inputs, config_of, metadata_of
from app.compat.open_inference.encodings import (
    HEADER_LENGTH,
    compressed,
    header_and_tensors,
)
from app.compat.open_inference.tensors import (
    BYTES,
    NUMBERS,
    InferRequest,
    Tensor,
    read_request,
    read_tensors,
    write_answer,
)
from app.compat.open_inference.translation import (
    Answer,
    items_of,
    outputs_from,
    parameters_of,
    refuse_failed_rows,
)
from app.errors import InvalidRequest, NotFound, StepaheadError
from app.http.dependencies import CallerDep, SettingsDep
from app.http.health import readyz
from app.http.openapi import error_responses
from app.process.observability import Metrics
from app.registry.catalogue import Catalogue
from app.registry.watch import RegistryWatch

PATH = "/v2/"
EXTENSIONS = ["binary_tensor_data", "model_configuration", "statistics"]
NANOSECONDS = 1_000_000_000
OWN_FIGURES = "of this api process alone, since it started; GET /metrics has those of all"

router = APIRouter(tags=["Open Inference Protocol"])


class OpenInferenceError(BaseModel):
    """An error in the form of this protocol."""

    error: Annotated[str, Field(description="what was wrong, where, what would be right")]


class ServerMetadata(BaseModel):
    """Name and version of this server."""

    name: Literal["stepahead"] = "stepahead"
    version: str
    extensions: list[str]


class Liveness(BaseModel):
    """The answer of a living process."""

    live: Literal[True] = True


class Readiness(BaseModel):
    """The answer of a model or process that is ready."""

    ready: Literal[True] = True


class TensorMetadata(BaseModel):
    """A tensor of a model."""

    name: str
    datatype: str
    shape: Annotated[list[int], Field(description="-1 for a size that varies")]
    parameters: dict[str, Any] | None = None


class ModelMetadata(BaseModel):
    """The inputs and outputs of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class IndexEntry(BaseModel):
    """A version that can be used."""

    name: str
    version: str
    state: Literal["READY"] = "READY"
    reason: str = ""


def error_form(error: StepaheadError) -> tuple[int, dict[str, object]]:
    """Return status and body of an error response."""
    return error.status, {"error": error.detail}


def _reference(
    request: Request,
    model: Annotated[
        str, Path(description="`name` (its champion), `name@alias` or `name@3`", examples=["hello"])
    ],
) -> str:
    """Return the name under which a path addresses a version."""
    number = request.path_params.get("version")
    if number is None:
        return model
    if "@" in model:
        raise InvalidRequest(
            f"{model[:100]!r} and version {number[:100]!r}: give only one of the two"
        )
    return f"{model}@{number}"


ReferenceDep = Annotated[str, Depends(_reference)]
MODEL, VERSION = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
OF_A_MODEL = error_responses(OpenInferenceError, 403, 404, 422)
TENSOR_SCHEMA = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string", "enum": [*NUMBERS, BYTES]},
        "parameters": {"type": "object"},
        "data": {"type": "array", "description": "flat or nested, in row-major order"},
    },
}
OUTPUT_SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
}
INFER_SCHEMA = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": TENSOR_SCHEMA},
        "outputs": {"type": "array", "items": OUTPUT_SCHEMA},
    },
}
PRICES = {
    "name": "history",
    "datatype": "FP64",
    "shape": [1, 3],
    "data": [778.81, 788.36, 786.08],
}
INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": INFER_SCHEMA, "example": {"inputs": [PRICES]}},
            "application/octet-stream": {},
        },
    }
}


@router.get(
    "/v2",
    summary="Describe the server",
    operation_id="oip_server",
    responses=error_responses(OpenInferenceError),
)
async def server(request: Request) -> ServerMetadata:
    """Name, version and the protocol extensions that this service supports."""
    return ServerMetadata(version=request.app.version, extensions=EXTENSIONS)


@router.get(
    "/v2/health/live",
    summary="Check whether the process is alive",
    operation_id="oip_live",
    responses=error_responses(OpenInferenceError),
)
async def live() -> Liveness:
    """Answers while the process is running, without a key."""
    return Liveness()


@router.get(
    "/v2/health/ready",
    summary="Check whether the process is ready",
    operation_id="oip_ready",
    responses=error_responses(OpenInferenceError),
)
async def ready(request: Request) -> Readiness:
    """Ready, or a 503 with every reason, like `GET /readyz`; without a key."""
    await readyz(request, None)
    return Readiness()


@router.post(
    "/v2/repository/index",
    summary="List the available versions",
    operation_id="oip_index",
    responses=error_responses(OpenInferenceError),
)
async def index(request: Request, caller: CallerDep) -> list[IndexEntry]:
    """All versions of the models that the key may use; each is loaded when it is first used."""
    return [
        IndexEntry(name=name, version=str(number))
        for name, numbers in sorted(_catalogue(request).versions.items())
        if caller.models is None or name in caller.models
        for number in sorted(numbers)
    ]


@router.get(VERSION, include_in_schema=False)
@router.get(
    MODEL,
    summary="Describe the inputs and outputs of a model",
    operation_id="oip_model",
    responses=OF_A_MODEL,
    response_model_exclude_none=True,
)
async def metadata(request: Request, reference: ReferenceDep) -> ModelMetadata:
    """The tensors of a model; with `/versions/{version}` after the name, those of one version.

    Optional inputs are marked in their parameters. `levels` adds outputs `lo-80`, `hi-80` and so
    on.
    """
    version = await version_of(request, reference)
    numbers = sorted(_catalogue(request).versions.get(version.model, ()))
    described = metadata_of(version, versions=[str(number) for number in numbers])
    return ModelMetadata.model_validate(described)


@router.get(f"{VERSION}/ready", include_in_schema=False)
@router.get(
    f"{MODEL}/ready",
    summary="Check whether a model is ready",
    operation_id="oip_model_ready",
    responses=OF_A_MODEL,
)
async def model_ready(request: Request, reference: ReferenceDep) -> Readiness:
    """Load the version if it is not in memory, and answer once it is ready."""
    await version_of(request, reference)
    return Readiness()


@router.get(f"{VERSION}/config", include_in_schema=False)
@router.get(
    f"{MODEL}/config",
    summary="Show the model configuration for Triton",
    operation_id="oip_model_config",
    responses=OF_A_MODEL,
)
async def config(request: Request, reference: ReferenceDep) -> dict[str, Any]:
    """The part of Triton's model configuration that applies here."""
    return config_of(await version_of(request, reference))


@router.get(f"{VERSION}/stats", include_in_schema=False)
@router.get(
    f"{MODEL}/stats",
    summary="Show how often a model was used",
    operation_id="oip_model_stats",
    responses=OF_A_MODEL,
)
async def stats(request: Request, reference: ReferenceDep) -> dict[str, Any]:
    """Number and duration of the predictions of the one api process that answers this call."""
    version = await version_of(request, reference)
    metrics: Metrics = request.app.state.metrics
    count, seconds = await asyncio.to_thread(metrics.answered_so_far, version.model, version.number)
    return {
        "model_stats": [
            {
                "name": version.model,
                "version": str(version.number),
                "inference_count": count,
                "inference_stats": {"success": {"count": count, "ns": int(seconds * NANOSECONDS)}},
                "scope": OWN_FIGURES,
            }
        ]
    }


@router.post(f"{VERSION}/infer", include_in_schema=False)
@router.post(
    f"{MODEL}/infer",
    summary="Predict from tensors",
    operation_id="oip_infer",
    responses=error_responses(OpenInferenceError, 400, 403, 404, 413, 415, 422),
    openapi_extra=INFER_BODY,
)
async def infer(request: Request, reference: ReferenceDep, settings: SettingsDep) -> Response:
    """A prediction for each row; a 200 means that all of them are committed to the log.

    If one row fails, the call fails with an error that names it. `GET` of the model lists its
    tensors. Tensors may be JSON, or bytes after the JSON, and the body gzip or deflate. The
    parameters of the answer hold the predictions' ids, skill and warnings.
    """
    version = await version_of(request, reference)
    asked, tensors = await asyncio.to_thread(
        _read, await request.body(), request, settings.max_body_bytes
    )
    rows = check_inputs(version, tensors)
    items = items_of(version, reference, tensors, asked.outputs, rows=rows)
    answers = await ask(request, items)
    refuse_failed_rows(answers)
    return await asyncio.to_thread(_answer, request, asked, answers)


def _read(
    body: bytes, request: Request, limit_bytes: int
) -> tuple[InferRequest, dict[str, Tensor]]:
    """Read a body in a thread, because large ones take milliseconds."""
    encoding = request.headers.get("Content-Encoding", "")
    plain = decompressed(body, encoding, limit_bytes=limit_bytes)
    header, raw = header_and_tensors(plain, request.headers)
    asked = read_request(header)
    return asked, read_tensors(asked, raw)


def _answer(request: Request, asked: InferRequest, answers: Sequence[Answer]) -> Response:
    head: dict[str, object] = {
        "model_name": answers[0]["model"],
        "model_version": str(answers[0]["version"]),
        "parameters": parameters_of(answers),
    }
    if asked.id:
        head["id"] = asked.id
    body, header_length = write_answer(head, outputs_from(answers, asked.outputs), asked)
    body, headers = compressed(body, request.headers.get("Accept-Encoding", ""))
    if header_length is not None:
        headers[HEADER_LENGTH] = str(header_length)
    media_type = "application/json" if header_length is None else "application/octet-stream"
    return Response(body, media_type=media_type, headers=headers)


def _catalogue(request: Request) -> Catalogue:
    watch: RegistryWatch = request.app.state.registry_watch
    if watch.catalogue is None:
        raise NotFound("the registry has not been read yet; try again")
    return watch.catalogue
