"""The monitoring's queries: reading the log, and the daily figures that outlive it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast
from uuid import UUID

from psycopg import Cursor
from psycopg.types.json import Jsonb
from sqlalchemy import ColumnElement, delete, exists, func, select, text, update
from sqlalchemy.orm import Session

from app.artifact.manifest import Manifest
from app.monitoring.aggregates import Coverage, ErrorSums
from app.monitoring.logged_answers import Facts, LoggedAnswer, Role, Step
from app.storage.ids import first_id
from app.storage.monitoring_tables import (
    DailyCoverage,
    DailyErrors,
    DailyInputs,
    DailyRequests,
    Forecast,
    LogPosition,
    ReadPrediction,
)
from app.storage.tables import Alias, Prediction, Version

LOGGED = [getattr(Prediction, name) for name in LoggedAnswer._fields]
NOT_READ = ~exists().where(ReadPrediction.id == Prediction.id)


@dataclass(frozen=True, kw_only=True)
class Day:
    """What daily figures belong to: a version on a day in UTC."""

    day: date
    model: str
    version: int
    role: Role


@dataclass(kw_only=True)
class Asked:
    """How much a version was asked; can be added up."""

    requests: int = 0
    refused: int = 0
    skipped: int = 0

    def __add__(self, other: "Asked") -> "Asked":
        return Asked(
            requests=self.requests + other.requests,
            refused=self.refused + other.refused,
            skipped=self.skipped + other.skipped,
        )


# Reading the log: once, in the order of ids, by one process at a time.


def lock_position(session: Session, *, wait: bool) -> UUID | None:
    """Lock the log's position until the transaction ends, and return how far it has been read.

    Args:
        session: of the transaction.
        wait: whether to wait for another process that has the lock; otherwise return None.
    """
    query = select(LogPosition.position).where(LogPosition.id == 1)
    return session.scalar(query.with_for_update(skip_locked=not wait))


def position_of_log(session: Session) -> UUID:
    """Return how far the log has been read."""
    return session.scalars(select(LogPosition.position)).one()


def newest_read(session: Session, position: UUID) -> UUID:
    """Return the newest prediction that was read, or the position if none is after it."""
    newest = select(ReadPrediction.id).order_by(ReadPrediction.id.desc()).limit(1)
    return session.scalar(newest) or position


def predictions_after(session: Session, newest: UUID, *, limit: int) -> list[LoggedAnswer]:
    """Return the oldest predictions after this one, in order; none of them has been read."""
    return _logged(session, Prediction.id > newest, limit=limit)


def late_predictions(
    session: Session, position: UUID, newest: UUID, *, limit: int
) -> list[LoggedAnswer]:
    """Return predictions that became visible after later ones had been read, in order."""
    which = (Prediction.id > position) & (Prediction.id <= newest) & NOT_READ
    return _logged(session, which, limit=limit)


def _logged(session: Session, which: ColumnElement[bool], *, limit: int) -> list[LoggedAnswer]:
    query = select(*LOGGED).where(which).order_by(Prediction.id).limit(limit)
    return [LoggedAnswer._make(row) for row in session.execute(query)]


def count_unread(session: Session, model: str, *, limit: int = 10_000) -> int:
    """Count a model's predictions that have not been read, up to the limit."""
    unread = (
        select(Prediction.id)
        .where(Prediction.model == model, Prediction.id > position_of_log(session), NOT_READ)
        .limit(limit)
        .subquery()
    )
    return session.execute(select(func.count()).select_from(unread)).scalar_one()


def count_answered(session: Session, model: str, since: datetime, *, limit: int = 10_000) -> int:
    """Count a model's requests that were answered since then, up to the limit."""
    answered = (
        select(Prediction.id)
        .where(Prediction.model == model, Prediction.id >= first_id(since))
        .limit(limit)
        .subquery()
    )
    return session.execute(select(func.count()).select_from(answered)).scalar_one()


