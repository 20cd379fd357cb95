"""Numbers as people and spreadsheets write them."""

from pathlib import Path

from app.datasets.content import SeriesContent
from app.datasets.reading import ReadResult
from tests.datasets.test_peculiar_files import read


def read_column(folder: Path, cells: list[str]) -> ReadResult:
    lines = [f"2017-03-{day:02d},{cell}" for day, cell in enumerate(cells, 1)]
    return read(folder, "file.csv", "\n".join(["date,x", *lines]).encode())


def test_errors_of_excel_in_other_languages_are_missing(tmp_path: Path) -> None:
    cells = ["#NV", "1", "#WERT!", "2", "#VALEUR!", "#N/D", "3"]
    content = read_column(tmp_path, cells).content
    assert isinstance(content, SeriesContent)
    assert content.column("x").tolist() == [1, 2, 3]


def test_different_units_in_a_column_are_pointed_out(tmp_path: Path) -> None:
    report = read_column(tmp_path, ["1.5 kg", "900 g", "1.2 kg"]).report
    assert report.columns[1].unit == "kg, g"
    assert any("kg and in g" in warning for warning in report.warnings)


def test_a_letter_behind_a_sum_of_money_is_its_magnitude(tmp_path: Path) -> None:
    result = read_column(tmp_path, ["£900k", "£1.2m", "£3 M", "£0.5 bn", "£2b", "£45"])
    assert isinstance(result.content, SeriesContent)
    assert result.content.column("x").tolist() == [900e3, 1.2e6, 3e6, 0.5e9, 2e9, 45.0]
    assert result.report.columns[1].unit == "£"
    # Without a currency it may be a unit: 5 m are metres.
    lengths = read_column(tmp_path, ["5 m", "6m", "7 M"])
    assert isinstance(lengths.content, SeriesContent)
    assert lengths.content.column("x").tolist() == [5.0, 6.0, 7.0]


def test_days_of_a_month_are_no_negative_numbers(tmp_path: Path) -> None:
    lines = [f"{day}-Jan,{day}.5" for day in range(1, 31)]
    content = read(tmp_path, "file.csv", "\n".join(["Date,x", *lines]).encode()).content
    assert isinstance(content, SeriesContent)
    assert content.columns == ("x",)


def test_a_single_column_of_prices_is_not_split_at_its_decimal_comma(tmp_path: Path) -> None:
    lines = [f"1.{200 + at},50 €" for at in range(30)]
    content = read(tmp_path, "file.csv", "\n".join(["Preis", *lines]).encode()).content
    assert isinstance(content, SeriesContent)
    assert content.columns == ("Preis",)
    assert content.column("Preis").tolist() == [1200.5 + at for at in range(30)]
