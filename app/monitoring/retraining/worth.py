"""Decide whether another training is worth its time."""

from sqlalchemy.orm import Session

from app.artifact.scorecard import Scorecard
from app.datasets.store import get_dataset
from app.judging.series_verdict import beats_universal
from app.monitoring.retraining.store import newest_trained_version
from app.reading.report import Report
from app.storage.tables import Dataset

# A version that was no better than `universal` is trained again once it has so many more rows.
LEAST_GROWTH = 0.1


def why_wasted(session: Session, model: str, dataset: Dataset) -> str | None:
    """Return why training on a dataset would be a waste, or None if it may help.

    It would be if the newest version is not better than `universal` by more than noise, and the
    dataset has hardly more rows than that version's.
    """
    newest = newest_trained_version(session, model)
    if newest is None or newest.dataset_id is None:
        return None
    score = Scorecard.model_validate(newest.scorecard).series
    if score is None or beats_universal(score) is not False:
        return None
    before, now = (_rows(each) for each in (get_dataset(session, newest.dataset_id), dataset))
    needed = round(before * (1 + LEAST_GROWTH))
    if now >= needed:
        return None
    return (
        f"version {newest.number} is no better than `universal` beyond noise, and {now:,} rows are "
        f"hardly more than the {before:,} that it had: use `universal`, or train on {needed:,} rows"
    )


def _rows(dataset: Dataset) -> int:
    return Report.model_validate(dataset.report).rows_used
