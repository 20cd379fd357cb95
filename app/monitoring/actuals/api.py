"""Save and list actual values, which predictions are measured by."""

from operator import attrgetter
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
from app.http.dependencies import CallerDep, ListSessionDep, ResourcesDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.http.problem_responses import invalid_fields
from app.monitoring.actuals import store
from app.monitoring.actuals.items import AllGiven, given_by, steps_by_moment
from app.monitoring.actuals.schemas import (
    MAX_ACTUALS,
    MAX_NAME_CHARACTERS,
    PREDICTION_EXAMPLE,
    SERIES_EXAMPLE,
    TEXT_EXAMPLE,
    ActualAnswer,
    ActualItem,
    ActualsKept,
    ActualsRequest,
)
from app.monitoring.actuals.upload import FileFields, given_by_file
from app.monitoring.texts.store import list_texts, put_texts
from app.predictions.logged.store import get_prediction
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
                # Not by reference: FastAPI keeps only schemas that signatures name.
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
                    "text": {"summary": "what followed a prompt", "value": TEXT_EXAMPLE},
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
                            "description": "a table with times, read like a dataset",
                        },
                        "model": {"type": "string", "description": "name of the model"},
                        "series": {
                            "type": "string",
                            "description": (
                                "name of the series in the predictions, if the file "
                                "does not name it"
                            ),
                        },
                        "target": {
                            "type": "string",
                            "description": "column of the values; by default the target's name",
                        },
                        "read": ReadOptions.model_json_schema()
                        | {
                            "description": "how to read the file, if a guess is wrong",
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
    summary="Save actual values",
    responses=problem_responses(400, 403, 413, 415, 422, 507),
    openapi_extra=BODY,
)
async def put_actuals(request: Request, resources: ResourcesDep, caller: CallerDep) -> ActualsKept:
    """Save the values that were observed, as JSON or as a file.

    Predictions are measured by them within seconds. A value belongs to a prediction's id, or to a
    model, series and timestamp; then it measures every prediction for that time, earlier and later
    ones. Predictions without timestamps can be measured only by their id. A value given here takes
    precedence over one from the history of a later request, and replaces an earlier one.

    For a prediction that continued a text, give the text that really followed its prompt. The
    version is measured by how probable it found that text, whatever it had written itself. Its
    characters are read as those of prompts are.

    One invalid item is a 422, and nothing is saved.
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
            f"the content type is {content_type}; send application/json, or a file as "
            "multipart/form-data"
        )
    try:
        given = ActualsRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    return await to_thread.run_sync(_keep_items, resources, caller, given)


@router.get(
    "/models/{name}/actuals",
    operation_id="list_actuals",
    summary="List a model's actuals, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_actuals(
    name: Annotated[str, Path(description="a model's name", examples=["google-stock"])],
    session: ListSessionDep,
    paging: PagingById,
    *,
    series: Annotated[
        str | None, Query(max_length=MAX_NAME_CHARACTERS, pattern=r"^[^\x00]*$")
    ] = None,
    prediction: Annotated[
        UUID | None,
        Query(description=("id of a prediction of this model, to show the actuals of its steps")),
    ] = None,
) -> Page[ActualAnswer]:
    """Show the actuals that were sent, and those from the histories of later requests.

    With `prediction`, show those of that prediction, however its times were written, each with its
    `step`. A step that is not listed has no actual yet. For a model of texts, show the texts that
    followed, the newest prompt first.
    """
    kind = find_model(session, name).kind
    if series is not None and (prediction is not None or kind == "text"):
        why = "follows from the prediction, so leave it out" if prediction else "belongs to series"
        raise Unprocessable.at("series", why)
    logged = None if prediction is None else get_prediction(session, prediction)
    if logged is not None and logged.model != name:
        raise NotFound(f"prediction {prediction} is of {logged.model!r}, not of {name[:100]!r}")
    if kind == "text":
        texts = list_texts(
            session, model=name, prediction=prediction, before=paging.start, limit=paging.rows
        )
        return paging.page(
            texts,
            lambda shown: [ActualAnswer.of_text(text) for text in shown],
            key=attrgetter("prediction_id"),
        )
    steps: dict[str, int] | None = None
    if logged is not None:
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
            raise Unprocessable.at(
                name, f"must have at most {MAX_NAME_CHARACTERS} characters and no NUL"
            )
    model = texts["model"]
    if model is None:
        raise Unprocessable.at(
            "model", "is required: the model whose predictions the values belong to"
        )
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
        values = given_by_file(session, content, said)
        return _kept(session, caller, AllGiven(values=values, texts=[]))


def _keep_items(resources: Resources, caller: Caller, request: ActualsRequest) -> ActualsKept:
    with resources.sessions.begin() as session:
        return _kept(session, caller, given_by(session, request.items))


def _kept(session: SessionDep, caller: Caller, given: AllGiven) -> ActualsKept:
    for model in {each.model for each in given.values} | {each.model for each in given.texts}:
        caller.check_model(model)
    kept = store.put_actuals(session, given.values, "explicit")
    texts = put_texts(session, given.texts)
    return ActualsKept(
        new=kept.new + texts.new,
        changed=kept.changed + texts.changed,
        unchanged=kept.unchanged + texts.unchanged,
        matching=store.count_matching(session, given.values) + len(given.texts),
    )
