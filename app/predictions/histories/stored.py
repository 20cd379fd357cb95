"""Use a dataset in place of a history: its last rows, and what it says about the rows to come."""

from uuid import UUID

from sqlalchemy.orm import Session

from app.datasets.store import get_dataset, stored_ahead, stored_tail
from app.errors import Unprocessable
from app.predictions.loaded import Loaded
from app.predictions.schemas import PredictRequest
from app.reading.report import Report
from app.storage.resources import Resources


def with_stored_history(
    version: Loaded, request: PredictRequest, resources: Resources
) -> PredictRequest:
    """Return the request with the tail of its dataset as history and timestamps. Blocks.

    Raises:
        NotFound: there is no such dataset.
        Unprocessable: it does not fit the version, or history is given, too.
    """
    described = version.manifest.series
    if request.dataset is None or described is None:
        return request
    beside = [name for name in ("history", "timestamps") if name in request.model_fields_set]
    if beside:
        raise Unprocessable.at(beside[0], "is in the dataset already: give one or the other")
    names = described.asked([feature.name for feature in described.features])
    with resources.sessions.begin() as session:
        if described.periods:
            names = (_suggested(session, request.dataset),)
        tail = stored_tail(
            session,
            resources.store,
            UUID(request.dataset),
            columns=names,
            rows=max(version.manifest.window or 0, version.manifest.min_history),
            series=request.series,
        )
        ahead = None
        if described.known and request.future is None:
            ahead = stored_ahead(
                session,
                resources.store,
                UUID(request.dataset),
                features=names,
                known=described.asked(described.known),
                rows=request.horizon or version.manifest.horizon,
                series=request.series,
            )
    if not len(tail):
        raise Unprocessable.at("dataset", f"has no row with a value in {', '.join(names)}")
    history = {name: tail.cells(name) for name in names}
    return request.model_copy(
        update={
            "future": ahead or request.future,
            "history": history if len(names) > 1 else history[names[0]],
            "timestamps": tail.row_times_iso() or None,
        }
    )


def _suggested(session: Session, dataset: str) -> str:
    """Return the column that a version for any series forecasts: the report's target.

    Raises:
        NotFound: there is no such dataset.
        Unprocessable: its report suggests none.
    """
    report = Report.model_validate(get_dataset(session, UUID(dataset)).report)
    if report.target is None:
        raise Unprocessable.at("dataset", "has no column that looks like a measurement")
    return report.target
