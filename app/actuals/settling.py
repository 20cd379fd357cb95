"""Forecasts meet their actuals: what each adds to the daily figures.

Every change of an actual comes to the same figures, in whatever order things arrive: what a
forecast added when it was measured by another value is taken off again.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.actuals import store
from app.actuals.store import Hit
from app.db.ids import time_of
from app.db.tables import Forecast
from app.monitoring.aggregates import Coverage, ErrorSums, coverage_of, errors_of
from app.monitoring.store import Day, Role, add_coverage, add_errors

ACTUALS_AT_ONCE = 500
FORECASTS_AT_ONCE = 5_000


def settle_unsettled(session: Session) -> int:
    """Measure forecasts by actuals that came in; gives how many, 0 when there is nothing more.

    Args:
        session: of a transaction that holds the log's position, so that one process settles.
    """
    actuals = store.lock_unsettled(session, limit=ACTUALS_AT_ONCE)
    if not actuals:
        return 0
    hits = store.hits_of_actuals(session, actuals, limit=FORECASTS_AT_ONCE)
    settle(session, hits)
    if len(hits) < FORECASTS_AT_ONCE:
        store.mark_settled(session, actuals)
    return len(actuals)


def settle(session: Session, hits: Sequence[Hit]) -> None:
    """Add these forecasts to the daily figures, with their actuals."""
    if not hits:
        return
    errors: dict[tuple[Day, int], ErrorSums] = defaultdict(ErrorSums)
    coverage: dict[tuple[Day, int], Coverage] = defaultdict(Coverage)
    for forecast, actual in hits:
        day = _day_of(forecast)
        errors[day, forecast.step] += errors_of(forecast.value, forecast.persistence, actual)
        if forecast.actual is not None:
            errors[day, forecast.step] -= errors_of(
                forecast.value, forecast.persistence, forecast.actual
            )
        for level, change in _coverage_change(forecast, actual).items():
            coverage[day, level] += change
    add_errors(session, errors)
    add_coverage(session, coverage)
    store.measure(session, hits)


def _coverage_change(forecast: Forecast, actual: float) -> dict[int, Coverage]:
    now = coverage_of(forecast.intervals, actual)
    if forecast.actual is None:
        return now
    before = coverage_of(forecast.intervals, forecast.actual)
    return {level: Coverage(covered=now[level].covered - before[level].covered) for level in now}


def _day_of(forecast: Forecast) -> Day:
    role: Role = "shadow" if forecast.role == "shadow" else "served"
    return Day(
        day=time_of(forecast.prediction_id).date(),
        model=forecast.model,
        version=forecast.version,
        role=role,
    )
