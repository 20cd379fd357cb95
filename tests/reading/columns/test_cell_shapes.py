"""Test that cells are grouped by their shape, whether a block of them is regular or not."""

import numpy as np
import pytest

from app.reading.columns.cell_shapes import CHUNK_ROWS, shape_groups


def shapes_of(cells: list[str], *, packed: bool) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for group in shape_groups(np.array(cells, dtype=np.bytes_ if packed else object)):
        found.setdefault(group.shape, []).extend(group.rows.tolist())
        rows = np.arange(len(cells))[group.place]
        assert rows.tolist() == group.rows.tolist()
        texts = [bytes(text).rstrip(b"\0").decode() for text in group.text]
        assert texts == [cells[row].strip() for row in rows]
    return found


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("count", [1, 63, 64, 65, 200, CHUNK_ROWS + 70])
def test_digits_alone_make_no_difference(count: int, *, packed: bool) -> None:
    cells = [f"2017-01-{day % 28 + 1:02d}" for day in range(count)]
    assert shapes_of(cells, packed=packed) == {"0000-00-00": list(range(count))}


@pytest.mark.parametrize("odd", ["2017/01/03", "2017-01-3", "2017-01-0:", "", "a017-01-03"])
@pytest.mark.parametrize("place", [0, 63, 64, 150, 199])
def test_one_odd_cell_stands_apart(odd: str, place: int) -> None:
    cells = ["2017-01-03", "2018-12-31"] * 100
    cells[place] = odd
    found = shapes_of(cells, packed=True)
    assert found.pop("0000-00-00") == [row for row in range(200) if row != place]
    assert list(found.values()) == ([[place]] if odd else [])


def test_letters_are_alike_and_signs_are_not() -> None:
    found = shapes_of(["3 Jan", "4 Feb", "5-Mar"] * 50, packed=True)
    assert {shape: len(rows) for shape, rows in found.items()} == {"0 aaa": 100, "0-aaa": 50}


def test_blanks_around_regular_cells_are_no_part_of_their_shape() -> None:
    assert shapes_of([" 2017 ", " 2018 "] * 50, packed=True) == {"0000": list(range(100))}
