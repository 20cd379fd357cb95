"""Evaluate versions on datasets other than their own."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from pydantic import ValidationError

from app.artifact.scorecard import Scorecard
from app.assessments.evaluations import store
from app.assessments.evaluations.limits import CPU_SECONDS, Network
from app.assessments.evaluations.planning import Order, Plan, check_version, fetch, plan
from app.assessments.evaluations.schemas import (
    BODY,
    EvaluationAnswer,
    EvaluationRequest,
    EvaluationSummary,
)
from app.datasets.ingest import parse_read_options, understand
from app.datasets.readers import Readers
from app.datasets.upload import MultipartForm, receive_multipart
from app.datasets.upload_folder import UploadFolder
from app.errors import Unprocessable, UnsupportedMediaType
from app.http.dependencies import ListSessionDep, ResourcesDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.http.problem_responses import invalid_fields
from app.registry.references import MAX_NUMBER
from app.registry.store import get_version
from app.storage.resources import Resources

router = APIRouter(tags=["models"])

FIELDS = ("dataset", "read", "network")
ModelName = Annotated[str, PathParameter(description="a model's name", examples=["google-stock"])]
Number = Annotated[int, PathParameter(ge=1, le=MAX_NUMBER, description="a version", examples=[1])]
EvaluationId = Annotated[UUID, PathParameter(description="an evaluation's id")]


@router.post(
    "/models/{name}/versions/{n}/evaluate",
    operation_id="evaluate_version",
    summary="Evaluate a version on another dataset",
    responses=problem_responses(400, 403, 404, 413, 415, 422, 507),
    openapi_extra=BODY,
)
async def evaluate_version(
    name: ModelName, n: Number, request: Request, resources: ResourcesDep
) -> EvaluationAnswer:
    """Measure the version on a dataset that was uploaded before, or on a file.

    The baselines are those of its own scorecard, fitted on the data that the version was trained
    on. Rows in the version's training range, recognized by their times, are left out; if no others
    remain, the scorecard says that it is about training rows. The same dataset gives the same
    evaluation again.
    """
    await to_thread.run_sync(_check, resources, name, n)
    content_type = request.headers.get("content-type", "application/json").lower()
    if content_type.startswith("multipart/"):
        async with receive_multipart(request, files=["file"], fields=FIELDS) as form:
            order = await _form_order(request, form)
            return await _evaluate(request, resources, (name, n), order, form.folder)
    if not content_type.startswith("application/json"):
        raise UnsupportedMediaType(
            f"the content type is {content_type}; send application/json, or a file as "
            "multipart/form-data"
        )
    try:
        given = EvaluationRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise invalid_fields(error.errors(include_url=False)) from error
    uploads: UploadFolder = request.app.state.uploads
    async with uploads.folder() as folder:
        order = Order(data=given.dataset, network=given.network)
        return await _evaluate(request, resources, (name, n), order, folder)


@router.get(
    "/models/{name}/versions/{n}/evaluations",
    operation_id="list_evaluations",
    summary="List the evaluations of a version, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_evaluations(
    name: ModelName, n: Number, session: ListSessionDep, paging: PagingById
) -> Page[EvaluationSummary]:
    """Show evaluations on other data. The version's own scorecard is part of the version."""
    get_version(session, name, n)
    rows = store.list_evaluations(
        session, model=name, version=n, limit=paging.rows, before=paging.start
    )
    return paging.page(rows, lambda shown: [EvaluationSummary.of(row) for row in shown])


@router.get(
    "/models/{name}/versions/{n}/evaluations/{evaluation_id}",
    operation_id="get_evaluation",
    summary="Show an evaluation with its scorecard",
    responses=problem_responses(404, 422),
)
def get_evaluation(
    name: ModelName, n: Number, evaluation_id: EvaluationId, session: SessionDep
) -> EvaluationAnswer:
    """Show an evaluation with its figures, baselines and curve."""
    get_version(session, name, n)
    found = store.get_evaluation(session, model=name, version=n, evaluation_id=evaluation_id)
    return EvaluationAnswer.of(found)


async def _form_order(request: Request, form: MultipartForm) -> Order:
    """Read the order from a form, and its file."""
    network = form.fields.get("network", "").strip() or None
    if network not in {None, "judged", "served"}:
        raise Unprocessable.at("network", "must be judged or served")
    chosen: Network | None = (
        None if network is None else "judged" if network == "judged" else "served"
    )
    dataset = form.fields.get("dataset", "").strip()
    options = parse_read_options(form.fields.get("read"))
    if not dataset:
        file = await understand(request, form, form.file("file"), options)
        return Order(data=file, network=chosen)
    if form.files:
        raise Unprocessable.at("dataset", "cannot be combined with file; send one of them")
    try:
        return Order(data=UUID(dataset), network=chosen)
    except ValueError as error:
        raise Unprocessable.at(
            "dataset", "is not a dataset id; GET /datasets lists them"
        ) from error


async def _evaluate(
    request: Request,
    resources: Resources,
    version: tuple[str, int],
    order: Order,
    folder: Path,
) -> EvaluationAnswer:
    planned = await to_thread.run_sync(_plan, resources, version, order)
    if isinstance(planned, EvaluationAnswer):
        return planned
    measurement = await to_thread.run_sync(fetch, planned, resources.store, folder)
    readers: Readers = request.app.state.readers
    scorecard: Scorecard = await readers.run(
        measurement, folder=folder, cpu_seconds=CPU_SECONDS, what="evaluating on this dataset"
    )
    return await to_thread.run_sync(_keep, resources, planned, scorecard)


def _check(resources: Resources, name: str, number: int) -> None:
    with resources.sessions.begin() as session:
        check_version(session, name, number)


def _plan(resources: Resources, version: tuple[str, int], order: Order) -> Plan | EvaluationAnswer:
    with resources.sessions.begin() as session:
        planned = plan(session, *version, order)
        return planned if isinstance(planned, Plan) else EvaluationAnswer.of(planned)


def _keep(resources: Resources, planned: Plan, scorecard: Scorecard) -> EvaluationAnswer:
    with resources.sessions.begin() as session:
        check_version(session, planned.model, planned.version)  # it may have been deleted
        kept = store.keep_evaluation(
            session,
            model=planned.model,
            version=planned.version,
            dataset_id=planned.dataset_id,
            network=planned.network,
            scorecard=scorecard,
        )
        return EvaluationAnswer.of(kept)
