"""Forecast all series of a dataset at once: `POST /models/{name}/forecast`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.artifact.files import MODEL, file_of
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.datasets import store as datasets
from app.datasets.ingest import parse_read_options, understand
from app.datasets.readers import Readers
from app.datasets.store import UPLOAD_AGAIN, UnderstoodFile
from app.datasets.upload import receive_multipart
from app.datasets.upload_folder import UploadFolder
from app.errors import NotFound, Unprocessable, UnsupportedMediaType
from app.forecast_runs.all_series import AllSeries
from app.forecast_runs.forms import MEDIA_TYPES, Form
from app.forecast_runs.schemas import (
    BODY,
    MOST_JSON_ROWS,
    MOST_SERIES,
    ForecastAnswer,
    ForecastRequest,
    RunAnswer,
)
from app.forecast_runs.store import keep_run, list_runs
from app.forecast_runs.summary import Summary
from app.forecasting.frequencies import default_horizon
from app.http.caller import Caller
from app.http.dependencies import CallerDep, ListSessionDep, ResourcesDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.http.problem_responses import invalid_fields
from app.predictions.calls import let_ask
from app.reading.report import Report
from app.registry.store import find_model, resolve
from app.storage.ids import new_id
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources
from app.storage.store_errors import naming
from app.storage.tables import Dataset

router = APIRouter(tags=["predictions"])

CPU_SECONDS = 900  # 100,000 series of 60 values take `universal` some 200
PIECE_BYTES = 1 << 18
RUN_HEADER = "X-Run-Id"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run, and where its files are in the store."""

    run: AllSeries
    dataset_id: UUID
    count: int  # series to forecast
    graph_sha256: str
    content_sha256: str


@router.post(
    "/models/{name}/forecast",
    operation_id="forecast_all_series",
    summary="Forecast all series of a dataset",
    response_model=ForecastAnswer,
    responses={
        200: {
            "description": "The forecasts, series after series",
            "content": {
                MEDIA_TYPES[form]: {"schema": {"type": "string", "format": "binary"}}
                for form in ("csv", "parquet")
            },
        },
        **problem_responses(400, 403, 404, 413, 415, 422, 507),
    },
    openapi_extra=BODY,
)
async def forecast_all(
    name: Annotated[str, PathParameter(description="`name`, `name@alias` or `name@3`")],
    request: Request,
    resources: ResourcesDep,
    caller: CallerDep,
) -> StreamingResponse:
    """Forecast every series of a dataset, or some of them, from its last rows.

    Numbers and warnings are those of `POST /predict`. `Accept` chooses JSON (up to 50,000 rows),
    `text/csv` or `application/vnd.apache.parquet`. A series that cannot be forecast has one row
    that says why. A 200 means that the run is logged, once, with its counts.
    """
    uploads: UploadFolder = request.app.state.uploads
    async with uploads.folder() as folder:
        order, data = await _order(request)
        form = _form(request.headers.get("accept", ""))
        plan = partial(_plan, resources, name, order, data, form=form, folder=folder)
        planned = await to_thread.run_sync(plan)
        let_ask(caller, [planned.run.model] * planned.count)
        await to_thread.run_sync(_fetch, planned, resources.store)
        readers: Readers = request.app.state.readers
        summary: Summary = await readers.run(
            planned.run, folder=folder, cpu_seconds=CPU_SECONDS, what="forecasting these series"
        )
        await to_thread.run_sync(_keep, resources, planned, summary, caller)
        answer = planned.run.answer.open("rb")
        size = planned.run.answer.stat().st_size

    def pieces() -> Iterator[bytes]:
        with answer:
            while piece := answer.read(PIECE_BYTES):
                yield piece

    headers = {RUN_HEADER: planned.run.run_id, "Content-Length": str(size)}
    return StreamingResponse(pieces(), media_type=MEDIA_TYPES[form], headers=headers)


@router.get(
    "/models/{name}/forecasts",
    operation_id="list_forecast_runs",
    summary="List the runs that forecast all series of a dataset, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_forecast_runs(
    name: Annotated[str, PathParameter(description="a model's name")],
    session: ListSessionDep,
    paging: PagingById,
) -> Page[RunAnswer]:
    """Show how many series each run forecast, and what weakened or prevented forecasts."""
    find_model(session, name)
    rows = list_runs(session, model=name, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda shown: [RunAnswer.model_validate(row) for row in shown])


