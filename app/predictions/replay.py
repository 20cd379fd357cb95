"""A request answered by a version of choice, beside the way that `POST /predict` goes."""

from typing import Any

from app.errors import StepaheadError
from app.predictions import batching, series, text
from app.predictions.runtime import Loaded
from app.predictions.schemas import PredictRequest
from app.storage.resources import Resources


def answer_again(
    version: Loaded, requests: list[PredictRequest], resources: Resources
) -> list[dict[str, Any] | StepaheadError]:
    """A version's answers to requests, in order, or why there is none. Blocks.

    They are not added to the log and go past what answers `POST /predict`.
    """
    outcomes: dict[int, dict[str, Any] | StepaheadError] = {}
    questions: dict[int, batching.Question] = {}
    for number, request in enumerate(requests):
        try:
            questions[number] = _question(version, request, resources)
        except StepaheadError as error:
            outcomes[number] = error
    answered = batching.answer(version, list(questions.values())) if questions else []
    outcomes.update(zip(questions, answered, strict=True))
    return [outcomes[number] for number in range(len(requests))]


def _question(version: Loaded, request: PredictRequest, resources: Resources) -> batching.Question:
    if version.tokenizer is not None:
        return text.ask(version, request)
    return series.ask(version, series.with_stored_history(version, request, resources))
