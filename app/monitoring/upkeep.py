"""The monitoring's chores, repeated for ever; their errors never stop the process."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import Unavailable
from app.monitoring import store
from app.monitoring.log_reader import ROWS_AT_ONCE, LogReader
from app.monitoring.retraining.retrainer import Retrainer
from app.monitoring.texts.store import forget_texts, has_unsettled
from app.process.observability import get_logger
from app.storage.ids import first_id
from app.storage.resources import Resources

SECONDS_PER_LOOK = 2.0  # a worker that is stopping waits for it
# After an unexpected error, because the same batch would probably fail again at once.
PAUSE_SECONDS = 60.0

logger = get_logger(__name__)


class Monitoring:
    """Keeps up with the log and the schedules; a worker calls `follow` and `retrain`."""

    def __init__(self, resources: Resources) -> None:
        self._reader = LogReader(resources)
        self._retrainer = Retrainer(resources)
        self.follow = Chore("the log", self._follow)
        self.retrain = Chore("the schedules", self._retrain)

    def _follow(self) -> None:
        deadline = time.monotonic() + SECONDS_PER_LOOK
        # New rows are left to the next look: many rows at once cost less each.
        while self._reader.read_and_settle() >= ROWS_AT_ONCE and time.monotonic() < deadline:
            pass

    def _retrain(self) -> None:
        self._retrainer.look()


class Chore:
    """Something to repeat, whatever its outcome."""

    def __init__(self, subject: str, work: Callable[[], None]) -> None:
        self._subject = subject
        self._work = work
        self._is_cut_off = False
        self._not_before = 0.0

    def __call__(self) -> None:
        """Do it once."""
        if time.monotonic() < self._not_before:
            return
        try:
            self._work()
            self._is_cut_off = False
        except (OperationalError, PoolTimeout, Unavailable) as error:
            if not self._is_cut_off:
                logger.warning("database or store away", looking_at=self._subject, error=str(error))
            self._is_cut_off = True
        except Exception:  # the worker's boundary: training continues without monitoring
            logger.exception("monitoring failed", looking_at=self._subject)
            self._not_before = time.monotonic() + PAUSE_SECONDS


def finish_days_before(resources: Resources, day: date) -> None:
    """Bring the daily figures up to date with days that are about to leave the log.

    Args:
        resources: of this process.
        day: the first one that stays, in UTC.
    """
    edge = first_id(datetime(day.year, day.month, day.day, tzinfo=UTC))
    reader = LogReader(resources)
    while True:
        done = reader.read_and_settle(wait=True)
        with resources.sessions.begin() as session:
            is_read = store.position_of_log(session) >= edge
            if not done or (is_read and not has_unsettled(session, edge)):
                break
    with resources.sessions.begin() as session:
        store.lock_position(session, wait=True)
        store.forget_forecasts(session, edge)
        forget_texts(session, edge)
