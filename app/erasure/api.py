"""Delete datasets, models, aliases, jobs, and predictions by filter."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from app.erasure import store
from app.erasure.schemas import Erased
from app.erasure.store import Counts, LogSelection
from app.errors import Unprocessable
from app.http.dependencies import ResourcesDep
from app.http.moments import Moment
from app.http.openapi import problem_responses
from app.registry.schemas import AliasName
from app.storage.resources import Resources

router = APIRouter(tags=["erasure"])

DryRun = Annotated[
    bool, Query(description="only report what would be deleted, or what prevents it")
]
NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, Path(description="a model's name")]


@router.delete(
    "/datasets/{dataset_id}",
    operation_id="delete_dataset",
    summary="Delete a dataset",
    responses=problem_responses(403, 404, 409, 422),
)
def delete_dataset(*, dataset_id: UUID, resources: ResourcesDep, dry_run: DryRun = False) -> Erased:
    """Refused while an unfinished job uses it or an alias points at a version trained on it.

    Other versions trained on it are kept and no longer name it. Its file is removed from the store
    within two days.
    """
    return _erased(
        resources, lambda session: store.erase_dataset(session, dataset_id), dry_run=dry_run
    )


@router.delete(
    "/models/{name}",
    operation_id="delete_model",
    summary="Delete a model with all its versions",
    responses=problem_responses(403, 404, 409, 422),
)
def delete_model(*, name: Name, resources: ResourcesDep, dry_run: DryRun = False) -> Erased:
    """Refused while an alias points at one of its versions or one of its jobs is unfinished.

    Also deletes its jobs, evaluations, actual values and daily figures; its predictions stay in
    the log. The name may be reused; its version numbers continue where they stopped.
    """
    return _erased(resources, lambda session: store.erase_model(session, name), dry_run=dry_run)


@router.delete(
    "/models/{name}/aliases/{alias}",
    operation_id="delete_alias",
    summary="Delete an alias",
    responses=problem_responses(403, 404, 422),
)
def delete_alias(
    *, name: Name, alias: AliasName, resources: ResourcesDep, dry_run: DryRun = False
) -> Erased:
    """Without a champion, the model's name alone can no longer be used in requests."""
    return _erased(
        resources, lambda session: store.erase_alias(session, name, alias), dry_run=dry_run
    )


@router.delete(
    "/jobs/{job_id}",
    operation_id="delete_job",
    summary="Delete a job that has ended",
    responses=problem_responses(403, 404, 409, 422),
)
def delete_job(*, job_id: UUID, resources: ResourcesDep, dry_run: DryRun = False) -> Erased:
    """Also deletes its log; the version that it created is kept."""
    return _erased(resources, lambda session: store.erase_job(session, job_id), dry_run=dry_run)


@router.delete(
    "/predictions",
    operation_id="delete_predictions",
    summary="Delete predictions by model, series and time",
    responses=problem_responses(403, 422),
)
def delete_predictions(
    *,
    resources: ResourcesDep,
    model: Annotated[str | None, Query(max_length=200, pattern=NO_NUL)] = None,
    series: Annotated[
        str | None,
        Query(max_length=1000, pattern=NO_NUL, description="the `series` that requests named"),
    ] = None,
    since: Annotated[Moment | None, Query(description="of the request")] = None,
    until: Annotated[Moment | None, Query(description="of the request; excluded")] = None,
    dry_run: DryRun = False,
) -> Erased:
    """Use it for the right to erasure: name the series to delete everything logged about it.

    Also deletes the forecasts and actual values that monitoring has stored; daily figures are kept.
    At least one filter is required.
    """
    which = LogSelection(model=model, series=series, since=since, until=until)
    if which == LogSelection():
        raise Unprocessable(
            "say what to delete: at least one of model, series, since and until is required"
        )
    return _erased(
        resources, lambda session: store.erase_predictions(session, which), dry_run=dry_run
    )


def _erased(resources: Resources, erase: Callable[[Session], Counts], *, dry_run: bool) -> Erased:
    """Run a deletion; roll it back in a dry run."""
    with resources.sessions() as session, session.begin() as transaction:
        counts = erase(session)
        if dry_run:
            transaction.rollback()
    return Erased(dry_run=dry_run, counts={name: n for name, n in counts.items() if n})
