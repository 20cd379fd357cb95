"""Queries on texts that followed prompts: as they came in, measured, and summed by day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, any_, cast, delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from app.monitoring.actuals.store import Kept
from app.monitoring.logged_answers import Role
from app.monitoring.store import Day
from app.monitoring.texts.sums import TextSums
from app.storage.ids import time_of
from app.storage.monitoring_tables import DailyTexts, TextActual, TextScore

# Sorted, so that two who write the same texts wait for each other in one order.
PUT = text("""
INSERT INTO text_actuals (prediction_id, model, text)
SELECT prediction_id, model, text
  FROM unnest(CAST(:predictions AS uuid[]), CAST(:models AS text[]), CAST(:texts AS text[]))
    AS given (prediction_id, model, text)
 ORDER BY prediction_id
ON CONFLICT (prediction_id) DO UPDATE
   SET text = excluded.text, updated_at = now(), unsettled = true
 WHERE text_actuals.text <> excluded.text
RETURNING xmax = 0 AS is_new
""")

ADD = text("""
INSERT INTO daily_texts AS known
       (day, model, version, role, texts, characters, tokens, correct, nats, ngram_nats)
VALUES (:day, :model, :version, :role, :texts, :characters, :tokens, :correct, :nats, :ngram_nats)
ON CONFLICT (day, model, version, role) DO UPDATE
   SET texts = known.texts + excluded.texts,
       characters = known.characters + excluded.characters,
       tokens = known.tokens + excluded.tokens,
       correct = known.correct + excluded.correct,
       nats = known.nats + excluded.nats,
       ngram_nats = known.ngram_nats + excluded.ngram_nats
""")

COMPARED = text("""
SELECT count(*) AS texts,
       coalesce(sum(served.characters), 0) AS characters,
       coalesce(sum(shadow.nats), 0) AS shadow_nats,
       coalesce(sum(served.nats), 0) AS served_nats
  FROM text_scores AS shadow
  JOIN text_scores AS served
    ON served.prediction_id = shadow.prediction_id AND served.role = 'served'
 WHERE shadow.role = 'shadow' AND shadow.model = :model AND shadow.version = :version
   AND shadow.prediction_id >= :since
""")


@dataclass(frozen=True, kw_only=True)
class GivenText:
    """The text that really followed a prompt, as it came in."""

    model: str
    prediction_id: UUID
    text: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well a version expected a text."""

    prediction_id: UUID
    model: str
    version: int
    role: Role
    sums: TextSums  # of this text

    @property
    def day(self) -> Day:
        """What the sums are added to."""
        return Day(
            day=time_of(self.prediction_id).date(),
            model=self.model,
            version=self.version,
            role=self.role,
        )


def put_texts(session: Session, given: Sequence[GivenText]) -> Kept:
    """Store texts, at most one for each prediction; monitoring measures them afterwards."""
    if not given:
        return Kept(new=0, changed=0, unchanged=0)
    parameters = {
        "predictions": [one.prediction_id for one in given],
        "models": [one.model for one in given],
        "texts": [one.text for one in given],
    }
    written = session.execute(PUT, parameters).all()
    new = sum(is_new for (is_new,) in written)
    return Kept(new=new, changed=len(written) - new, unchanged=len(given) - len(written))


def list_texts(
    session: Session, *, model: str, prediction: UUID | None, before: UUID | None, limit: int
) -> Sequence[TextActual]:
    """Return the texts that followed a model's prompts, the newest prompt first.

    Args:
        session: a transaction.
        model: its name.
        prediction: only the one of this prediction; None: all.
        before: last prediction of the previous page; None: from the newest.
        limit: maximum number.
    """
    key = TextActual.prediction_id
    query = select(TextActual).where(TextActual.model == model).order_by(key.desc()).limit(limit)
    if prediction is not None:
        query = query.where(key == prediction)
    return session.scalars(query if before is None else query.where(key < before)).all()


