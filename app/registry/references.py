"""How a model, one of its versions or an alias is named in a request."""

import re
from dataclasses import dataclass

from app.errors import Unprocessable

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
ALIAS_NAME = re.compile(r"(?![0-9]+\Z)[a-z0-9][a-z0-9._-]*")
MAX_NAME_CHARACTERS = 100
MAX_NUMBER = 2**31 - 1  # what the database's integer holds
CHAMPION = "champion"


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """`name` (its champion), `name@alias` or `name@3`."""

    name: str
    alias: str | None  # None: a number is named
    number: int | None  # None: an alias is named

    def __str__(self) -> str:
        return f"{self.name}@{self.number if self.alias is None else self.alias}"


def check_model_name(name: str, *, field: str = "model") -> str:
    """Return the name, if a model may have it.

    Raises:
        Unprocessable: it may not; names `field`.
    """
    if len(name) > MAX_NAME_CHARACTERS or not MODEL_NAME.fullmatch(name):
        raise Unprocessable.at(
            field,
            f"{_shown(name)} is no model name: up to {MAX_NAME_CHARACTERS} characters, small "
            "letters, digits, dot, dash and underscore, beginning with a letter or digit, "
            "as in google-stock",
        )
    return name


def check_alias_name(alias: str, *, field: str = "alias") -> str:
    """Return the name, if an alias may have it.

    Raises:
        Unprocessable: it may not; names `field`.
    """
    if len(alias) > MAX_NAME_CHARACTERS or not ALIAS_NAME.fullmatch(alias):
        raise Unprocessable.at(
            field,
            f"{_shown(alias)} is no alias: up to {MAX_NAME_CHARACTERS} characters, small letters, "
            "digits, dot, dash and underscore, beginning with a letter or digit and not digits "
            "alone (those are version numbers), as in champion",
        )
    return alias


def parse_reference(text: str, *, field: str = "model") -> ModelReference:
    """Return what `name`, `name@alias` or `name@3` refers to.

    Raises:
        Unprocessable: it is none of these; names `field`.
    """
    name, at, rest = text.partition("@")
    check_model_name(name, field=field)
    if not at:
        return ModelReference(name=name, alias=CHAMPION, number=None)
    if rest.isascii() and rest.isdigit():
        return ModelReference(name=name, alias=None, number=_number(rest, field=field))
    return ModelReference(name=name, alias=check_alias_name(rest, field=field), number=None)


def _number(digits: str, *, field: str) -> int:
    # Its length is looked at first: int() refuses more than 4,300 digits in its own words.
    number = int(digits) if len(digits) <= len(str(MAX_NUMBER)) else 0
    if not 1 <= number <= MAX_NUMBER:
        raise Unprocessable.at(
            field, f"{_shown(digits)} is no version number: they count from 1, as in NAME@3"
        )
    return number


def _shown(text: str) -> str:
    """Return the text as an error may quote it."""
    return repr(text if len(text) <= MAX_NAME_CHARACTERS else text[:MAX_NAME_CHARACTERS] + "…")