def note_read(session: Session, read: Sequence[UUID]) -> None:
    """Remember what was read beyond the position."""
    note = text("INSERT INTO read_predictions SELECT unnest(CAST(:ids AS uuid[]))")
    session.execute(note, {"ids": read})


def move_position(session: Session, position: UUID) -> None:
    """Move the position: everything before it has been read, and nothing more will appear there."""
    session.execute(update(LogPosition).values(position=position))
    session.execute(delete(ReadPrediction).where(ReadPrediction.id <= position))


def facts_of_versions(
    session: Session, versions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Facts]:
    """Return what is needed to read the answers of series versions."""
    found = {}
    for model, number in sorted(set(versions)):
        row = session.get(Version, (model, number))
        manifest = None if row is None else Manifest.model_validate(row.manifest)
        if manifest is not None and manifest.series is not None:
            found[model, number] = Facts(
                target=manifest.series.target,
                features=manifest.series.features,
                window=manifest.window,
            )
    return found


def pointers(session: Session, alias: str) -> dict[str, tuple[int, datetime]]:
    """Return, for each model with this alias, the version it points at, and since when."""
    query = select(Alias.model, Alias.version, Alias.moved_at).where(Alias.alias == alias)
    return {model: (version, since) for model, version, since in session.execute(query)}


def add_forecasts(session: Session, steps: Iterable[Step]) -> None:
    """Store steps of answers until their actuals are known."""
    command = f"COPY forecasts ({', '.join(Step._fields)}) FROM STDIN"
    cursor = cast("Cursor", session.connection().connection.cursor())
    with cursor, cursor.copy(command) as copy:
        for step in steps:
            intervals = None if step.intervals is None else Jsonb(step.intervals)
            copy.write_row((*step[:-1], intervals))


def forget_forecasts(session: Session, before: UUID) -> None:
    """Delete the forecasts of predictions that leave the log."""
    session.execute(delete(Forecast).where(Forecast.prediction_id < before))


# Daily figures: adding.


def add_requests(session: Session, asked: Mapping[Day, Asked]) -> None:
    """Count requests."""
    statement = text("""
        INSERT INTO daily_requests AS known
               (day, model, version, role, requests, refused, skipped)
        VALUES (:day, :model, :version, :role, :requests, :refused, :skipped)
        ON CONFLICT (day, model, version, role) DO UPDATE
           SET requests = known.requests + excluded.requests,
               refused = known.refused + excluded.refused,
               skipped = known.skipped + excluded.skipped
        """)
    rows = [vars(day) | vars(counts) for day, counts in asked.items()]
    if rows:
        session.execute(statement, rows)


def add_errors(session: Session, sums: Mapping[tuple[Day, int], ErrorSums]) -> None:
    """Add to the sums of a day and a step."""
    statement = text("""
        INSERT INTO daily_errors AS known
               (day, model, version, role, step, forecasts, signed, absolute, squared,
                compared, compared_squared, persistence_squared)
        VALUES (:day, :model, :version, :role, :step, :forecasts, :signed, :absolute, :squared,
                :compared, :compared_squared, :persistence_squared)
        ON CONFLICT (day, model, version, role, step) DO UPDATE
           SET forecasts = known.forecasts + excluded.forecasts,
               signed = known.signed + excluded.signed,
               absolute = known.absolute + excluded.absolute,
               squared = known.squared + excluded.squared,
               compared = known.compared + excluded.compared,
               compared_squared = known.compared_squared + excluded.compared_squared,
               persistence_squared = known.persistence_squared + excluded.persistence_squared
        """)
    rows = [vars(day) | {"step": step} | vars(one) for (day, step), one in sums.items()]
    if rows:
        session.execute(statement, rows)


def add_coverage(session: Session, coverage: Mapping[tuple[Day, int], Coverage]) -> None:
    """Add to the coverage of a day and a level."""
    statement = text("""
        INSERT INTO daily_coverage AS known
               (day, model, version, role, level, forecasts, covered)
        VALUES (:day, :model, :version, :role, :level, :forecasts, :covered)
        ON CONFLICT (day, model, version, role, level) DO UPDATE
           SET forecasts = known.forecasts + excluded.forecasts,
               covered = known.covered + excluded.covered
        """)
    rows = [vars(day) | {"level": level} | vars(one) for (day, level), one in coverage.items()]
    if rows:
        session.execute(statement, rows)


