"""A point in time in a request: an ISO 8601 time with a zone."""

from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticKnownError


def _refuse_number(value: object) -> object:
    """Refuse a number, which pydantic takes for seconds since 1970."""
    is_number = isinstance(value, int | float)
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return value
        is_number = True
    if is_number:
        raise PydanticKnownError("datetime_parsing", {"error": "it is a number"})
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_refuse_number)]
