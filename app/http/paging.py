"""Split lists into pages: `{"items": […], "next": cursor or null}`.

A cursor is the key of the last item shown, so a page begins where the previous one ended, whatever
has been added or deleted since.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from app.errors import InvalidRequest

Item = TypeVar("Item")
Row = TypeVar("Row")
Key = TypeVar("Key", str, int, UUID)

CursorParameter = Annotated[
    str | None, Query(max_length=500, description="`next` of the previous page; omit for the first")
]
DEFAULT_LIMIT = 50
MOST_ITEMS = 500
LimitParameter = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="items per page")]
LARGEST_NUMBER = 2**31 - 1  # the largest PostgreSQL integer


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: Annotated[str | None, Field(description="cursor of the next page; null on the last page")]


@dataclass(frozen=True, kw_only=True)
class Paging(Generic[Key]):
    """The part of a list that a caller asks for."""

    limit: int  # items on the page
    start: Key | None  # key of the last item of the previous page

    @property
    def rows(self) -> int:
        """The number of rows to read: one more than on the page, to see whether another follows."""
        return self.limit + 1

    def page(
        self,
        rows: Sequence[Row],
        answers: Callable[[Sequence[Row]], list[Item]],
        *,
        key: Callable[[Row], Key] = attrgetter("id"),
    ) -> Page[Item]:
        """Return the page with these rows.

        Args:
            rows: up to `self.rows` of them, following `start`.
            answers: turns the rows that are shown into items.
            key: returns the key by which the list is ordered.
        """
        shown = rows[: self.limit]
        following = cursor_of(key(shown[-1])) if len(rows) > self.limit else None
        return Page(items=answers(shown), next=following)


def cursor_of(key: str | int | UUID) -> str:
    """Return the cursor for the position after the item with this key."""
    return base64.urlsafe_b64encode(json.dumps([str(key)]).encode()).decode().rstrip("=")


def text_key(cursor: str) -> str:
    """Return the key of a cursor.

    Raises:
        InvalidRequest: it was not made by `cursor_of`.
    """
    try:
        (key,) = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise _bad_cursor() from error
    if not isinstance(key, str) or "\x00" in key:
        raise _bad_cursor()
    return key


def number_key(cursor: str) -> int:
    """Return the number of a cursor, at most the largest that a column can hold.

    Raises:
        InvalidRequest: it was not made by `cursor_of` from a number.
    """
    key = text_key(cursor)
    if not (key.isascii() and key.isdigit() and len(key) <= len(str(LARGEST_NUMBER))):
        raise _bad_cursor()
    return min(int(key), LARGEST_NUMBER)


def id_key(cursor: str) -> UUID:
    """Return the id of a cursor.

    Raises:
        InvalidRequest: it was not made by `cursor_of` from an id.
    """
    try:
        return UUID(text_key(cursor))
    except ValueError as error:
        raise _bad_cursor() from error


def paging_by(
    read: Callable[[str], Key], *, usual: int = DEFAULT_LIMIT, most: int = MOST_ITEMS
) -> Callable[..., Paging[Key]]:
    """Return the dependency that reads `limit` and `cursor` of a request.

    Args:
        read: turns a cursor into the key by which the list is ordered.
        usual: items per page if the caller does not set `limit`.
        most: the largest allowed `limit`.
    """

    def paging(
        limit: Annotated[int, Query(ge=1, le=most, description="items per page")] = usual,
        cursor: CursorParameter = None,
    ) -> Paging[Key]:
        return read_paging(read, limit, cursor)

    return paging


def read_paging(read: Callable[[str], Key], limit: int, cursor: str | None) -> Paging[Key]:
    """Return the page that a request's `limit` and `cursor` select.

    Raises:
        InvalidRequest: the cursor is not one of this list's.
    """
    return Paging(limit=limit, start=None if cursor is None else read(cursor))


PagingById = Annotated[Paging[UUID], Depends(paging_by(id_key))]
PagingByName = Annotated[Paging[str], Depends(paging_by(text_key))]
PagingByNumber = Annotated[Paging[int], Depends(paging_by(number_key))]


def _bad_cursor() -> InvalidRequest:
    return InvalidRequest("cursor: invalid; use `next` of the previous page")
