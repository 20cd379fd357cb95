"""Ask about many series at once, where one that cannot be forecast must not fail the others."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from app.errors import StepaheadError, Unprocessable
from app.predictions.questions import Outcome, Question, completed
from app.predictions.schemas import PredictRequest
from app.validation_messages import wrong_fields


def request_of(fields: Mapping[str, Any]) -> PredictRequest:
    """Return the request with some fields; those that are None are left out.

    Raises:
        Unprocessable: it is not valid; each wrong field is named.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return PredictRequest.model_validate(given)
    except ValidationError as error:
        wrong = wrong_fields(error.errors(include_url=False))
        detail = "; ".join(f"{each.field}: {each.message}" for each in wrong)
        raise Unprocessable(detail, errors=wrong) from error


def answered(questions: Sequence[Question | StepaheadError]) -> list[Outcome]:
    """Answer questions for one version, in order; an error stays in its place."""
    asked = [each for each in questions if not isinstance(each, StepaheadError)]
    outcomes = iter(completed(asked[0].answer(asked)) if asked else ())
    return [each if isinstance(each, StepaheadError) else next(outcomes) for each in questions]


def problem_of(error: StepaheadError) -> str:
    """Return what is wrong, and each wrong field that this does not tell."""
    fields = [
        f"{each.field} {each.message}" for each in error.errors if each.message not in error.detail
    ]
    return "; ".join([error.detail, *fields])
