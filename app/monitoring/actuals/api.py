"""What really happened; predictions are measured by it."""

from typing import Annotated, Any
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError

from app.datasets.ingest import parse_read_options
from app.datasets.readers import Readers
from app.datasets.upload import MultipartForm, receive_multipart
from app.errors import NotFound, Unprocessable, UnsupportedMediaType
from app.http.caller import Caller
from app.http.dependencies import CallerDep, ResourcesDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.http.problem_responses import invalid_fields
from app.monitoring.actuals import store
from app.monitoring.actuals.items import given_by, steps_by_moment
from app.monitoring.actuals.schemas import (
    MAX_ACTUALS,
    MAX_NAME_CHARACTERS,
    PREDICTION_EXAMPLE,
    SERIES_EXAMPLE,
    ActualAnswer,
    ActualItem,
    ActualsKept,
    ActualsRequest,
)
from app.monitoring.actuals.store import Given
from app.monitoring.actuals.upload import FileFields, given_by_file
from app.predictions.store import get_prediction
from app.reading.content import DatasetContent, content_from_bytes
from app.reading.read_options import ReadOptions
from app.registry.store import find_model
from app.storage.resources import Resources

router = APIRouter(tags=["monitoring"])

FIELDS = ("model", "series", "target", "read")
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                # Not by reference: FastAPI keeps only what signatures name.
                "schema": {
                    "type": "object",
                    "required": ["items"],
                    "additionalProperties": False,
                    "properties": {
                        "items": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MAX_ACTUALS,
                            "items": ActualItem.model_json_schema(),
                        }
                    },
                },
                "examples": {
                    "timestamps": {
                        "summary": "by model, series and timestamp",
                        "value": SERIES_EXAMPLE,
                    },
                    "prediction": {"summary": "by prediction", "value": PREDICTION_EXAMPLE},
                },
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "model"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "string",
                            "contentMediaType": "application/octet-stream",
                            "description": "a table with times, read as a dataset is",
                        },
                        "model": {"type": "string", "description": "name of the model"},
                        "series": {
                            "type": "string",
                            "description": "as the predictions named it, where the file does not",
                        },
                        "target": {
                            "type": "string",
                            "description": "the column of the values; left out: the target's name",
                        },
                        "read": ReadOptions.model_json_schema()
                        | {
                            "description": "how the file is to be read, where a guess is wrong",
                            "examples": [{"gaps": "leave"}],
                        },
                    },
                },
                "encoding": {"read": {"contentType": "application/json"}},
            },
        },
    }
}


@router.post(
    "/actuals",
    operation_id="put_actuals",
    summary="Say what really happened",
    responses=problem_responses(400, 403, 413, 415, 422, 507),
    openapi_extra=BODY,
)
async def put_actuals(request: Request, resources: ResourcesDep, caller: CallerDep) -> ActualsKept:
    """Keep actual values, as JSON or as a file; predictions are measured by them within seconds.

    A value is found by the prediction's id, or by model, series and timestamp: then it measures
    every prediction of that moment, earlier and later ones. Predictions whose request had no
    timestamps can be measured by their id only. What is given here stands before what a later
    request's history says of the same moment, and a value given again replaces the earlier one.
    One wrong item is a 422, and nothing is kept.
    """
    content_type = request.headers.get("content-type", "application/json").lower()
    if content_type.startswith("multipart/"):
        async with receive_multipart(
            request, files=["file"], fields=FIELDS, is_stored=False
        ) as form:
            said = _said(form)
            content = await _read(request, form)
        return await to_thread.run_sync(_keep_file, resources, caller, content, said)
    if not content_type.startswith("application/json"):
        raise UnsupportedMediaType(
            f"the content type is {content_type}; this call reads application/json, or a file "
            "as multipart/form-data"
        )
    try:
        given = ActualsRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    return await to_thread.run_sync(_keep_items, resources, caller, given)


@router.get(
    "/models/{name}/actuals",
    operation_id="list_actuals",
    summary="List a model's actuals, those that came last first",
    responses=problem_responses(400, 404, 422),
)
def list_actuals(
    name: Annotated[str, Path(description="a model's name", examples=["google-stock"])],
    session: SessionDep,
    paging: PagingById,
    *,
    series: Annotated[
        str | None, Query(max_length=MAX_NAME_CHARACTERS, pattern=r"^[^\x00]*$")
    ] = None,
    prediction: Annotated[
        UUID | None, Query(description="id of a prediction of this model: the actuals of its steps")
    ] = None,
) -> Page[ActualAnswer]:
    """Those that were given, and those that later histories implied for moments forecast before.

    With `prediction`: what that answer is measured by, however its times were spelt, each with the
    `step` that it is the actual of; a step that is not among them has none yet.
    """
    find_model(session, name)
    steps: dict[str, int] | None = None
    if prediction is not None:
        if series is not None:
            raise Unprocessable.at("series", "is known from the prediction: leave it out")
        logged = get_prediction(session, prediction)
        if logged.model != name:
            raise NotFound(f"prediction {prediction} is of {logged.model!r}, not of {name[:100]!r}")
        series, steps = logged.series or "", steps_by_moment(logged)
    rows = store.list_actuals(
        session,
        model=name,
        series=series,
        moments=steps,
        before=paging.start,
        limit=paging.rows,
    )
    place = steps or {}
    return paging.page(
        rows,
        lambda actuals: [
            ActualAnswer.of(actual, step=place.get(actual.moment)) for actual in actuals
        ],
    )


def _said(form: MultipartForm) -> FileFields:
    texts = {name: (form.fields.get(name) or "").strip() or None for name in FIELDS}
    for name in ("model", "series", "target"):
        value = texts[name] or ""
        if len(value) > MAX_NAME_CHARACTERS or "\x00" in value:
            raise Unprocessable.at(name, f"may have {MAX_NAME_CHARACTERS} characters, and no NUL")
    model = texts["model"]
    if model is None:
        raise Unprocessable.at("model", "is required: whose predictions the values are of")
    return FileFields(model=model, series=texts["series"], target=texts["target"])


async def _read(request: Request, form: MultipartForm) -> DatasetContent:
    upload = form.file("file")
    options = parse_read_options(form.fields.get("read"))
    if upload.size == 0:
        raise Unprocessable.at("file", "the file is empty")
    readers: Readers = request.app.state.readers
    read = await readers.read(
        upload.path, filename=upload.filename, options=options, folder=form.folder
    )
    return content_from_bytes(await to_thread.run_sync(read.content.read_bytes))


def _keep_file(
    resources: Resources, caller: Caller, content: DatasetContent, said: FileFields
) -> ActualsKept:
    with resources.sessions.begin() as session:
        return _kept(session, caller, given_by_file(session, content, said))


def _keep_items(resources: Resources, caller: Caller, request: ActualsRequest) -> ActualsKept:
    with resources.sessions.begin() as session:
        return _kept(session, caller, given_by(session, request.items))


def _kept(session: SessionDep, caller: Caller, given: list[Given]) -> ActualsKept:
    for model in {each.model for each in given}:
        caller.check_model(model)
    kept = store.put_actuals(session, given, "explicit")
    return ActualsKept(
        new=kept.new,
        changed=kept.changed,
        unchanged=kept.unchanged,
        matching=store.count_matching(session, given),
    )
