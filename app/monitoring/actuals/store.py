"""Queries on actuals, stored by model, series and moment; explicit values take precedence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, any_, cast, func, select, text
from sqlalchemy.orm import Session

from app.monitoring.actuals.moments import SECOND_LENGTH, UTC_MARK
from app.storage.ids import new_id
from app.storage.monitoring_tables import Actual, Forecast

Source = Literal["explicit", "implied"]

# Sorted, so that two who write the same actuals wait for each other in one order.
PUT = text("""
INSERT INTO actuals (id, model, series, moment, timestamp, value, source, prediction_id)
SELECT id, model, series, moment, timestamp, value, :source, prediction_id
  FROM unnest(CAST(:ids AS uuid[]), CAST(:models AS text[]), CAST(:series AS text[]),
              CAST(:moments AS text[]), CAST(:timestamps AS text[]), CAST(:values AS float8[]),
              CAST(:predictions AS uuid[]))
    AS given (id, model, series, moment, timestamp, value, prediction_id)
 WHERE :source = 'explicit'
    OR EXISTS (SELECT FROM forecasts
                WHERE forecasts.model = given.model AND forecasts.series = given.series
                  AND forecasts.moment = given.moment
                  AND forecasts.prediction_id < given.prediction_id)
 ORDER BY model, series, moment
ON CONFLICT (model, series, moment) DO UPDATE
   SET value = excluded.value, source = excluded.source, timestamp = excluded.timestamp,
       prediction_id = excluded.prediction_id, updated_at = now(),
       unsettled = actuals.unsettled OR actuals.value <> excluded.value
 WHERE (excluded.source = 'explicit' OR actuals.source = 'implied')
   AND (actuals.value <> excluded.value OR actuals.source <> excluded.source)
RETURNING xmax = 0 AS is_new
""")

# Unsettled forecasts of an actual, including those of other versions and of shadows.
WAITING = text("""
SELECT count(*)
  FROM forecasts
  JOIN unnest(CAST(:models AS text[]), CAST(:series AS text[]), CAST(:moments AS text[]))
    AS given (model, series, moment)
 USING (model, series, moment)
 WHERE forecasts.role = 'served'
""")


@dataclass(frozen=True, kw_only=True)
class Given:
    """One actual that came in."""

    model: str
    series: str  # "": without a name
    moment: str  # canonical
    timestamp: str | None  # as given
    value: float
    prediction_id: UUID | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is the value of."""
        return self.model, self.series, self.moment


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What happened to actuals that came in."""

    new: int
    changed: int
    unchanged: int


def put_actuals(session: Session, given: Sequence[Given], source: Source) -> Kept:
    """Store actuals; an implied one needs a forecast and never replaces an explicit one.

    Args:
        session: a transaction; a later one settles the forecasts, off the hot path.
        given: at most one for each key.
        source: explicit: a caller sent it. implied: from the history of a later request.
    """
    if not given:
        return Kept(new=0, changed=0, unchanged=0)
    written = session.execute(
        PUT,
        {
            "source": source,
            "ids": [new_id() for _ in given],
            "models": [one.model for one in given],
            "series": [one.series for one in given],
            "moments": [one.moment for one in given],
            "timestamps": [one.timestamp for one in given],
            "values": [one.value for one in given],
            "predictions": [one.prediction_id for one in given],
        },
    ).all()
    new = sum(is_new for (is_new,) in written)
    changed = len(written) - new
    return Kept(new=new, changed=changed, unchanged=len(given) - len(written))


def count_matching(session: Session, given: Sequence[Given]) -> int:
    """Return how many forecasts answered so far are for these moments."""
    parameters = {
        "models": [one.model for one in given],
        "series": [one.series for one in given],
        "moments": [one.moment for one in given],
    }
    count: int = session.execute(WAITING, parameters).scalar_one()
    return count


def list_actuals(
    session: Session,
    *,
    model: str,
    series: str | None,
    moments: Iterable[str] | None,
    before: UUID | None,
    limit: int,
) -> Sequence[Actual]:
    """Return the actuals of a model, newest first.

    Args:
        session: a transaction.
        model: its name.
        series: only this one; None: all.
        moments: only these; None: all.
        before: last id of the previous page; None: from the newest.
        limit: maximum number.
    """
    query = select(Actual).where(Actual.model == model).order_by(Actual.id.desc()).limit(limit)
    if series is not None:
        query = query.where(Actual.series == series)
    if moments is not None:
        query = query.where(Actual.moment == any_(cast(list(moments), ARRAY(Text))))
    return session.scalars(query if before is None else query.where(Actual.id < before)).all()


def series_of_actuals(session: Session, model: str) -> list[str]:
    """Return the names of the series that a model has actuals of."""
    query = select(Actual.series).where(Actual.model == model).distinct().order_by(Actual.series)
    return list(session.scalars(query))


def actuals_after(
    session: Session, model: str, series: str, moment: str, *, limit: int
) -> list[tuple[str, float]]:
    """Return a series' moments and values after a moment, oldest first, if they have a time."""
    in_order = func.rtrim(Actual.moment, UTC_MARK)
    query = (
        select(Actual.moment, Actual.value)
        .where(Actual.model == model, Actual.series == series)
        # The index finds candidates by the second, which both spellings begin with; the next line
        # filters them.
        .where(Actual.moment >= moment[:SECOND_LENGTH])
        .where(in_order > moment.removesuffix(UTC_MARK), Actual.timestamp.is_not(None))
        .order_by(in_order)
        .limit(limit)
    )
    return [(when, value) for when, value in session.execute(query)]


