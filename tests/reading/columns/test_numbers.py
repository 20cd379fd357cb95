"""Test numbers as people and spreadsheets write them."""

import math
from pathlib import Path

import pytest

from app.reading.columns.decimal_sign import DecimalEvidence
from app.reading.columns.numbers import Decimal, read_numbers
from app.reading.content import SeriesContent
from app.reading.decisions import Decision
from app.reading.reader import ReadResult
from tests.reading.test_peculiar_files import read


def read_column(folder: Path, cells: list[str]) -> ReadResult:
    lines = [f"2017-03-{day:02d},{cell}" for day, cell in enumerate(cells, 1)]
    return read(folder, "file.csv", "\n".join(["date,x", *lines]).encode())


@pytest.mark.parametrize(
    ("cell", "point", "comma"),
    [
        ("1.234", 1.234, 1234.0),
        ("1,234", 1234.0, 1.234),
        ("1,234.5", 1234.5, None),
        ("1.234,5", None, 1234.5),
        ("1,23", None, 1.23),
        ("12,34,567.8", 1234567.8, None),  # lakhs
        ("12,3456,789.0", None, None),
        ("1.234.567", None, 1234567.0),
        ("1'234.5", 1234.5, None),
        ("1'234,567", None, 1234.567),
        ("1 234 567", 1234567.0, 1234567.0),
        ("1\u202f234,5", None, 1234.5),
        ("1 23", None, None),
        (".5", 0.5, None),
        (",5", None, 0.5),
        ("5.", 5.0, None),
        (".", math.nan, math.nan),
        (",", None, None),
        ("+5", 5.0, 5.0),
        ("\u22125", -5.0, -5.0),
        ("5-", -5.0, -5.0),
        ("-5-", None, None),
        ("--5", None, None),
        ("12,-", None, 12.0),
        ("(1,234)", -1234.0, -1.234),
        ("(5", None, None),
        ("5)", None, None),
        ("$-5", -5.0, -5.0),
        ("-$5", -5.0, -5.0),
        ("5 kg", 5.0, 5.0),
        ("kg 5", None, None),
        ("1e5", 1e5, 1e5),
        ("1e400", None, None),
        ("9" * 399, None, None),
        ("0" * 399 + "1", 1.0, 1.0),
        ("0" * 400 + "1", None, None),
        ("\u0663", None, None),  # a digit, but not an ASCII one
        ("5\u0663", None, None),
        ("5.\u0663", None, None),
        ("1_000", None, None),
        ("True", 1.0, 1.0),
        ("false", 0.0, 0.0),
        ("n/a", math.nan, math.nan),
        ("", math.nan, math.nan),
        (None, math.nan, math.nan),
    ],
)
def test_a_cell_is_one_number_or_none(
    cell: str | None, point: float | None, comma: float | None
) -> None:
    for sign, expected in ((".", point), (",", comma)):
        found = read_numbers([cell], sign)  # type: ignore[arg-type]
        assert found.bad == ([0] if expected is None else [])
        value = math.nan if expected is None else expected
        assert found.values.tolist() == pytest.approx([value], nan_ok=True)
        assert found.missing == (math.isnan(value) and not found.bad)


def decided(cells: list[str], *, semicolons: bool = False, told: Decimal | None = None) -> Decision:
    found = DecimalEvidence()
    found.add_column("x", list(enumerate(cells, 2)))
    sign, decision = found.decide(told, semicolons=semicolons)
    assert sign == decision.chosen
    return decision


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["1,234", "1.5"], "."),
        (["1.234", "1,5", "1,25"], ","),
        (["1,234,567"], "."),
        (["1.234.567"], ","),
        (["1,2345"], ","),
        (["1234,567"], ","),
        (["0,123"], ","),
        (["12", "x,5"], "."),
        (["1,200 kWh", "2.5 kWh"], "."),
        (["1.200 €", "3,50 €"], ","),
        (["950 kg", "980 kg", "990 kg", "1,550 kg"], "."),
        (["950", "980", "990", "1.550"], ","),
        (["1550", "1,234"], ","),
        (["324.3'9", "1.5"], "."),  # found by fuzzing
        ([".123", "1.5"], "."),  # found by fuzzing
    ],
)
def test_other_cells_decide_the_decimal_sign(cells: list[str], sign: str) -> None:
    decision = decided(cells)
    assert (decision.chosen, decision.certainty) == (sign, "sure")


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["1,234", "12,345"], "."),
        (["1.234"], "."),
        (["1,200 kWh", "1,250 kWh"], "."),
        (["1.550 kg"], "."),
        (["1", "3", "2", "1,250"], "."),
        (["1.200 €", "1.350 €"], ","),
        (["1,234.5", "2.345,6"], "."),  # equally many of both
    ],
)
def test_three_digits_behind_a_separator_leave_a_doubt(cells: list[str], sign: str) -> None:
    decision = decided(cells)
    assert (decision.chosen, decision.certainty) == (sign, "doubtful")
    assert decision.settle == {"decimal": "," if sign == "." else "."}
    assert cells[0] in decision.warning


def test_what_is_said_about_the_decimal_sign_counts() -> None:
    assert decided(["1,234", "1.5"], told=",").certainty == "set"


@pytest.mark.parametrize("cell", ["1,234", "1.234"])
def test_between_semicolons_the_comma_is_likelier_decimal(cell: str) -> None:
    decision = decided([cell], semicolons=True)
    assert (decision.chosen, decision.certainty) == (",", "doubtful")


def test_errors_of_excel_in_other_languages_are_missing(tmp_path: Path) -> None:
    cells = ["#NV", "1", "#WERT!", "2", "#VALEUR!", "#N/D", "3"]
    content = read_column(tmp_path, cells).content
    assert isinstance(content, SeriesContent)
    assert content.column("x").tolist() == [1, 2, 3]


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
