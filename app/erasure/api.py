"""Data that can go: datasets, models, aliases, jobs, and predictions by filter."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime
from sqlalchemy.orm import Session

from app.erasure import store
from app.erasure.schemas import Erased
from app.erasure.store import Counts, LogSelection
from app.errors import Unprocessable
from app.http.dependencies import ResourcesDep
from app.http.openapi import problem_responses
from app.storage.resources import Resources

router = APIRouter(tags=["erasure"])

DryRun = Annotated[
    bool, Query(description="only say what would be deleted, or what stands in the way")
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
    """Refused while a job waits for it or a served version was trained on it.

    Versions that were trained on it stay and no longer name it. Its file leaves the store with the
    next sweep, within two days.
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
    """Refused while an alias points at one of its versions or a job of it has not ended.

    Its jobs, evaluations, actuals and daily figures go too; its predictions stay in the log. The
    name may be used again, and goes on counting versions where it stopped.
    """
    return _erased(resources, lambda session: store.erase_model(session, name), dry_run=dry_run)


@router.delete(
    "/models/{name}/aliases/{alias}",
    operation_id="delete_alias",
    summary="Delete an alias",
    responses=problem_responses(403, 404, 422),
)
def delete_alias(
    *, name: Name, alias: str, resources: ResourcesDep, dry_run: DryRun = False
) -> Erased:
    """A model without a champion is not served under its bare name any more."""
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
    """Its log goes with it; the version that it made stays."""
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
    since: Annotated[AwareDatetime | None, Query(description="of the request")] = None,
    until: Annotated[AwareDatetime | None, Query(description="of the request; excluded")] = None,
    dry_run: DryRun = False,
) -> Erased:
    """For a person's right to be forgotten: name the series, and all that is logged of it goes.

    Forecasts and actuals that the monitoring keeps of it go too; daily figures stay. At least one
    filter is required.
    """
    which = LogSelection(model=model, series=series, since=since, until=until)
    if which == LogSelection():
        raise Unprocessable(
            "name what is to go: at least one of model, series, since and until is required"
        )
    return _erased(
        resources, lambda session: store.erase_predictions(session, which), dry_run=dry_run
    )


def _erased(resources: Resources, erase: Callable[[Session], Counts], *, dry_run: bool) -> Erased:
    """Run a deletion; a dry run is the same one, rolled back."""
    with resources.sessions() as session, session.begin() as transaction:
        counts = erase(session)
        if dry_run:
            transaction.rollback()
    return Erased(dry_run=dry_run, counts={name: n for name, n in counts.items() if n})
