"""Retrain models on a schedule, or when their live figures pass a threshold."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.artifact.manifest import Manifest, SeriesInput
from app.datasets.store import UnderstoodFile, load_content, save_dataset
from app.errors import NotFound, StepaheadError, Unavailable
from app.jobs.order import Order
from app.jobs.ordering import place
from app.monitoring.actuals.store import actuals_after, series_of_actuals
from app.monitoring.monitor import (
    coverage_of_version,
    errors_of_version,
    read_daily,
    texts_of_version,
)
from app.monitoring.retraining import store
from app.monitoring.retraining.append_actuals import Actuals, as_csv, extend, last_moment
from app.monitoring.retraining.cron import next_time
from app.monitoring.retraining.judgement import Live, judge
from app.monitoring.retraining.worth import why_wasted
from app.monitoring.schemas import Thresholds
from app.process.observability import get_logger
from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.report import Report
from app.registry.store import resolve
from app.storage.monitoring_tables import Schedule
from app.storage.resources import Resources
from app.storage.tables import Dataset, Job

JUDGE_EVERY = timedelta(hours=1)
MOST_ACTUALS = 100_000
SAME_TEXT = "the text it was trained on has not changed; upload a newer one and train on that"
Cause = Literal["cron", "thresholds"]

logger = get_logger(__name__)


class Retrainer:
    """Carries out the schedules; a worker calls it now and then."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def look(self, *, now: datetime | None = None) -> int:
        """Carry out every due schedule and return how many there were.

        A model that cannot be retrained never holds up the others. If its files cannot be read at
        the moment, its schedule stays due. Any other error is recorded as a decision.

        Args:
            now: in UTC; given by tests.
        """
        now = now or datetime.now(UTC)
        done = 0
        postponed: set[str] = set()  # models whose files cannot be read now, to be retried
        while True:
            model: str | None = None
            try:
                with self._resources.sessions.begin() as session:
                    schedule = store.lock_due(
                        session, now=now, judge_every=JUDGE_EVERY, except_models=postponed
                    )
                    if schedule is None:
                        return done
                    model = schedule.model
                    self._carry_out(session, schedule, now)
            except Unavailable as error:
                if model is None:
                    raise
                logger.warning("retraining postponed", model=model, reason=str(error))
                postponed.add(model)
            else:
                done += 1

    def _carry_out(self, session: Session, schedule: Schedule, now: datetime) -> None:
        model = schedule.model
        if schedule.next_at is not None and schedule.cron is not None and schedule.next_at <= now:
            # However many times were missed, it is one training.
            due, schedule.next_at = schedule.next_at, next_time(schedule.cron, now)
            reason = f"{schedule.cron} was due at {due:%Y-%m-%d %H:%M} UTC"
            self._attempt(session, model, "cron", partial(self._decide, reason=reason, figures={}))
        if schedule.thresholds is not None:
            schedule.judged_at = now
            judge_now = partial(self._judge, given=schedule.thresholds, now=now)
            self._attempt(session, model, "thresholds", judge_now)

    def _attempt(
        self,
        session: Session,
        model: str,
        cause: Cause,
        decide: Callable[[Session, str, Cause], None],
    ) -> None:
        """Run one decision; record an unexpected error as the decision not to train.

        Without this boundary a model that cannot be decided about stays due and is picked first
        at every look, so that no other model is ever retrained.
        """
        try:
            with session.begin_nested():
                decide(session, model, cause)
        except (OperationalError, PoolTimeout, Unavailable):
            raise
        except Exception as error:
            logger.exception("retraining failed", model=model, cause=cause)
            reason = (
                f"not trained: an unexpected {type(error).__name__} occurred; the worker's log has "
                "the details"
            )
            self._note(session, model, cause, reason, {})

    def _judge(
        self, session: Session, model: str, cause: Cause, *, given: dict[str, Any], now: datetime
    ) -> None:
        thresholds = Thresholds.model_validate(given)
        try:
            champion = resolve(session, model)
        except NotFound as error:
            self._note(session, model, cause, error.detail, {})
            return
        daily = read_daily(session, model, (now - timedelta(days=thresholds.days - 1)).date())
        version, is_text = champion.number, Manifest.model_validate(champion.manifest).text
        if is_text:
            live = Live.of_texts(texts_of_version(daily, version, "served"))
        else:
            live = Live.of_series(errors_of_version(daily, version, "served"))
        judgement = judge(live, coverage_of_version(daily, version, "served"), thresholds)
        figures = {"version": version, **judgement.figures}
        if not judgement.passed or is_text:
            told = f"{judgement.reason}; not trained: {SAME_TEXT}"
            reason = told if judgement.passed else judgement.reason
            self._note(session, model, cause, reason, figures)
            return
        before = store.last_decision(session, model, trained=True)
        pause = timedelta(hours=thresholds.hours_between)
        if before is not None and before.decided_at > now - pause:
            told = (
                f"{judgement.reason}, but it was retrained at {before.decided_at:%Y-%m-%d %H:%M} "
                f"UTC, and at most once in {thresholds.hours_between} hours is allowed"
            )
            self._note(session, model, cause, told, figures)
            return
        self._decide(session, model, cause, reason=judgement.reason, figures=figures)

    def _note(
        self, session: Session, model: str, cause: Cause, reason: str, figures: dict[str, Any]
    ) -> None:
        """Record a decision not to train; thresholds repeat one only when its figures change."""
        last = store.last_decision(session, model, cause="thresholds")
        is_repeated = last is not None and not last.trained and last.figures == figures
        if cause == "thresholds" and is_repeated:
            return
        store.add_decision(session, model, cause=cause, reason=reason, figures=figures, job_id=None)

    def _decide(
        self, session: Session, model: str, cause: Cause, *, reason: str, figures: dict[str, Any]
    ) -> None:
        """Queue a training job, or record why not."""
        job = None
        try:
            with session.begin_nested():
                job, what = self._train(session, model)
        except Unavailable:
            raise  # the store may be back at the next look; the schedule stays due
        except StepaheadError as error:
            what = f"not trained: {error}"
        store.add_decision(
            session,
            model,
            cause=cause,
            reason=f"{reason}; {what}",
            figures=figures,
            job_id=None if job is None else job.id,
        )
        logger.info("retraining decided", model=model, cause=cause, trained=job is not None)

    def _train(self, session: Session, model: str) -> tuple[Job | None, str]:
        under_way = store.unfinished_job(session, model)
        if under_way is not None:
            return None, f"not trained: job {under_way.id} is queued or running"
        dataset = store.newest_dataset(session, model)
        if dataset is None:
            return None, "not trained: no version has a dataset here; upload one and train"
        described = Manifest.model_validate(resolve(session, model).manifest).series
        rows = 0
        if described is not None:
            dataset, rows = self._with_actuals(session, model, dataset, described)
            wasted = why_wasted(session, model, dataset)
            if wasted is not None:
                return None, f"not trained: {wasted}"
        order = Order(
            model=model,
            data=dataset.id,
            test=None,
            read=ReadOptions(),
            target=None if described is None else described.target,
            overrides=None,
            start_from=None,
        )
        job = place(session, self._resources.store, order, {})
        return job, f"trains on {dataset.filename or dataset.id}, with {rows} new actuals"

    def _with_actuals(
        self, session: Session, model: str, dataset: Dataset, described: SeriesInput
    ) -> tuple[Dataset, int]:
        """Return the dataset, with later actuals if they can be trained on, and their number."""
        content = load_content(dataset, self._resources.store)
        inputs = [feature.name for feature in described.features]
        if not isinstance(content, SeriesContent) or content.times is None:
            return dataset, 0
        if inputs != [described.target] or described.target not in content.columns:
            return dataset, 0  # actuals exist for the target only
        extended = extend(content, described.target, _actuals_by_label(session, model, content))
        if not extended.rows:
            return dataset, 0
        file = UnderstoodFile(
            filename=dataset.filename,
            original=self._resources.store.put_bytes(as_csv(extended.content)),
            content=self._resources.store.put_bytes(extended.content.to_bytes()),
            read_options=dataset.read_options,
            report=_report(dataset, extended.content, extended.rows),
        )
        saved, is_new = save_dataset(session, file)
        if is_new:
            saved.extends_id = dataset.id
        return saved, extended.rows


def _actuals_by_label(session: Session, model: str, content: SeriesContent) -> dict[str, Actuals]:
    """Return the actuals after the last row of each series, by its label in the dataset."""
    named = series_of_actuals(session, model)
    found: dict[str, Actuals] = {}
    for label in content.labels:
        # A series without a name may have any name, if there is only one.
        name = named[0] if content.labels == ("",) and len(named) == 1 else label
        found[label] = actuals_after(
            session, model, name, last_moment(content, label), limit=MOST_ACTUALS
        )
    return found


def _report(dataset: Dataset, content: SeriesContent, rows: int) -> Report:
    report = Report.model_validate(dataset.report)
    note = f"{rows} rows are actuals from after the file's last row; made by a retraining"
    times = content.row_times_iso()
    return report.model_copy(
        update={
            "warnings": [note, *report.warnings],
            "rows_used": len(content),
            "end": max(times) if len(content.labels) == 1 else report.end,
        }
    )
