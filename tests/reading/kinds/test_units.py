"""Test units, flags and words beside numbers."""

from pathlib import Path

import numpy as np
import pytest

from tests.reading.kinds.reading import Read, day, lines


def column(folder: Path, cells: list[str], **told: str) -> Read:
    return Read(
        folder, lines("date,x", lambda at: f'{day(at)},"{cells[at]}"', range(len(cells))), **told
    )


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,200 kWh", "1,300 kWh", "0.5 kWh"], [1200, 1300, 0.5]),
        (["900", "950", "980", "1,550 kg"], [900, 950, 980, 1550]),
        (["1.200 €", "1.300 €", "999,50 €"], [1200, 1300, 999.5]),
        (["2 300 m³", "2 400 m³", "2 450,5 m³"], [2300, 2400, 2450.5]),
        (["-1,200 MW", "1,200 MW", "12,500,000 MW"], [-1200, 1200, 12_500_000]),
    ],
)
def test_a_unit_behind_a_number_does_not_decide_its_decimal_sign(
    tmp_path: Path, cells: list[str], values: list[float]
) -> None:
    read = column(tmp_path, cells)
    assert read.content.column("x").tolist() == values
    assert read.is_sure


@pytest.mark.parametrize(
    ("cells", "values", "told"),
    [
        (["700 W", "1.20 kW", "900 W"], [700, 1200, 900], "1 kW is read as 1000 W"),
        (["1.5 kg", "900 g", "0.002 t"], [1500, 900, 2000], "1 kg is read as 1000 g"),
        (["12 MWh", "0.5 GWh", "900 kWh"], [12_000, 500_000, 900], "1 GWh is read as 1e+06 kWh"),
        (["5 %", "6.5 %", "0.07", "0.05"], [5, 6.5, 7, 5], "multiplied by 100"),
    ],
)
def test_mixed_units_are_converted_and_told(
    tmp_path: Path, cells: list[str], values: list[float], told: str
) -> None:
    read = column(tmp_path, cells * 3)
    assert read.content.column("x")[: len(values)].tolist() == pytest.approx(values)
    assert any(told in warning for warning in read.report.warnings)


@pytest.mark.parametrize(("odd", "value"), [("1,550 kg", 1550), ("1,550", 1550), ("1,5 kg", 1.5)])
def test_one_cell_among_ninety_is_read_like_the_others(
    tmp_path: Path, odd: str, value: float
) -> None:
    cells = [f"{1400 + at}" for at in range(90)]
    cells[40] = odd
    read = column(tmp_path, cells)
    assert read.content.column("x")[40] == value
    assert read.is_sure


def test_units_that_cannot_be_converted_are_told(tmp_path: Path) -> None:
    read = column(tmp_path, ["5 €", "6 $", "7 €", "8 €"])
    assert any("€ and in $" in warning for warning in read.report.warnings)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1.2p", "3.4", "5.6 b", "7.8"], [1.2, 3.4, 5.6, 7.8]),
        (["12*", "13", "14 (p)", "15 [1]", "16 1)"], [12, 13, 14, 15, 16]),
        (["1.2e", "3.4", "5.6", "7.8r"], [1.2, 3.4, 5.6, 7.8]),
    ],
)
def test_flags_behind_numbers_are_left_out(
    tmp_path: Path, cells: list[str], values: list[float]
) -> None:
    read = column(tmp_path, cells)
    assert read.content.column("x").tolist() == values
    assert read.report.columns[1].unit is None
    assert read.report.columns[1].note


@pytest.mark.parametrize("mark", [":", "(NA)", "n.a.", "..", "-", "x", "…", "(D)", ": c", "k.A."])
def test_marks_of_statistical_offices_are_missing_values(tmp_path: Path, mark: str) -> None:
    read = column(tmp_path, ["1.5", "2.5", mark, "3.5", mark, "4.5"], gaps="leave")
    assert read.content.column("x").tolist() == [1.5, 2.5, 3.5, 4.5]
    assert read.report.columns[1].type == "number"


@pytest.mark.parametrize("word", ["0.24 Dividend", "7:1 Stock Split", "see note"])
def test_a_row_that_says_something_else_is_left_out_by_name(tmp_path: Path, word: str) -> None:
    cells = [f"{100 + at % 7}.5" for at in range(40)]
    cells[20] = word
    read = column(tmp_path, cells)
    assert 0.24 not in read.content.column("x").tolist()
    assert word in read.report.rows_left_out[0].reason
    assert any(word in warning for warning in read.report.warnings)


@pytest.mark.parametrize("rows", [4, 200])
def test_a_bad_cell_is_named_in_short_files_and_in_long_ones(tmp_path: Path, rows: int) -> None:
    cells = [f"{at % 9}.5" for at in range(rows)]
    cells[2] = "oops"
    read = column(tmp_path, cells)
    assert any("oops" in warning for warning in read.report.warnings)
    assert len(read.content) == rows - 1


def test_left_out_cells_are_grouped_by_reason(tmp_path: Path) -> None:
    text = lines("date,x", lambda at: f"{day(at)},{at % 5}.5", range(60))
    text += "".join(f"Total {name},1\n" for name in "abc") + "# the end\n"
    reasons = {entry.reason: entry.rows for entry in Read(tmp_path, text).report.rows_left_out}
    assert reasons == {"not a date in column date, such as 'Total a'": 3, "a comment": 1}


@pytest.mark.parametrize(
    ("mark", "among"),
    [("-999.9", (5.0, 0.1)), ("-200", (2.0, 1.0)), ("9999", (30.0, 3.0)), ("-99", (12.0, 0.7))],
)
def test_a_sentinel_is_doubted_and_can_be_named(
    tmp_path: Path, mark: str, among: tuple[float, float]
) -> None:
    base, step = among
    cells = [mark if at % 17 == 3 else f"{base + at % 9 * step:.2f}" for at in range(120)]
    read = column(tmp_path, cells)
    assert read.report.warnings[0].startswith("Doubtful marks of missing values")
    assert read.decision("missing").settle == {"missing": mark}
    assert float(mark) in read.content.column("x").tolist()
    settled = column(tmp_path, cells, missing=mark)
    assert float(mark) not in settled.content.column("x").tolist()
    assert settled.is_sure


def test_zeros_and_spikes_are_no_sentinels(tmp_path: Path) -> None:
    cells = [str(0 if at % 4 else 50 + at) for at in range(120)]
    assert column(tmp_path, cells).is_sure
    closed = [str(0 if at % 7 == 6 else 500 + at % 5) for at in range(120)]
    assert column(tmp_path, closed).is_sure


def test_further_marks_of_missing_values_can_be_named(tmp_path: Path) -> None:
    cells = ["1", "2", "gone", "4", "-1", "6", "7"]
    read = column(tmp_path, cells, missing="gone,-1", gaps="leave")
    assert read.content.column("x").tolist() == [1, 2, 4, 6, 7]
    assert np.isfinite(read.content.values).all()
