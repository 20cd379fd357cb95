"""Test thousands separators without quotes between commas: rows are refused, not misread."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from app.reading.content import SeriesContent, TextContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.reading.report import UnreadableFile


def written(folder: Path, rows: list[str], header: str = "Date,Price,Volume") -> Path:
    days = [date(2017, 1, 3) + timedelta(days=at) for at in range(len(rows))]
    lines = [f"{day},{row}" for day, row in zip(days, rows, strict=True)]
    file = folder / "prices.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def refusal(file: Path) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read_file(file, file.name, ReadOptions())
    return caught.value


@pytest.mark.parametrize(
    ("rows", "row", "number"),
    [
        ([f"{950 + at / 2:,.2f},10" for at in range(200)], 102, "1,000.00"),  # was read as a text
        ([f"{800 + at / 2:,.2f},10" for at in range(600)], 402, "1,000.00"),  # after the sample
        ([f"{980 + at},10" for at in range(20)] + ["1,000,10"] * 3, 22, "1,000"),
        ([f"{1210 + at / 10:,.2f},10" for at in range(300)], 2, "1,210.00"),  # every row
        (["1,234.50,10", *["999.50,10"] * 200], 2, "1,234.50"),  # only the first
        ([f"7.5,{90_000 * at:,}" for at in range(1, 100)], 2, "90,000"),
        ([f"7.5,{90_000 * at:,}" for at in range(12, 100)], 2, "1,080,000"),
        ([f"-${at},{at:03d}.5,7" for at in range(1, 50)], 2, "-$1,001.5"),
    ],
)
def test_the_first_row_of_them_is_named(
    tmp_path: Path, rows: list[str], row: int, number: str
) -> None:
    problem = refusal(written(tmp_path, rows))
    assert problem.errors[0].row == row
    assert f"row {row} has" in problem.detail
    assert f'("{number}")' in problem.detail


def test_lines_of_a_text_may_begin_with_them(tmp_path: Path) -> None:
    lines = [f"{at},450 men went" if at % 9 == 1 else "and sang all night" for at in range(1, 90)]
    file = tmp_path / "story.txt"
    file.write_text("\n".join(["The count", *lines]))
    assert isinstance(read_file(file, file.name, ReadOptions()).content, TextContent)


def test_of_a_single_column_too_all_rows_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("\n".join(["Price", *(f"{1040 + at / 8:,.2f}" for at in range(60))]))
    assert "row 2 has 2 cells instead of 1" in refusal(file).detail


@pytest.mark.parametrize(("quote", "delimiter"), [('"', ","), ("", ";")])
def test_quotes_or_another_delimiter_are_right(tmp_path: Path, quote: str, delimiter: str) -> None:
    prices = [950 + at / 2 for at in range(200)]
    rows = [f"2017-01-03{delimiter}{quote}{price:,.2f}{quote}" for price in prices]
    file = tmp_path / "prices.csv"
    file.write_text("\n".join([f"Day{delimiter}Price", *rows]))
    content = read_file(file, file.name, ReadOptions(date="")).content
    assert isinstance(content, SeriesContent)
    assert content.column("Price").tolist() == prices


@pytest.mark.parametrize("late", [0, 500])
def test_cells_of_their_own_may_be_said_to_be_such(tmp_path: Path, late: int) -> None:
    rows = ["7,10"] * late + ["45,130,234" if at % 2 else "45,130" for at in range(200)]
    file = written(tmp_path, rows)
    assert "45,130" in refusal(file).detail
    content = read_file(file, file.name, ReadOptions(delimiter=",")).content
    assert isinstance(content, SeriesContent)
    assert content.columns == ("Price", "Volume", "column 4")


def test_row_names_without_a_name_are_no_thousands(tmp_path: Path) -> None:
    rows = [f"{30 + at % 50},{110 + at % 80},{200 + at % 99}" for at in range(100)]
    file = written(tmp_path, rows, header="age,pressure,cholesterol")
    content = read_file(file, file.name, ReadOptions()).content
    assert isinstance(content, SeriesContent)
    assert content.columns == ("age", "pressure", "cholesterol")


def test_a_few_longer_rows_are_left_out_as_before(tmp_path: Path) -> None:
    rows = ["45,130", *["7,10"] * 150, "45,130,234", *["7,10"] * 150]
    report = read_file(written(tmp_path, rows), "prices.csv", ReadOptions()).report
    assert report.rows_left_out[0].numbers == [153]