async def _order(request: Request) -> tuple[ForecastRequest, UUID | UnderstoodFile]:
    """Return what is asked for, and the dataset or the file."""
    content_type = request.headers.get("content-type", "application/json").lower()
    if content_type.startswith("multipart/"):
        async with receive_multipart(request, files=["file"], fields=["read", "order"]) as form:
            order = _read(form.fields.get("order") or "{}")
            if order.dataset is not None:
                raise Unprocessable.at("order.dataset", "cannot be combined with file")
            options = parse_read_options(form.fields.get("read"))
            return order, await understand(request, form, form.file("file"), options)
    if not content_type.startswith("application/json"):
        raise UnsupportedMediaType(
            f"the content type is {content_type}; send application/json, or a file as "
            "multipart/form-data"
        )
    order = _read(await request.body())
    if order.dataset is None:
        raise Unprocessable.at(
            "dataset", "is required: the id of a dataset, or a file in its place"
        )
    return order, order.dataset


def _read(body: str | bytes) -> ForecastRequest:
    try:
        return ForecastRequest.model_validate_json(body)
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error


def _form(accept: str) -> Form:
    """Return the first form that the client names; JSON for any other."""
    for kind in accept.lower().split(","):
        for form, media_type in MEDIA_TYPES.items():
            if kind.strip().partition(";")[0] in {media_type, f"application/{form}"}:
                return form
    return "json"


def _plan(
    resources: Resources,
    name: str,
    order: ForecastRequest,
    data: UUID | UnderstoodFile,
    *,
    form: Form,
    folder: Path,
) -> Planned:
    """Return what to run.

    Raises:
        NotFound: no such model, alias or version.
        Unprocessable: no such dataset, the wrong kind, or too many series.
    """
    with resources.sessions.begin() as session:
        version = resolve(session, name)
        manifest = Manifest.model_validate_json(json.dumps(version.manifest))
        if manifest.series is None:
            raise Unprocessable(f"{version.model!r} is a model for text; only series are forecast")
        if order.target is not None and not manifest.series.periods:
            raise Unprocessable.at(
                "target", f"is for `universal`; {name!r} forecasts {manifest.series.target!r}"
            )
        dataset = _dataset(session, data)
        report = Report.model_validate(dataset.report)
        target = order.target or report.target
        steps = order.horizon or manifest.horizon
        if manifest.series.periods:
            _check_target(target)
            steps = order.horizon or default_horizon(report.frequency)
        count = len(order.series) if order.series else max(1, report.series_count)
        _check_size(count, steps, form)
        run = AllSeries(
            model=version.model,
            number=version.number,
            manifest=manifest,
            scorecard=Scorecard.model_validate_json(json.dumps(version.scorecard)),
            graph=folder / "graph.onnx",
            dataset=folder / "dataset",
            target=target,
            series=None if order.series is None else tuple(order.series),
            horizon=order.horizon,
            levels=tuple(sorted(set(order.levels))),
            form=form,
            answer=folder / "answer",
            run_id=str(new_id()),
        )
        return Planned(
            run=run,
            dataset_id=dataset.id,
            count=count,
            graph_sha256=version.files[MODEL]["sha256"],
            content_sha256=dataset.content_sha256,
        )


def _dataset(session: Session, data: UUID | UnderstoodFile) -> Dataset:
    try:
        dataset = (
            datasets.save_dataset(session, data)[0]
            if isinstance(data, UnderstoodFile)
            else datasets.get_dataset(session, data)
        )
    except NotFound as error:
        raise Unprocessable.at("dataset", error.detail) from error
    if dataset.kind != "series":
        raise Unprocessable.at("dataset", "is a text; only series are forecast together")
    return dataset


def _check_target(target: str | None) -> None:
    if target is None:
        raise Unprocessable.at(
            "target", "is required: no column of the dataset looks like a measurement"
        )


def _check_size(count: int, horizon: int, form: Form) -> None:
    if count > MOST_SERIES:
        raise Unprocessable.at(
            "series", f"are {count:,}; at most {MOST_SERIES:,} at once: name some of them"
        )
    if form == "json" and count * horizon > MOST_JSON_ROWS:
        raise Unprocessable(
            f"{count:,} series are too many for JSON, which has at most {MOST_JSON_ROWS:,} rows "
            f"here: ask for {MEDIA_TYPES['csv']} or {MEDIA_TYPES['parquet']} in Accept"
        )


def _fetch(planned: Planned, store: ObjectStore) -> None:
    """Fetch the files of a run.

    Raises:
        ObjectMissing, ObjectDamaged: the store has lost one.
        StoreUnavailable: the store cannot be read at the moment.
    """
    run = planned.run
    with naming(file_of(run.model, run.number, MODEL)):
        store.fetch(planned.graph_sha256, run.graph)
    with naming(f"the content of dataset {planned.dataset_id}", UPLOAD_AGAIN):
        store.fetch(planned.content_sha256, run.dataset)


def _keep(resources: Resources, planned: Planned, summary: Summary, caller: Caller) -> None:
    with resources.sessions.begin() as session:
        keep_run(session, planned.run, summary, dataset_id=planned.dataset_id, key=caller.name)
