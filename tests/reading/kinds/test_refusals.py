"""Check that a refusal names row, column and cell, and what would make the file readable."""

from pathlib import Path

import pytest

from tests.reading.kinds.reading import Read, day, hour, lines, refusal, wave

QUOTE = '"'


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            lines("date,x", lambda at: f"{day(at) if at % 3 else 'soonish'},{wave(at)}", range(60)),
            (2, "date"),
            ("20 of 60 rows", "in row 2, 'soonish' is not a date", "Write them alike"),
        ),
        (
            lines("date,x", lambda at: f"{day(at // 2)},{wave(at)}", range(60)),
            (3, "date"),
            (
                "row 3 has the same time as row 2, 2021-01-04 00:00:00,",
                'name in "date" all columns',
            ),
        ),
        (
            lines("date,x", lambda at: f"{day(at - (at == 9))},{wave(at)}", range(60)),
            (11, "date"),
            (
                "1 row has the time in date of another row",
                "row 11 has the same time as row 10",
                '"duplicates" in `read`',
            ),
        ),
        (
            lines("when,x", lambda at: f"{hour(at)}{'' if at == 9 else 'Z'},{wave(at)}", range(60)),
            (11, "when"),
            ("row 11 lacks a time zone", "'2021-01-04 09:00:00'", "give all or none"),
        ),
        (
            lines("date,x", lambda at: f"{day(at)},{wave(at) if at % 2 else 'n. b.'}", range(60)),
            (2, "x"),
            ("'n. b.' is not a number (row 2, column 'x')", "in most of its rows"),
        ),
        ("date,x\n2021-01-01,\n,5\n2021-01-02,\n,7\n", (2, None), ("both a time and a number",)),
        (
            lines("date,x", lambda at: f"{day(at)},{QUOTE * (at == 5)}{wave(at)}", range(60)),
            (7, None),
            ("a quote is opened in row 7", "close it"),
        ),
    ],
)
def test_a_refusal_names_the_place_and_the_remedy(
    tmp_path: Path, text: str, place: tuple[int, str | None], said: tuple[str, ...]
) -> None:
    error = refusal(tmp_path, text)
    assert (error.errors[0].row, error.errors[0].column) == place
    assert [part for part in said if part not in error.detail] == []


def test_a_first_row_without_a_number_is_left_out_by_name(tmp_path: Path) -> None:
    text = "date,x\n2021-01-03,oops\n" + "".join(f"{day(at)},{wave(at)}\n" for at in range(40))
    read = Read(tmp_path, text)
    assert [entry.numbers for entry in read.report.rows_left_out] == [[2]]
    assert "'oops' (row 2)" in read.report.warnings[0]


def test_a_title_with_a_date_is_no_row_of_data(tmp_path: Path) -> None:
    text = "2021-03-01;daily report\n" + lines(
        "Datum;Wert", lambda at: f"{day(at)};{at}", range(40)
    )
    read = Read(tmp_path, text)
    assert read.content.columns == ("Wert",)
    assert (read.report.header_row, read.report.rows_left_out) == (2, [])


def test_a_first_row_without_a_readable_date_is_left_out_by_name(tmp_path: Path) -> None:
    text = "date,x,y\nsoonish,1,2\n" + "".join(f"{day(at)},{wave(at)},{at}\n" for at in range(40))
    read = Read(tmp_path, text)
    assert [entry.numbers for entry in read.report.rows_left_out] == [[2]]
    assert read.report.rows_in_file == 41
