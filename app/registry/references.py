"""How a request names a model, one of its versions or an alias."""

import re
from dataclasses import dataclass

from app.errors import Unprocessable

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
ALIAS_NAME = re.compile(r"(?![0-9]+\Z)[a-z0-9][a-z0-9._-]*")
MAX_NAME_CHARACTERS = 100
MAX_NUMBER = 2**31 - 1  # largest integer of the database
CHAMPION = "champion"
UNIVERSAL = "universal"  # the shipped model that forecasts any series without training


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """`name` (its champion), `name@alias` or `name@3`."""

    name: str
    alias: str | None  # None if a number is named
    number: int | None  # None if an alias is named

    def __str__(self) -> str:
        return f"{self.name}@{self.number if self.alias is None else self.alias}"


def check_model_name(name: str, *, field: str = "model") -> str:
    """Return the name if it is valid for a model.

    Raises:
        Unprocessable: it is not; the error names `field`.
    """
    if len(name) > MAX_NAME_CHARACTERS or not MODEL_NAME.fullmatch(name):
        raise Unprocessable.at(
            field,
            f"{_shown(name)} is not a valid model name: use up to {MAX_NAME_CHARACTERS} lower-case "
            "letters, digits, dots, dashes and underscores, beginning with a letter or digit, for "
            "example google-stock",
        )
    return name


def check_alias_name(alias: str, *, field: str = "alias") -> str:
    """Return the name if it is valid for an alias.

    Raises:
        Unprocessable: it is not; the error names `field`.
    """
    if len(alias) > MAX_NAME_CHARACTERS or not ALIAS_NAME.fullmatch(alias):
        raise Unprocessable.at(
            field,
            f"{_shown(alias)} is not a valid alias: use up to {MAX_NAME_CHARACTERS} lower-case "
            "letters, digits, dots, dashes and underscores, beginning with a letter or digit and "
            "not only digits (those are version numbers), for example champion",
        )
    return alias


def parse_reference(text: str, *, field: str = "model") -> ModelReference:
    """Parse `name`, `name@alias` or `name@3`.

    Raises:
        Unprocessable: the text is none of these; the error names `field`.
    """
    name, at, rest = text.partition("@")
    check_model_name(name, field=field)
    if not at:
        return ModelReference(name=name, alias=CHAMPION, number=None)
    if rest.isascii() and rest.isdigit():
        return ModelReference(name=name, alias=None, number=_number(rest, field=field))
    return ModelReference(name=name, alias=check_alias_name(rest, field=field), number=None)


def _number(digits: str, *, field: str) -> int:
    # The length is checked first: int() refuses more than 4,300 digits with a message of its own.
    number = int(digits) if len(digits) <= len(str(MAX_NUMBER)) else 0
    if not 1 <= number <= MAX_NUMBER:
        raise Unprocessable.at(
            field,
            f"{_shown(digits)} is not a version number: they count from 1, for example NAME@3",
        )
    return number


def _shown(text: str) -> str:
    """Return the text, shortened, as an error may quote it."""
    return repr(text if len(text) <= MAX_NAME_CHARACTERS else text[:MAX_NAME_CHARACTERS] + "…")