# What settling reads and writes.


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A forecast and the actual to measure it by."""

    prediction_id: UUID
    role: Literal["served", "shadow"]
    step: int
    model: str
    version: int
    value: float
    persistence: float | None
    intervals: list[dict[str, Any]] | None
    measured_by: float | None  # the actual that the daily figures include so far
    actual: float


def hits_of_predictions(session: Session, predictions: Iterable[UUID]) -> list[Hit]:
    """Return the forecasts of these predictions whose actual is known already."""
    return _hits(session, Forecast.prediction_id == any_(_array(predictions)), limit=None)


def hits_of_actuals(session: Session, actuals: Iterable[UUID], *, limit: int) -> list[Hit]:
    """Return the forecasts for these actuals that were not yet measured by them."""
    return _hits(session, Actual.id == any_(_array(actuals)), limit=limit)


def lock_unsettled(session: Session, *, limit: int) -> list[UUID]:
    """Lock actuals that forecasts may wait for, until the transaction ends."""
    query = select(Actual.id).where(Actual.unsettled).order_by(Actual.id).limit(limit)
    return list(session.scalars(query.with_for_update(skip_locked=True)))


def mark_settled(session: Session, actuals: Sequence[UUID]) -> None:
    """Record that no forecast waits for these any more."""
    statement = text("UPDATE actuals SET unsettled = false WHERE id = ANY(CAST(:ids AS uuid[]))")
    session.execute(statement, {"ids": list(actuals)})


def measure(session: Session, hits: Sequence[Hit]) -> None:
    """Record with each forecast the actual that it was measured by."""
    statement = text("""
        UPDATE forecasts SET actual = given.actual
          FROM unnest(CAST(:predictions AS uuid[]), CAST(:roles AS text[]),
                      CAST(:steps AS int[]), CAST(:actuals AS float8[]))
            AS given (prediction_id, role, step, actual)
         WHERE forecasts.prediction_id = given.prediction_id
           AND forecasts.role = given.role AND forecasts.step = given.step
        """)
    session.execute(
        statement,
        {
            "predictions": [hit.prediction_id for hit in hits],
            "roles": [hit.role for hit in hits],
            "steps": [hit.step for hit in hits],
            "actuals": [hit.actual for hit in hits],
        },
    )


def _array(ids: Iterable[UUID]) -> ColumnElement[Sequence[UUID]]:
    """Return the ids as one parameter: one for each would make a new statement for each number."""
    return cast(list(ids), ARRAY(Uuid))


def _hits(session: Session, which: ColumnElement[bool], *, limit: int | None) -> list[Hit]:
    same = (
        (Forecast.model == Actual.model)
        & (Forecast.series == Actual.series)
        & (Forecast.moment == Actual.moment)
    )
    columns = (
        *(Forecast.prediction_id, Forecast.role, Forecast.step, Forecast.model, Forecast.version),
        *(Forecast.value, Forecast.persistence, Forecast.intervals),
        Forecast.actual.label("measured_by"),
        Actual.value.label("actual"),
    )
    query = (
        select(*columns)
        .join(Actual, same)
        .where(which, Forecast.actual.is_distinct_from(Actual.value))
        .limit(limit)
    )
    return [Hit(**row) for row in session.execute(query).mappings()]
