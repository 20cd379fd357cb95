"""Order, watch and cancel trainings; list the recipes."""

from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from app.access.quotas import check_queue
from app.datasets.ingest import understand
from app.datasets.store import UnderstoodFile
from app.datasets.upload import UploadedFile, receive_multipart
from app.http.caller import Caller
from app.http.dependencies import CallerDep, ListSessionDep, ResourcesDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, PagingById
from app.jobs import job_log, queue
from app.jobs.events import LAST_EVENT, JobWatch, lifespan_of
from app.jobs.extend import Extension, extension_of
from app.jobs.order import FIELDS, FILES, Order, read_order
from app.jobs.order_form import order_form
from app.jobs.ordering import check_references, place
from app.jobs.recipe_catalog import explain_recipes
from app.jobs.schemas import JobAnswer, JobLine, JobSummary, Recipes
from app.reading.report import UnreadableFile
from app.storage.job_status import JobStatus
from app.storage.resources import Resources

__all__ = ["lifespan_of", "router"]

router = APIRouter(tags=["training"])

ModelName = Annotated[
    str,
    Path(description="a new name, or a model to get a new version", examples=["prices"]),
]
JobId = Annotated[UUID, Path(description="a job's id")]
TRAIN_BODY = order_form(
    {
        "recipe": {
            "type": "object",
            "description": (
                "a preset and the fields that differ from it, see GET /recipes; by "
                "default the champion's recipe, or `default` for a new model"
            ),
        },
        "extend": {
            "type": "boolean",
            "default": False,
            "description": (
                "join the file to the dataset of the model's newest training, by series "
                "and time, and train on the whole; rows with the same time must agree "
                "(a 409 names those that do not)"
            ),
        },
        "start_from": {
            "type": "integer",
            "minimum": 1,
            "description": "version of the model whose weights to start from",
        },
    }
)


@router.post(
    "/models/{name}/train",
    operation_id="train_model",
    summary="Train a version of a model in the background",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problem_responses(400, 409, 413, 415, 422, 507),
    openapi_extra=TRAIN_BODY,
)
async def train_model(
    name: ModelName,
    request: Request,
    response: Response,
    resources: ResourcesDep,
    caller: CallerDep,
) -> JobAnswer:
    """Queue a training on a file or on a dataset.

    Everything is checked before anything is queued. `Location` names the job. A free worker takes
    it within a second, and it ends with a new version of the model.
    """
    async with receive_multipart(request, files=FILES, fields=FIELDS) as form:
        order = read_order(name, form)
        extension = await to_thread.run_sync(_check_references, resources, order)
        uploads: dict[str, UnderstoodFile] = {}
        if isinstance(order.data, UploadedFile):
            options, last = order.read, None
            if extension is not None:
                options, last = extension.read, form.folder / "extended"
                await to_thread.run_sync(resources.store.fetch, extension.content_sha256, last)
            uploads["file"] = await understand(request, form, order.data, options, extends=last)
        if isinstance(order.test, UploadedFile):
            try:
                uploads["test"] = await understand(request, form, order.test, order.read)
            except UnreadableFile as error:
                raise error.in_part("test") from None
    answer = await to_thread.run_sync(_place, resources, caller, order, uploads, extension)
    response.headers["Location"] = f"/jobs/{answer.id}"
    return answer


def _check_references(resources: Resources, order: Order) -> Extension | None:
    with resources.sessions.begin() as session:
        check_references(session, order)
        return extension_of(session, order)


def _place(
    resources: Resources,
    caller: Caller,
    order: Order,
    uploads: dict[str, UnderstoodFile],
    extension: Extension | None,
) -> JobAnswer:
    with resources.sessions.begin() as session:
        check_queue(session, caller)
        job = place(session, resources.store, order, uploads, extension)
        job.key = caller.name
        session.flush()
        return JobAnswer.of(job, silence=queue.silence_of_workers(session))


@router.get(
    "/recipes",
    operation_id="list_recipes",
    summary="Show the presets and every field of a recipe",
    responses=problem_responses(),
)
def list_recipes() -> Recipes:
    """Show the presets, and what every field does."""
    return explain_recipes()


@router.get(
    "/jobs",
    operation_id="list_jobs",
    summary="List jobs, newest first",
    responses=problem_responses(400, 422),
)
def list_jobs(
    *,
    session: ListSessionDep,
    caller: CallerDep,
    paging: PagingById,
    model: Annotated[str | None, Query(max_length=100, description="of this model")] = None,
    status: Annotated[JobStatus | None, Query(description="with this status")] = None,
) -> Page[JobSummary]:
    """Show trainings that wait, run, or have ended."""
    caller.check_list(model)
    rows = queue.list_jobs(
        session, model=model, status=status, before=paging.start, limit=paging.rows
    )
    silence = queue.silence_of_workers(session)
    return paging.page(rows, lambda jobs: [JobSummary.of(job, silence=silence) for job in jobs])


@router.get(
    "/jobs/{job_id}",
    operation_id="get_job",
    summary="Show a job with its recipe and its training curve",
    responses=problem_responses(404, 422),
)
def get_job(job_id: JobId, session: SessionDep, caller: CallerDep) -> JobAnswer:
    """Show how far a training is, or how it ended."""
    job = queue.get_job(session, job_id)
    caller.check_model(job.model)
    return JobAnswer.of(job, silence=queue.silence_of_workers(session))


@router.post(
    "/jobs/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Cancel a job that is queued or running",
    responses=problem_responses(404, 409, 422),
)
def cancel_job(job_id: JobId, session: SessionDep, caller: CallerDep) -> JobAnswer:
    """Cancel the job. No version is created; the worker moves on within two seconds."""
    caller.check_model(queue.get_job(session, job_id).model)
    job = queue.cancel(session, job_id)
    job_log.note(session, job_id, "cancelled")
    return JobAnswer.of(job, silence=None)


@router.get(
    "/jobs/{job_id}/log",
    operation_id="get_job_log",
    summary="Show a job's log, oldest line first",
    responses=problem_responses(400, 404, 422),
)
def get_job_log(
    job_id: JobId, session: SessionDep, caller: CallerDep, paging: PagingById
) -> Page[JobLine]:
    """Show one line per event: queued, started, each stage, some epochs, how and why it ended."""
    caller.check_model(queue.get_job(session, job_id).model)
    rows = job_log.list_notes(session, job_id, after=paging.start, limit=paging.rows)
    return paging.page(rows, lambda lines: [JobLine.of(line) for line in lines])


@router.get(
    "/jobs/{job_id}/events",
    operation_id="follow_job",
    summary="Follow a job by server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "the job, as in a list, whenever it changes; ends with its final state",
            "content": {"text/event-stream": {}},
        },
        204: {"description": "the final state was sent already (`Last-Event-ID`)"},
        **problem_responses(404, 422),
    },
)
async def follow_job(
    job_id: JobId,
    request: Request,
    resources: ResourcesDep,
    caller: CallerDep,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Send an event for every change.

    The stream ends when the job does, or when this process stops; then connect again.
    """
    await to_thread.run_sync(_find, resources, job_id, caller)
    if last_event_id == LAST_EVENT:
        return Response(status_code=status.HTTP_204_NO_CONTENT)
    watch: JobWatch = request.app.state.job_watch
    return StreamingResponse(
        watch.events(job_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _find(resources: Resources, job_id: UUID, caller: Caller) -> None:
    with resources.sessions.begin() as session:
        caller.check_model(queue.get_job(session, job_id).model)
