"""Read the log once and in order: count requests, keep forecasts, find actuals, ask shadows.

Any process may read; the lock on the position's row decides which one does. A reader that dies has
changed nothing, because every batch is one transaction with the position.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from app.datasets.store import stored_tail
from app.errors import StepaheadError
from app.forecasting.drift import binned
from app.monitoring import store
from app.monitoring.actuals.settling import settle, settle_unsettled
from app.monitoring.actuals.store import Given, hits_of_predictions, put_actuals
from app.monitoring.logged_answers import (
    Facts,
    Floats,
    History,
    LoggedAnswer,
    Role,
    Step,
    history_of,
    implied_actuals,
    last_target,
    steps_of,
    windows_shown,
)
from app.monitoring.shadow import Answers, Shadows
from app.monitoring.store import Asked, Day
from app.monitoring.texts.settling import TextSettler
from app.process.observability import get_logger
from app.storage.ids import first_id, time_of
from app.storage.resources import Resources

ROWS_AT_ONCE = 500
# A row becomes visible some time after its id was made: a commit may take 10 s and is tried twice,
# and the clocks of machines differ. Until then, ids that were read are remembered.
LATE_BY = timedelta(minutes=2)
# How often to look for rows that became visible late. That scans all of this time again, which
# takes PostgreSQL 0.4 s for 300,000 rows.
LATE_EVERY = timedelta(seconds=15)

logger = get_logger(__name__)


@dataclass(kw_only=True)
class Gathered:
    """What was gathered from a batch of the log."""

    asked: dict[Day, Asked] = field(default_factory=lambda: defaultdict(Asked))
    steps: list[Step] = field(default_factory=list)
    implied: dict[tuple[str, str, str], Given] = field(default_factory=dict)
    shown: dict[tuple[Day, str], list[Floats]] = field(default_factory=lambda: defaultdict(list))


class LogReader:
    """Reads the log for one process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._shadows = Shadows(resources)
        self._texts = TextSettler(resources)

    def read_and_settle(self, *, wait: bool = False) -> int:
        """Process one batch; return how much was done, 0 if nothing is left for now.

        Args:
            wait: whether to wait for another process that reads; otherwise return 0.
        """
        with self._resources.sessions.begin() as session:
            position = store.lock_position(session, wait=wait)
            if position is None:
                return 0
            done = self._read(session, position) + settle_unsettled(session)
            return done + self._texts.settle(session)

    def _read(self, session: Session, position: UUID) -> int:
        settled = datetime.now(UTC) - LATE_BY
        newest = store.newest_read(session, position)
        is_all_known = newest == position
        rows: list[LoggedAnswer] = []
        if not is_all_known and time_of(position) <= settled - LATE_EVERY:
            rows = store.late_predictions(session, position, newest, limit=ROWS_AT_ONCE)
            is_all_known = True
        if len(rows) < ROWS_AT_ONCE:
            rows += store.predictions_after(session, newest, limit=ROWS_AT_ONCE - len(rows))
        else:
            settled -= LATE_EVERY  # there may be more of them, so the next batch looks at once
        if newest == position and not rows:
            return 0
        following = _next_position(position, rows, settled) if is_all_known else position
        if rows:
            self._take_in(session, rows)
            store.note_read(session, [row.id for row in rows if row.id > following])
        if following > position:
            store.move_position(session, following)
        return len(rows)

    def _take_in(self, session: Session, rows: Sequence[LoggedAnswer]) -> None:
        rows = [row for row in rows if row.request.get("live", True)]  # no try-outs
        gathered = Gathered()
        facts = store.facts_of_versions(
            session, [(row.model, row.version) for row in rows if row.kind == "series"]
        )
        answers = self._shadows.answer(session, rows)
        for row in rows:
            day = _day_of(row, row.version, "served")
            gathered.asked[day].requests += 1
            known = facts.get((row.model, row.version))
            if known is None:  # a text, which is measured once it is known what followed
                continue
            try:
                history = self._history(session, row, known)
                _gather(gathered, row, day, known, history=history, answers=answers)
            except (KeyError, TypeError, ValueError) as error:
                # Logged by another version of this service; the rest of the log is read.
                logger.warning("prediction not measured", prediction=str(row.id), error=repr(error))
        store.add_requests(session, gathered.asked)
        store.add_inputs(session, _binned(gathered.shown, facts))
        store.add_forecasts(session, gathered.steps)
        put_actuals(session, list(gathered.implied.values()), "implied")
        settle(session, hits_of_predictions(session, [row.id for row in rows]))

    def _history(self, session: Session, row: LoggedAnswer, facts: Facts) -> History | None:
        """Return what the request showed, or None if its dataset cannot be read any more."""
        history = history_of(row.request, facts)
        if history is not None:
            return history
        names = tuple(feature.name for feature in facts.features)
        try:
            tail = stored_tail(
                session,
                self._resources.store,
                UUID(row.request["dataset"]),
                columns=names,
                rows=facts.window or 1,
                series=row.series,
            )
        except StepaheadError as error:
            logger.warning("dataset of a prediction not read", error=str(error))
            return None
        return History(
            columns={name: tail.column(name).tolist() for name in names},
            timestamps=tail.row_times_iso() or None,
        )


def _gather(
    gathered: Gathered,
    row: LoggedAnswer,
    day: Day,
    facts: Facts,
    *,
    history: History | None,
    answers: Answers,
) -> None:
    persistence = None if history is None else last_target(history, facts)
    forecasts = row.response["predictions"]
    gathered.steps += steps_of(row, "served", row.version, forecasts, persistence)
    if row.id in answers:
        _gather_shadow(gathered, row, persistence, *answers[row.id])
    if history is None:
        return
    for name, window in windows_shown(history, facts).items():
        gathered.shown[day, name].append(window)
    # Rows are in order of time, so the newest history decides about a moment.
    for given in implied_actuals(row, history, facts):
        gathered.implied[given.key] = given


def _gather_shadow(
    gathered: Gathered,
    row: LoggedAnswer,
    persistence: float | None,
    version: int,
    outcome: dict[str, Any] | StepaheadError | None,
) -> None:
    asked = gathered.asked[_day_of(row, version, "shadow")]
    if outcome is None:
        asked.skipped += 1
        return
    asked.requests += 1
    if isinstance(outcome, StepaheadError):
        asked.refused += 1
        return
    gathered.steps += steps_of(row, "shadow", version, outcome["predictions"], persistence)


def _binned(
    shown: dict[tuple[Day, str], list[Floats]], facts: dict[tuple[str, int], Facts]
) -> dict[tuple[Day, str], list[int]]:
    """Return histograms of what was shown, for the features that have quantiles."""
    quantiles = {
        (model, version, feature.name): feature.quantiles
        for (model, version), known in facts.items()
        for feature in known.features
        if feature.quantiles is not None
    }
    return {
        (day, feature): binned(np.concatenate(windows), quantiles[of]).tolist()
        for (day, feature), windows in shown.items()
        if (of := (day.model, day.version, feature)) in quantiles
    }


def _next_position(position: UUID, rows: Sequence[LoggedAnswer], settled: datetime) -> UUID:
    """Return how far the log has been read after these rows, including late ones.

    Args:
        position: how far it had been read.
        rows: what was read since, in order. If it is a full batch, there may be more.
        settled: no row that was answered before this time will appear any more.
    """
    until = first_id(settled)
    if len(rows) == ROWS_AT_ONCE:
        until = min(until, rows[-1].id)
    return max(position, until)


def _day_of(row: LoggedAnswer, version: int, role: Role) -> Day:
    return Day(day=time_of(row.id).date(), model=row.model, version=version, role=role)
