"""Settle forecasts: measure them by their actuals, and add the errors to the daily figures.

Every change of an actual leads to the same figures, in whatever order things arrive. What a
forecast contributed when it was measured by another value is subtracted.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.monitoring.actuals import store
from app.monitoring.actuals.store import Hit
from app.monitoring.aggregates import Coverage, ErrorSums, coverage_of, errors_of
from app.monitoring.store import Day, add_coverage, add_errors
from app.storage.ids import time_of

ACTUALS_AT_ONCE = 500
FORECASTS_AT_ONCE = 5_000


def settle_unsettled(session: Session) -> int:
    """Measure forecasts by actuals that came in; return how many, 0 if none are left.

    Args:
        session: of a transaction that holds the log's position, so that only one process settles.
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
    """Add these forecasts, with their actuals, to the daily figures."""
    if not hits:
        return
    errors: dict[tuple[Day, int], ErrorSums] = defaultdict(ErrorSums)
    coverage: dict[tuple[Day, int], Coverage] = defaultdict(Coverage)
    for hit in hits:
        day = _day_of(hit)
        errors[day, hit.step] += errors_of(hit.value, hit.persistence, hit.actual)
        if hit.measured_by is not None:
            errors[day, hit.step] -= errors_of(hit.value, hit.persistence, hit.measured_by)
        for level, change in _coverage_change(hit).items():
            coverage[day, level] += change
    add_errors(session, errors)
    add_coverage(session, coverage)
    store.measure(session, hits)


def _coverage_change(hit: Hit) -> dict[int, Coverage]:
    now = coverage_of(hit.intervals, hit.actual)
    if hit.measured_by is None:
        return now
    before = coverage_of(hit.intervals, hit.measured_by)
    return {level: Coverage(covered=now[level].covered - before[level].covered) for level in now}


def _day_of(hit: Hit) -> Day:
    day = time_of(hit.prediction_id).date()
    return Day(day=day, model=hit.model, version=hit.version, role=hit.role)