def add_inputs(session: Session, shown: Mapping[tuple[Day, str], Sequence[int]]) -> None:
    """Add to the histograms of inputs; the log's position is locked, so nobody else does."""
    for (day, feature), counts in shown.items():
        key = (day.day, day.model, day.version, feature)
        row = session.get(DailyInputs, key)
        if row is None:
            row = DailyInputs(
                day=day.day,
                model=day.model,
                version=day.version,
                feature=feature,
                counts=[0] * len(counts),
            )
            session.add(row)
        row.counts = [before + more for before, more in zip(row.counts, counts, strict=True)]
    session.flush()


# Daily figures: reading.


def requests_since(session: Session, model: str, since: date) -> dict[Day, Asked]:
    """Return requests by day and version."""
    query = select(DailyRequests).where(DailyRequests.model == model, DailyRequests.day >= since)
    return {
        _day(row): Asked(requests=row.requests, refused=row.refused, skipped=row.skipped)
        for row in session.scalars(query)
    }


def errors_since(session: Session, model: str, since: date) -> dict[tuple[Day, int], ErrorSums]:
    """Return sums by day and version, and by step."""
    query = select(DailyErrors).where(DailyErrors.model == model, DailyErrors.day >= since)
    return {
        (_day(row), row.step): ErrorSums(
            forecasts=row.forecasts,
            signed=row.signed,
            absolute=row.absolute,
            squared=row.squared,
            compared=row.compared,
            compared_squared=row.compared_squared,
            persistence_squared=row.persistence_squared,
        )
        for row in session.scalars(query)
    }


def coverage_since(session: Session, model: str, since: date) -> dict[tuple[Day, int], Coverage]:
    """Return coverage by day and version, and by level."""
    query = select(DailyCoverage).where(DailyCoverage.model == model, DailyCoverage.day >= since)
    return {
        (_day(row), row.level): Coverage(forecasts=row.forecasts, covered=row.covered)
        for row in session.scalars(query)
    }


def inputs_since(session: Session, model: str, since: date) -> dict[tuple[Day, str], list[int]]:
    """Return histograms of served requests by day and version, and by feature."""
    query = select(DailyInputs).where(DailyInputs.model == model, DailyInputs.day >= since)
    return {
        (Day(day=row.day, model=model, version=row.version, role="served"), row.feature): row.counts
        for row in session.scalars(query)
    }


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """A shadow and the served version, over settled forecasts that both made."""

    forecasts: int
    shadow_squared: float
    served_squared: float


def compare_shadow(session: Session, model: str, version: int, since: UUID) -> SideBySide:
    """Compare a shadow with the served version on the same requests, as far as logged."""
    statement = text("""
        SELECT count(*) AS forecasts,
               coalesce(sum(power(least(abs(shadow.value - shadow.actual), 1e100), 2)), 0)
                 AS shadow_squared,
               coalesce(sum(power(least(abs(served.value - served.actual), 1e100), 2)), 0)
                 AS served_squared
          FROM forecasts AS shadow
          JOIN forecasts AS served
            ON served.prediction_id = shadow.prediction_id AND served.step = shadow.step
           AND served.role = 'served'
         WHERE shadow.role = 'shadow' AND shadow.model = :model AND shadow.version = :version
           AND shadow.prediction_id >= :since
           AND shadow.actual IS NOT NULL AND served.actual IS NOT NULL
        """)
    parameters = {"model": model, "version": version, "since": since}
    return SideBySide(**session.execute(statement, parameters).mappings().one())


def _day(row: DailyRequests | DailyErrors | DailyCoverage) -> Day:
    role: Role = "shadow" if row.role == "shadow" else "served"
    return Day(day=row.day, model=row.model, version=row.version, role=role)
