"""Compare RNN, GRU and LSTM on one dataset."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Request, Response, status
from sqlalchemy.orm import Session

from app.access.quotas import check_queue
from app.assessments.comparisons import store
from app.assessments.comparisons.ordering import CELLS, check_order, compare
from app.assessments.comparisons.schemas import BODY, ComparisonAnswer
from app.datasets.ingest import understand
from app.datasets.store import UnderstoodFile
from app.datasets.upload import UploadedFile, receive_multipart
from app.http.caller import Caller
from app.http.dependencies import CallerDep, ResourcesDep, SessionDep
from app.http.openapi import problem_responses
from app.http.paging import Page, Paging, id_key, paging_by
from app.jobs.order import FILES, Order, read_order
from app.jobs.ordering import check_references
from app.jobs.queue import silence_of_workers
from app.registry.references import MODEL_NAME
from app.registry.store import find_model
from app.storage.resources import Resources
from app.storage.tables import Comparison

router = APIRouter(tags=["training"])

FIELDS = ("dataset", "read", "target", "recipe")
MOST_SHOWN = 50  # each includes the scorecards of its cells
DEFAULT_SHOWN = 10
ModelName = Annotated[
    str, Path(description="a new name, or a model to get new versions", examples=["prices"])
]
ComparisonId = Annotated[UUID, Path(description="a comparison's id")]


@router.post(
    "/models/{name}/compare",
    operation_id="compare_cells",
    summary="Train RNN, GRU and LSTM alike, and compare them with an MLP and simple forecasts",
    status_code=status.HTTP_202_ACCEPTED,
    responses=problem_responses(400, 403, 409, 413, 415, 422, 507),
    openapi_extra=BODY,
)
async def compare_cells(
    name: ModelName,
    request: Request,
    response: Response,
    resources: ResourcesDep,
    caller: CallerDep,
) -> ComparisonAnswer:
    """Queue three trainings that differ only in the cell; `Location` names the comparison.

    Each is a job and becomes a version of the model like any other. Only a lead that is more than
    noise moves the champion; in a new model, the first to finish becomes it.
    """
    async with receive_multipart(request, files=FILES, fields=FIELDS) as form:
        order = read_order(name, form)
        check_order(order)
        await to_thread.run_sync(_check_references, resources, order)
        uploads: dict[str, UnderstoodFile] = {}
        for part in (order.data, order.test):
            if isinstance(part, UploadedFile):
                uploads[part.field] = await understand(request, form, part, order.read)
    answer = await to_thread.run_sync(_compare, resources, caller, order, uploads)
    response.headers["Location"] = f"/models/{name}/comparisons/{answer.id}"
    return answer


@router.get(
    "/models/{name}/comparisons",
    operation_id="list_comparisons",
    summary="List the comparisons of a model, newest first",
    responses=problem_responses(400, 404, 422),
)
def list_comparisons(
    name: ModelName,
    session: SessionDep,
    paging: Annotated[
        Paging[UUID], Depends(paging_by(id_key, usual=DEFAULT_SHOWN, most=MOST_SHOWN))
    ],
) -> Page[ComparisonAnswer]:
    """Show the comparisons of a model, even before its first version is trained."""
    if not MODEL_NAME.fullmatch(name) or not store.has_comparison(session, name):
        find_model(session, name)
    rows = store.list_comparisons(session, name, limit=paging.rows, before=paging.start)
    return paging.page(rows, lambda comparisons: _answers(session, comparisons))


@router.get(
    "/models/{name}/comparisons/{comparison_id}",
    operation_id="get_comparison",
    summary="Show a comparison: each cell's job and figures, the baselines, the verdict",
    responses=problem_responses(404, 422),
)
def get_comparison(
    name: ModelName, comparison_id: ComparisonId, session: SessionDep
) -> ComparisonAnswer:
    """Show a comparison. Figures appear as the jobs end, the verdict when all have ended."""
    (answer,) = _answers(session, [store.get_comparison(session, name, comparison_id)])
    return answer


@router.post(
    "/models/{name}/comparisons/{comparison_id}/cancel",
    operation_id="cancel_comparison",
    summary="Cancel those trainings of a comparison that have not ended",
    responses=problem_responses(403, 404, 409, 422),
)
def cancel_comparison(
    name: ModelName, comparison_id: ComparisonId, session: SessionDep
) -> ComparisonAnswer:
    """Cancel the comparison; the versions that were trained by then stay."""
    comparison = store.get_comparison(session, name, comparison_id)
    store.cancel_comparison(session, comparison)
    (answer,) = _answers(session, [comparison])
    return answer


def _check_references(resources: Resources, order: Order) -> None:
    with resources.sessions.begin() as session:
        check_references(session, order)


def _compare(
    resources: Resources, caller: Caller, order: Order, uploads: dict[str, UnderstoodFile]
) -> ComparisonAnswer:
    with resources.sessions.begin() as session:
        check_queue(session, caller, jobs=len(CELLS))
        comparison = compare(session, resources.store, order, uploads, key=caller.name)
        (answer,) = _answers(session, [comparison])
        return answer


def _answers(session: Session, comparisons: Sequence[Comparison]) -> list[ComparisonAnswer]:
    jobs = store.jobs_of(session, comparisons)
    versions = store.versions_of(session, jobs)
    silence = silence_of_workers(session)
    return [
        ComparisonAnswer.of(
            comparison,
            [job for job in jobs if job.comparison_id == comparison.id],
            versions,
            silence=silence,
        )
        for comparison in comparisons
    ]
