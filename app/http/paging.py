"""Pages of a list: `{"items": […], "next": cursor or null}`, by the key of the last item shown."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from app.errors import InvalidRequest

Item = TypeVar("Item")
Row = TypeVar("Row")

LimitParameter = Annotated[int, Query(ge=1, le=500, description="items on a page")]
CursorParameter = Annotated[
    str | None, Query(max_length=500, description="`next` of the page before; left out: the first")
]
DEFAULT_LIMIT = 50


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: Annotated[str | None, Field(description="cursor of the next page; null: the last one")]


def cursor_of(key: str | int | UUID) -> str:
    """The cursor that stands behind the item with this key."""
    return base64.urlsafe_b64encode(json.dumps([str(key)]).encode()).decode().rstrip("=")


def key_of(cursor: str | None) -> str | None:
    """The key that a cursor was made of.

    Raises:
        InvalidRequest: it was not made by `cursor_of`.
    """
    if cursor is None:
        return None
    try:
        (key,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise _bad_cursor() from error
    if not isinstance(key, str) or "\x00" in key:
        raise _bad_cursor()
    return key


def number_key_of(cursor: str | None) -> int | None:
    """The same for keys that are numbers.

    Raises:
        InvalidRequest: it was not made by `cursor_of` of a number that a database integer holds.
    """
    key = key_of(cursor)
    if key is None:
        return None
    if not (key.isascii() and key.isdigit() and len(key) <= len(str(2**31))):
        raise _bad_cursor()
    return min(int(key), 2**31 - 1)


def id_key_of(cursor: str | None) -> UUID | None:
    """The same for keys that are ids.

    Raises:
        InvalidRequest: it was not made by `cursor_of` of an id.
    """
    key = key_of(cursor)
    if key is None:
        return None
    try:
        return UUID(key)
    except ValueError as error:
        raise _bad_cursor() from error


def cut_page(
    rows: Sequence[Row], *, limit: int, key: Callable[[Row], str | int | UUID]
) -> tuple[Sequence[Row], str | None]:
    """The page and the next cursor, from one row more than the page holds."""
    page = rows[:limit]
    return page, cursor_of(key(page[-1])) if len(rows) > limit else None


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest("cursor: not one of ours; take it from `next` of the page before")
