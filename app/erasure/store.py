"""Delete rows and count them, or refuse and name what prevents it.

Files in the object store are not deleted here. A file without references is swept a day later, so
that a concurrent upload of the same bytes never loses its file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Delete, Table, delete, func, or_, select
from sqlalchemy.orm import Session

from app.datasets.store import get_dataset
from app.errors import Conflict, NotFound
from app.jobs.queue import get_job, hold_model
from app.registry.aliases import list_aliases, raise_revision
from app.registry.references import check_alias_name
from app.registry.store import find_model
from app.storage.ids import first_id
from app.storage.job_status import FINAL, UNFINISHED
from app.storage.monitoring_tables import (
    Actual,
    DailyCoverage,
    DailyErrors,
    DailyInputs,
    DailyRequests,
    DailyTexts,
    Forecast,
    RetrainingDecision,
    Schedule,
    TextActual,
    TextScore,
)
from app.storage.tables import (
    Alias,
    AliasMove,
    Base,
    Comparison,
    Dataset,
    Evaluation,
    ForecastRun,
    Job,
    Prediction,
    RefusedCall,
    Version,
)

Counts = dict[str, int]
SHOWN = 5  # names in a message about what prevents a deletion
OF_A_MODEL: tuple[type[Base], ...] = (
    Evaluation,
    ForecastRun,
    Job,
    Comparison,
    AliasMove,
    Schedule,
    RetrainingDecision,
    Actual,
    Forecast,
    DailyRequests,
    DailyErrors,
    DailyCoverage,
    DailyInputs,
    TextActual,
    TextScore,
    DailyTexts,
    Version,
)
# What monitoring derives from a prediction, or was sent for it alone.
OF_A_PREDICTION: tuple[type[Base], ...] = (Forecast, TextActual, TextScore)


@dataclass(frozen=True, kw_only=True)
class LogSelection:
    """Filters for predictions to delete; a prediction must match all that are given."""

    model: str | None = None
    series: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def erase_dataset(session: Session, dataset_id: UUID) -> Counts:
    """Delete a dataset and the evaluations on it; versions and jobs only lose their reference.

    Raises:
        NotFound: no dataset has that id.
        Conflict: an unfinished job uses it, or an alias points at a version trained on it.
    """
    get_dataset(session, dataset_id)
    uses = or_(Job.dataset_id == dataset_id, Job.test_dataset_id == dataset_id)
    waiting = session.scalars(select(Job.id).where(uses, Job.status.in_(UNFINISHED))).all()
    if waiting:
        raise _in_the_way("unfinished jobs use this dataset", waiting, "cancel them")
    at_alias = (Alias.model == Version.model) & (Alias.version == Version.number)
    served = session.execute(
        select(Alias.model, Alias.alias)
        .join(Version, at_alias)
        .where(Version.dataset_id == dataset_id)
        .order_by(Alias.model, Alias.alias)
    ).all()
    if served:
        names = [f"{model}@{alias}" for model, alias in served]
        raise _in_the_way(
            "aliases point at versions trained on it", names, "point them at other versions"
        )
    counts = {
        "datasets": 1,
        "evaluations": _count(session, Evaluation, Evaluation.dataset_id == dataset_id),
    }
    session.execute(delete(Dataset).where(Dataset.id == dataset_id))
    return counts


def erase_model(session: Session, name: str) -> Counts:
    """Delete a model with its versions, jobs, actual values and figures; its name may be reused.

    Its predictions stay in the log until they are deleted by a filter. A later model of the same
    name continues the version numbers, so that a logged version is never ambiguous.

    Raises:
        NotFound: no model has that name.
        Conflict: an alias points at a version, or a job is unfinished.
    """
    model = find_model(session, name)
    hold_model(session, name)
    session.refresh(model, with_for_update=True)
    aliases = [f"{name}@{each.alias}" for each in list_aliases(session, [name])]
    if aliases:
        raise _in_the_way(
            f"{name!r} is served", aliases, f"delete them with DELETE /models/{name}/aliases/ALIAS"
        )
    unfinished = (Job.model == name) & Job.status.in_(UNFINISHED)
    waiting = session.scalars(select(Job.id).where(unfinished)).all()
    if waiting:
        raise _in_the_way(f"jobs of {name!r} are unfinished", waiting, "cancel them")
    counts: Counts = {"models": 1}
    for table in OF_A_MODEL:
        statement = delete(table).where(_column(table, "model") == name)
        counts[table.__tablename__] = _deleted(session, statement)
    model.deleted_at = datetime.now(UTC)
    model.description, model.tags = "", []
    session.flush()
    raise_revision(session)
    return counts


def erase_alias(session: Session, model: str, alias: str) -> Counts:
    """Delete an alias; requests that name it are then answered with 404.

    Raises:
        NotFound: there is no such model or alias.
    """
    find_model(session, model)
    check_alias_name(alias)
    pointer = session.get(Alias, (model, alias), with_for_update=True)
    if pointer is None:
        raise NotFound(f"{model!r} has no alias {alias[:100]!r}")
    session.delete(pointer)
    session.flush()
    raise_revision(session)
    return {"aliases": 1}


def erase_job(session: Session, job_id: UUID) -> Counts:
    """Delete a job that has ended, with its log; the version that it created is kept.

    Raises:
        NotFound: no job has that id.
        Conflict: the job has not ended.
    """
    job = get_job(session, job_id)
    if job.status not in FINAL:
        raise Conflict(f"job {job_id} is {job.status}: cancel it first")
    session.delete(job)  # the database deletes its notes, too
    session.flush()
    return {"jobs": 1}


def erase_predictions(session: Session, which: LogSelection) -> Counts:
    """Delete predictions from the log, and the monitoring's forecasts and actuals for them.

    Daily figures are kept, because they are sums over many requests.

    Args:
        session: in its own transaction, which may be long.
        which: at least one filter.

    Raises:
        ValueError: there is no filter.
    """
    rows = _conditions(which)
    ids = select(Prediction.id).where(*rows).scalar_subquery()
    counts = {
        table.__tablename__: _deleted(
            session, delete(table).where(_column(table, "prediction_id").in_(ids))
        )
        for table in OF_A_PREDICTION
    }
    counts["actuals"] = _deleted(session, delete(Actual).where(*_of_actuals(which, ids)))
    return {"predictions": _deleted(session, delete(Prediction).where(*rows)), **counts}


def erase_refused_calls(session: Session, *, until: datetime) -> int:
    """Delete refused calls from before a time and return their number."""
    return _deleted(session, delete(RefusedCall).where(RefusedCall.created_at < until))


def erase_old_jobs(session: Session, *, until: datetime) -> int:
    """Delete jobs that ended before a time and return their number."""
    return _deleted(session, delete(Job).where(Job.status.in_(FINAL), Job.finished_at < until))


def erase_old_runs(session: Session, *, until: datetime) -> int:
    """Delete forecast runs from before a time and return their number."""
    return _deleted(session, delete(ForecastRun).where(ForecastRun.created_at < until))


def erase_old_datasets(session: Session, *, until: datetime) -> int:
    """Delete datasets from before a time that no version and no unfinished job uses."""
    used = or_(
        select(Version.number).where(Version.dataset_id == Dataset.id).exists(),
        select(Job.id)
        .where(
            Job.status.in_(UNFINISHED),
            or_(Job.dataset_id == Dataset.id, Job.test_dataset_id == Dataset.id),
        )
        .exists(),
    )
    return _deleted(session, delete(Dataset).where(Dataset.created_at < until, ~used))


def _conditions(which: LogSelection) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.model is not None:
        found.append(Prediction.model == which.model)
    if which.series is not None:
        found.append(Prediction.series == which.series)
    if which.since is not None:
        found.append(Prediction.id >= first_id(which.since))
    if which.until is not None:
        found.append(Prediction.id < first_id(which.until))
    if not found:
        raise ValueError("a selection without a filter would delete the whole log")
    return found


def _of_actuals(which: LogSelection, ids: Any) -> list[ColumnElement[bool]]:  # noqa: ANN401
    """Select actual values: all of a series, or those derived from the selected predictions."""
    if which.series is None or which.since is not None or which.until is not None:
        return [Actual.prediction_id.in_(ids)]
    named = [Actual.series == which.series]
    return [*named, Actual.model == which.model] if which.model is not None else named


def _count(session: Session, table: type[Base], condition: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(table).where(condition)) or 0


def _deleted(session: Session, statement: Delete) -> int:
    result: Any = session.execute(statement)
    return int(result.rowcount)


def _column(table: type[Base], name: str) -> ColumnElement[Any]:
    described: Table = table.metadata.tables[table.__tablename__]
    return described.c[name]


def _in_the_way(what: str, names: Sequence[object], remedy: str) -> Conflict:
    shown = ", ".join(map(str, names[:SHOWN]))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    message = f"{what}: {shown}{more}; {remedy} first"
    return Conflict(message, extra={"in_the_way": [str(each) for each in names]})
