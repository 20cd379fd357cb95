from uuid import UUID

import pytest

from app.errors import InvalidRequest
from app.http.paging import cursor_of, cut_page, id_key_of, key_of, number_key_of


def test_a_cursor_brings_its_key_back() -> None:
    identifier = UUID("01970000-0000-7000-8000-000000000000")

    assert key_of(cursor_of("google-stock")) == "google-stock"
    assert number_key_of(cursor_of(3)) == 3
    assert number_key_of(cursor_of(9_999_999_999)) == 2**31 - 1  # no row has it
    assert id_key_of(cursor_of(identifier)) == identifier
    assert [key_of(None), number_key_of(None), id_key_of(None)] == [None, None, None]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "é", "W10", "WzFd", "bnVsbA", "WyJhIiwiYiJd", "[" * 400, cursor_of("a\x00")],
)
def test_what_is_no_cursor_is_a_400(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        key_of(cursor)


@pytest.mark.parametrize("key", ["", "-1", "٣", "3.5", "9" * 11, "9" * 5000, "a"])
def test_what_is_no_number_or_id_is_a_400(key: str) -> None:
    with pytest.raises(InvalidRequest):
        number_key_of(cursor_of(key))
    with pytest.raises(InvalidRequest):
        id_key_of(cursor_of(key))


def test_a_page_ends_where_the_limit_is() -> None:
    rows = [1, 2, 3]

    page, following = cut_page(rows, limit=2, key=lambda row: row)
    assert list(page) == [1, 2]
    assert number_key_of(following) == 2

    assert cut_page(rows, limit=3, key=lambda row: row) == ([1, 2, 3], None)
    assert cut_page([], limit=3, key=lambda row: row) == ([], None)
