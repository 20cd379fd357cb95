"""The alias `shadow`: its version silently answers the champion's requests, afterwards.

It reads the log, so `POST /predict` knows nothing of it and nothing is lost when a process dies.
Under load the shadow falls behind or is skipped, never the answers.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.orm import Session

from app.errors import StepaheadError
from app.monitoring.logged_answers import LoggedAnswer
from app.monitoring.store import pointers
from app.predictions.loaded import Loaded
from app.predictions.replay import answer_again
from app.predictions.runtime import load_version
from app.predictions.schemas import PredictRequest
from app.process.observability import get_logger
from app.registry.references import CHAMPION
from app.registry.store import get_live_version
from app.storage.resources import Resources

SHADOW = "shadow"
KEPT_VERSIONS = 4
ROWS_AT_ONCE = 32
# Time for shadows in one batch of the log; requests beyond it are skipped and counted.
SECONDS_PER_BATCH = 2.0

Outcome = dict[str, Any] | StepaheadError | None  # None: skipped
Answers = dict[UUID, tuple[int, Outcome]]

logger = get_logger(__name__)


class Shadows:
    """The shadow versions of one process, loaded when they are needed."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._loaded: OrderedDict[tuple[str, int], Loaded] = OrderedDict()

    def answer(self, session: Session, rows: Sequence[LoggedAnswer]) -> Answers:
        """Answer these requests with the shadows.

        Args:
            session: a transaction.
            rows: of the log.

        Returns:
            By prediction: the shadow's version and its answer, its error, or None if it was
                skipped. Left out are requests that named another alias or a number, that are older
                than the alias, or that the shadow itself answered; and texts, which a shadow reads
                once it is known what followed them (`app.monitoring.texts.settling`).
        """
        asked: dict[tuple[str, int], list[LoggedAnswer]] = {}
        shadows = pointers(session, SHADOW)
        for row in rows:
            version, since = shadows.get(row.model, (row.version, None))
            is_due = since is not None and since <= row.created_at and version != row.version
            if row.alias == CHAMPION and row.kind == "series" and is_due:
                asked.setdefault((row.model, version), []).append(row)
        answers: Answers = {}
        deadline = time.monotonic() + SECONDS_PER_BATCH
        for (model, version), own in asked.items():
            loaded = self._load(session, model, version)
            for first in range(0, len(own), ROWS_AT_ONCE):
                group = own[first : first + ROWS_AT_ONCE]
                outcomes: Sequence[Outcome] = [None] * len(group)
                if loaded is not None and time.monotonic() < deadline:
                    outcomes = self._ask(loaded, group)
                for row, outcome in zip(group, outcomes, strict=True):
                    answers[row.id] = version, outcome
        return answers

    def _ask(self, loaded: Loaded, rows: Sequence[LoggedAnswer]) -> Sequence[Outcome]:
        try:
            requests = [PredictRequest.model_validate(row.request) for row in rows]
        except ValidationError as error:  # logged by another version of this service
            logger.warning("shadow skipped: a logged request cannot be parsed", error=str(error))
            return [None] * len(rows)
        return answer_again(loaded, requests, self._resources)

    def _load(self, session: Session, model: str, number: int) -> Loaded | None:
        key = (model, number)
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        try:
            loaded = load_version(get_live_version(session, model, number), self._resources.store)
        except StepaheadError as error:
            logger.warning(
                "shadow skipped: not loaded", version=f"{model}@{number}", error=str(error)
            )
            return None
        self._loaded[key] = loaded
        while len(self._loaded) > KEPT_VERSIONS:
            self._loaded.popitem(last=False)
        return loaded
