from uuid import UUID

import pytest

from app.errors import InvalidRequest
from app.http.paging import Page, cursor_of, id_key, number_key, read_paging, text_key


def test_a_cursor_brings_its_key_back() -> None:
    identifier = UUID("01970000-0000-7000-8000-000000000000")

    assert text_key(cursor_of("google-stock")) == "google-stock"
    assert number_key(cursor_of(3)) == 3
    assert id_key(cursor_of(identifier)) == identifier


def test_a_number_beyond_any_row_is_the_largest_one() -> None:
    assert number_key(cursor_of(9_999_999_999)) == 2**31 - 1


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "é", "W10", "WzFd", "bnVsbA", "WyJhIiwiYiJd", "[" * 400, cursor_of("a\x00")],
)
def test_what_is_not_a_cursor_is_a_400(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        read_paging(text_key, 50, cursor)


@pytest.mark.parametrize("key", ["", "-1", "٣", "3.5", "9" * 11, "9" * 5000, "a"])
def test_what_is_not_a_number_or_id_is_a_400(key: str) -> None:
    with pytest.raises(InvalidRequest):
        number_key(cursor_of(key))
    with pytest.raises(InvalidRequest):
        id_key(cursor_of(key))


def page_of(rows: list[int], *, limit: int) -> Page[str]:
    paging = read_paging(number_key, limit, None)
    assert paging.start is None
    return paging.page(
        rows[: paging.rows], lambda shown: [str(row) for row in shown], key=lambda row: row
    )


def test_a_page_ends_at_the_limit_and_names_the_next() -> None:
    page = page_of([1, 2, 3], limit=2)

    assert page.items == ["1", "2"]
    assert page.next is not None
    assert number_key(page.next) == 2


@pytest.mark.parametrize("rows", [[1, 2, 3], []])
def test_the_last_page_has_no_next(rows: list[int]) -> None:
    assert page_of(rows, limit=3).next is None
