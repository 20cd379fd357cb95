"""Answer a logged request with any version, outside of `POST /predict`."""

from typing import Any

from app.errors import StepaheadError
from app.predictions.asking import question_of
from app.predictions.histories.stored import with_stored_history
from app.predictions.loaded import Loaded
from app.predictions.pricing import refuse_too_long
from app.predictions.questions import Question, completed
from app.predictions.schemas import PredictRequest
from app.storage.resources import Resources


def answer_again(
    version: Loaded, requests: list[PredictRequest], resources: Resources
) -> list[dict[str, Any] | StepaheadError]:
    """Return a version's answers to requests, in order, or why there is none. Blocks.

    They are not logged and do not pass through the batching of `POST /predict`.
    """
    outcomes: dict[int, dict[str, Any] | StepaheadError] = {}
    questions: dict[int, Question] = {}
    for number, request in enumerate(requests):
        try:
            question = question_of(version, with_stored_history(version, request, resources))
            refuse_too_long(question)
        except StepaheadError as error:
            outcomes[number] = error
        else:
            questions[number] = question
    asked = list(questions.values())
    if asked:
        outcomes.update(zip(questions, completed(asked[0].answer(asked)), strict=True))
    return [outcomes[number] for number in range(len(requests))]
