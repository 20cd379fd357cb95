"""Measure texts that followed prompts, and add the figures to the daily ones.

The versions read each text once it is known, so `POST /predict` and `POST /actuals` stay quick. A
corrected text is measured again, and what the daily figures included of the one before is
subtracted.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.errors import StepaheadError, Unavailable
from app.language.scripts import normalise
from app.language.tokenizer import UnknownTokens
from app.monitoring.logged_answers import Role
from app.monitoring.shadow import SHADOW
from app.monitoring.store import Asked, Day, add_requests, pointers
from app.monitoring.texts import store
from app.monitoring.texts.store import Score
from app.monitoring.texts.sums import TextSums
from app.predictions.loaded import Loaded
from app.predictions.logged.store import find_predictions
from app.predictions.runtime import load_version
from app.predictions.texts.likelihood import likelihood
from app.process.observability import get_logger
from app.registry.references import CHAMPION
from app.registry.store import get_live_version
from app.storage.ids import time_of
from app.storage.monitoring_tables import TextActual
from app.storage.resources import Resources
from app.storage.tables import Prediction

TEXTS_AT_ONCE = 50
# Time for the texts of one batch; the others wait for the next one.
SECONDS_PER_BATCH = 2.0
KEPT_VERSIONS = 2  # a served one and its shadow

logger = get_logger(__name__)


class TextSettler:
    """Measures texts for one process, with the versions that answered and with shadows."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._loaded: OrderedDict[tuple[str, int], Loaded] = OrderedDict()

    def settle(self, session: Session) -> int:
        """Measure texts that came in; return how many were dealt with, 0 if none are left.

        Args:
            session: of a transaction that holds the log's position, so that only one process
                measures.
        """
        actuals = store.lock_unsettled(session, limit=TEXTS_AT_ONCE)
        if not actuals:
            return 0
        ids = [actual.prediction_id for actual in actuals]
        logged = find_predictions(session, ids)
        before = store.scores_of(session, ids)
        shadows = pointers(session, SHADOW)
        asked: dict[Day, Asked] = {}
        done = 0
        deadline = time.monotonic() + SECONDS_PER_BATCH
        try:
            for actual in actuals:
                if time.monotonic() > deadline:
                    break
                row = logged.get(actual.prediction_id)
                if row is None:  # erased since the text came in
                    session.delete(actual)
                else:
                    self._settle(session, actual, row, before=before, shadows=shadows, asked=asked)
                    actual.unsettled = False
                done += 1
        except Unavailable as error:
            logger.warning("texts wait to be measured", error=str(error))
        session.flush()
        add_requests(session, asked)
        return done

    def _settle(
        self,
        session: Session,
        actual: TextActual,
        row: Prediction,
        *,
        before: Mapping[tuple[UUID, str], Score],
        shadows: Mapping[str, tuple[int, datetime]],
        asked: dict[Day, Asked],
    ) -> None:
        known = [score for role in ("served", "shadow") if (score := before.get((row.id, role)))]
        now = []
        served = self._measured(session, actual, row, row.version, "served")
        if served is not None:
            now.append(served)
        shadow = _shadow_of(row, shadows, before.get((row.id, "shadow")))
        if shadow is not None:
            score = self._measured(session, actual, row, shadow, "shadow")
            if score is not None:
                now.append(score)
            if (row.id, "shadow") not in before:
                day = Day(
                    day=time_of(row.id).date(), model=row.model, version=shadow, role="shadow"
                )
                count = Asked(requests=1, refused=int(score is None))
                asked[day] = asked.get(day, Asked()) + count
        store.replace_scores(session, known, now)

    def _measured(
        self, session: Session, actual: TextActual, row: Prediction, number: int, role: Role
    ) -> Score | None:
        """Return how well a version expected a text, or None if that cannot be measured.

        Raises:
            Unavailable: the version cannot be read at the moment.
        """
        try:
            version = self._version(session, row.model, number)
            sums = measured(version, row.request["text"], actual.text)
        except Unavailable:
            raise
        except (StepaheadError, UnknownTokens, KeyError, TypeError, ValueError) as error:
            logger.warning(
                "text not measured",
                prediction=str(row.id),
                version=f"{row.model}@{number}",
                error=repr(error),
            )
            return None
        return Score(prediction_id=row.id, model=row.model, version=number, role=role, sums=sums)

    def _version(self, session: Session, model: str, number: int) -> Loaded:
        key = (model, number)
        if key not in self._loaded:
            row = get_live_version(session, model, number)
            self._loaded[key] = load_version(row, self._resources.store, with_ngram=True)
            if len(self._loaded) > KEPT_VERSIONS:
                self._loaded.popitem(last=False)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def measured(version: Loaded, prompt: str, following: str) -> TextSums:
    """Return how well a version expected the text after a prompt.

    Raises:
        UnknownTokens: one of them has a token that the version does not take.
        ValueError: the version continues no texts, or one of them has no tokens.
    """
    tokenizer = version.tokenizer
    if tokenizer is None:
        raise ValueError(f"{version} is no text version")
    before, after = tokenizer.encode(prompt).ids, tokenizer.encode(following).ids
    if len(before) < version.manifest.min_history or not len(after):
        raise ValueError(f"the text has too few tokens for {version}")
    found = likelihood(version, before, after)
    return TextSums(
        texts=1,
        characters=len(normalise(following)),
        tokens=found.tokens,
        correct=found.correct,
        nats=found.nats,
        ngram_nats=found.ngram_nats,
    )


def _shadow_of(
    row: Prediction, shadows: Mapping[str, tuple[int, datetime]], before: Score | None
) -> int | None:
    """Return the shadow to measure: the one it was measured with before, or the one set now."""
    if before is not None:
        return before.version
    version, since = shadows.get(row.model, (row.version, None))
    is_due = since is not None and since <= row.created_at and version != row.version
    return version if is_due and row.alias == CHAMPION else None