# What settling reads and writes.


def lock_unsettled(session: Session, *, limit: int) -> Sequence[TextActual]:
    """Lock texts that were not measured yet until the transaction ends, the oldest prompt first."""
    query = select(TextActual).where(TextActual.unsettled).order_by(TextActual.prediction_id)
    return session.scalars(query.limit(limit).with_for_update(skip_locked=True)).all()


def scores_of(session: Session, predictions: Iterable[UUID]) -> dict[tuple[UUID, str], Score]:
    """Return what was measured of these predictions' texts, by prediction and role."""
    ids = cast(list(predictions), ARRAY(Uuid))
    query = select(TextScore).where(TextScore.prediction_id == any_(ids))
    return {(row.prediction_id, row.role): _score(row) for row in session.scalars(query)}


def replace_scores(session: Session, before: Sequence[Score], now: Sequence[Score]) -> None:
    """Replace what was measured of texts, and change the daily sums by the difference."""
    sums: dict[Day, TextSums] = {}
    for score in now:
        sums[score.day] = sums.get(score.day, TextSums()) + score.sums
    for score in before:
        sums[score.day] = sums.get(score.day, TextSums()) - score.sums
    if before:
        key = tuple_(TextScore.prediction_id, TextScore.role)
        gone = [(score.prediction_id, score.role) for score in before]
        session.execute(delete(TextScore).where(key.in_(gone)))
    session.add_all(
        TextScore(
            prediction_id=score.prediction_id,
            role=score.role,
            model=score.model,
            version=score.version,
            **{name: value for name, value in vars(score.sums).items() if name != "texts"},
        )
        for score in now
    )
    session.flush()
    rows: list[dict[str, Any]] = [vars(day) | vars(one) for day, one in sums.items()]
    if rows:
        session.execute(ADD, rows)


def has_unsettled(session: Session, before: UUID) -> bool:
    """Return whether a text of an earlier prediction than this id was not measured yet."""
    query = select(TextActual.prediction_id).where(
        TextActual.unsettled, TextActual.prediction_id < before
    )
    return session.scalar(query.limit(1)) is not None


def forget_texts(session: Session, before: UUID) -> None:
    """Delete the texts of predictions that leave the log, and what was measured of each."""
    session.execute(delete(TextActual).where(TextActual.prediction_id < before))
    session.execute(delete(TextScore).where(TextScore.prediction_id < before))


# Daily figures.


def texts_since(session: Session, model: str, since: date) -> dict[Day, TextSums]:
    """Return sums by day and version."""
    query = select(DailyTexts).where(DailyTexts.model == model, DailyTexts.day >= since)
    return {
        Day(day=row.day, model=row.model, version=row.version, role=_role(row.role)): _sums(
            row, texts=row.texts
        )
        for row in session.scalars(query)
    }


@dataclass(frozen=True, kw_only=True)
class ComparedTexts:
    """A shadow and the served version, over texts that both were measured by."""

    texts: int
    characters: int
    shadow_nats: float
    served_nats: float


def compare_texts(session: Session, model: str, version: int, since: UUID) -> ComparedTexts:
    """Compare a shadow with the served version on the same texts, as far as logged."""
    parameters: Mapping[str, Any] = {"model": model, "version": version, "since": since}
    return ComparedTexts(**session.execute(COMPARED, parameters).mappings().one())


def _score(row: TextScore) -> Score:
    return Score(
        prediction_id=row.prediction_id,
        model=row.model,
        version=row.version,
        role=_role(row.role),
        sums=_sums(row, texts=1),
    )


def _sums(row: TextScore | DailyTexts, *, texts: int) -> TextSums:
    return TextSums(
        texts=texts,
        characters=row.characters,
        tokens=row.tokens,
        correct=row.correct,
        nats=row.nats,
        ngram_nats=row.ngram_nats,
    )


def _role(role: str) -> Role:
    return "shadow" if role == "shadow" else "served"
