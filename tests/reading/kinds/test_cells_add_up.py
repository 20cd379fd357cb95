"""Test that every cell of a file is used, left out for a reason, or in an unused column."""

import csv
import gzip
import io
from pathlib import Path

import pytest

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.reading.report import Report
from tests.reading.kinds.reading import Read, day, lines, wave
from tests.reading.peculiar_files import SAME, Same

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


def check(report: Report) -> None:
    cells = report.cells
    assert cells is not None
    groups = [*cells.left_out, *cells.unused]
    assert cells.used + sum(group.cells for group in groups) == cells.in_file
    assert all(group.cells > 0 for group in groups)
    assert all(group.reason for group in cells.left_out)
    names = {column.name for column in report.columns if not column.used}
    assert {group.column for group in cells.unused} <= names


@pytest.mark.parametrize("entry", SAME, ids=lambda entry: entry.name)
def test_the_cells_of_a_peculiar_file_add_up(entry: Same, tmp_path: Path) -> None:
    path = tmp_path / entry.name
    path.write_bytes(entry.data)
    result = read_file(path, entry.name, ReadOptions())
    assert isinstance(result.content, SeriesContent)
    check(result.report)
    assert result.report.cells is not None
    assert result.report.cells.used >= result.content.values.size


@pytest.mark.parametrize(
    "path", sorted(CASES.glob("[0-9]*")) or [None], ids=lambda path: path.name[:2] if path else ""
)
def test_the_cells_of_a_case_add_up(path: Path | None) -> None:
    if path is None:
        pytest.skip("the cases are not next to this checkout")
    check(read_file(path, path.name, ReadOptions()).report)


def test_they_are_those_of_the_file(tmp_path: Path) -> None:
    text = lines(
        "date,x,note,y", lambda at: f"{day(at)},{wave(at)},abc,{'NA' if at % 5 else at}", range(40)
    )
    text += "Total,12,,13\n,,,\n2021-02-30,4,x,5\n2021-02-20,oops,y,7.5\n"
    read = Read(tmp_path, gzip.compress(text.encode()))
    check(read.report)
    rows = list(csv.reader(io.StringIO(text)))[1:]
    cells = read.report.cells
    assert cells is not None
    assert cells.in_file == sum(map(len, rows))
    assert {group.reason: group.cells for group in cells.left_out} == {
        "no value": 32,
        "not a number": 1,
        "not a date in column date, such as 'Total'": 8,
        "an empty row": 4,
    }
    assert not cells.unused
    assert cells.used == 41 + 40 + 41 + 9
