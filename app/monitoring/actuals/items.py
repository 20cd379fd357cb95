"""From the items of a request to the keys of actuals."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import FieldError, NotFound, Unprocessable
from app.monitoring.actuals.moments import checked_moment, moment_of_forecast, moment_of_step
from app.monitoring.actuals.schemas import ActualItem
from app.monitoring.actuals.store import Given
from app.monitoring.texts.following import FollowingTexts
from app.monitoring.texts.store import GivenText
from app.predictions.logged.store import find_predictions, not_in_log
from app.registry.store import find_model
from app.storage.tables import Prediction

SHOWN = 5
FOR_TEXTS = "is a model for texts, whose actuals are given by prediction, with the text"
NAMED_BY_PREDICTION = ("model", "series", "timestamp")
LOOKED_UP_AT_ONCE = 100  # predictions; an answer of a thousand steps takes 100 KB


@dataclass(frozen=True, kw_only=True)
class AllGiven:
    """The actuals of a request, one for each key."""

    values: list[Given]
    texts: list[GivenText]


def given_by(session: Session, items: Sequence[ActualItem]) -> AllGiven:
    """Return the actuals of a request.

    Raises:
        Unprocessable: an item has no key, does not fit its prediction, or two items disagree; the
            error names each.
    """
    values: list[tuple[str, Given]] = []
    texts: list[tuple[str, GivenText]] = []
    wrong: list[FieldError] = []
    known: dict[str, str | None] = {}
    checks = FollowingTexts(session)
    for start in range(0, len(items), LOOKED_UP_AT_ONCE):
        part = items[start : start + LOOKED_UP_AT_ONCE]
        asked = {item.prediction for item in part if item.prediction is not None}
        logged = find_predictions(session, asked) if asked else {}
        for number, item in enumerate(part, start):
            place = f"items.{number}"
            try:
                if item.text is not None:
                    row = _row_of_text(logged, item, place)
                    texts.append((place, checks.given(row, item.text, f"{place}.text")))
                elif item.prediction is not None:
                    values.append((place, _by_prediction(logged, item, item.prediction, place)))
                else:
                    values.append((place, _by_moment(session, item, place, known)))
            except Unprocessable as error:
                wrong += error.errors
    if wrong:
        raise Unprocessable(_told(wrong), errors=tuple(wrong))
    return AllGiven(values=agreed(values), texts=_agreed_texts(texts))


def steps_by_moment(row: Prediction) -> dict[str, int]:
    """Return the steps of a logged answer by moment; {} if it cannot be measured."""
    if row.kind != "series":
        return {}
    try:
        return {
            moment_of_forecast(row.id, forecast["step"], forecast["timestamp"]): forecast["step"]
            for forecast in row.response["predictions"]
        }
    except ValueError:  # beyond the calendar in UTC: no forecast of this answer is kept
        return {}


def agreed(found: Iterable[tuple[str, Given]]) -> list[Given]:
    """Merge repeats so that each key has one actual.

    Args:
        found: actuals, each with its place in the request.

    Raises:
        Unprocessable: the same moment has two values.
    """
    kept: dict[tuple[str, str, str], tuple[str, Given]] = {}
    wrong = []
    for place, given in found:
        there = kept.setdefault(given.key, (place, given))
        if there[1].value != given.value:
            message = (
                f"{given.value:g} contradicts {there[1].value:g} at {there[0]}, for the same "
                "model, series and time"
            )
            wrong.append(FieldError(field=place, message=message))
    if wrong:
        raise Unprocessable(_told(wrong), errors=tuple(wrong))
    return [given for _, given in kept.values()]


def _agreed_texts(found: Iterable[tuple[str, GivenText]]) -> list[GivenText]:
    """Merge repeats so that each prediction has one text.

    Raises:
        Unprocessable: the same prediction has two texts.
    """
    kept: dict[Hashable, tuple[str, GivenText]] = {}
    wrong = []
    for place, given in found:
        there = kept.setdefault(given.prediction_id, (place, given))
        if there[1].text != given.text:
            message = f"contradicts the text at {there[0]}, for the same prediction"
            wrong.append(FieldError(field=place, message=message))
    if wrong:
        raise Unprocessable(_told(wrong), errors=tuple(wrong))
    return [given for _, given in kept.values()]


def _row_of_text(logged: Mapping[UUID, Prediction], item: ActualItem, place: str) -> Prediction:
    """Return the prediction whose prompt a text followed."""
    if item.prediction is None:
        raise Unprocessable.at(
            f"{place}.prediction", "is required with a text: the id of the answer to its prompt"
        )
    return _row_of(logged, item, item.prediction, place, beside=(*NAMED_BY_PREDICTION, "step"))


def _by_moment(
    session: Session, item: ActualItem, place: str, known: dict[str, str | None]
) -> Given:
    missing = [name for name in ("model", "timestamp") if getattr(item, name) is None]
    if item.model is None or item.timestamp is None:
        raise Unprocessable.at(
            f"{place}.{missing[0]}",
            "is required: give a prediction, or a model (and series) and a timestamp",
        )
    if item.step is not None:
        raise Unprocessable.at(f"{place}.step", "applies to a prediction only")
    _check_model(session, item.model, place, known)
    if item.value is None:
        raise Unprocessable.at(f"{place}.value", "is required")
    return Given(
        model=item.model,
        series=item.series or "",
        moment=checked_moment(item.timestamp, f"{place}.timestamp"),
        timestamp=item.timestamp,
        value=item.value,
        prediction_id=None,
    )


def _check_model(session: Session, name: str, place: str, known: dict[str, str | None]) -> None:
    """Check that the model is for series; each name is looked up only once."""
    if name not in known:
        try:
            kind = find_model(session, name).kind
            known[name] = None if kind == "series" else f"{name!r} {FOR_TEXTS}"
        except NotFound as error:
            known[name] = error.detail
    reason = known[name]
    if reason is not None:
        raise Unprocessable.at(f"{place}.model", reason)


def _by_prediction(
    logged: Mapping[UUID, Prediction], item: ActualItem, prediction: UUID, place: str
) -> Given:
    row = _row_of(logged, item, prediction, place, beside=NAMED_BY_PREDICTION)
    if row.kind != "series" or item.value is None:
        raise Unprocessable.at(
            f"{place}.value", "the prediction continued a text: give the text that followed instead"
        )
    step = item.step or 1
    timestamp = _timestamp_of(row, step, place)
    return Given(
        model=row.model,
        series=row.series or "",
        moment=moment_of_step(row.id, step)
        if timestamp is None
        else checked_moment(timestamp, f"{place}.step"),
        timestamp=timestamp,
        value=item.value,
        prediction_id=row.id,
    )


def _row_of(
    logged: Mapping[UUID, Prediction],
    item: ActualItem,
    prediction: UUID,
    place: str,
    *,
    beside: Sequence[str],
) -> Prediction:
    """Return the prediction of an item.

    Args:
        logged: predictions by id.
        item: names the prediction.
        prediction: its id.
        place: of the item in the request.
        beside: fields that the item must not have, too.
    """
    for name in beside:
        if getattr(item, name) is not None:
            raise Unprocessable.at(
                f"{place}.{name}", "follows from the prediction, so leave it out"
            )
    row = logged.get(prediction)
    if row is None:
        raise Unprocessable.at(f"{place}.prediction", not_in_log(prediction))
    return row


def _timestamp_of(row: Prediction, step: int, place: str) -> str | None:
    forecasts = row.response["predictions"]
    if step > len(forecasts):
        raise Unprocessable.at(
            f"{place}.step", f"is {step}, but the prediction has {len(forecasts)} steps"
        )
    timestamp: str | None = forecasts[step - 1]["timestamp"]
    return timestamp


def _told(wrong: Sequence[FieldError]) -> str:
    told = "; ".join(f"{error.field}: {error.message}" for error in wrong[:SHOWN])
    return told if len(wrong) <= SHOWN else f"{told}; and {len(wrong) - SHOWN} more"
