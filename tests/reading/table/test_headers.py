"""Test names, delimiters and layouts in the first lines of a file."""

from pathlib import Path

from app.reading.content import SeriesContent
from tests.reading.test_peculiar_files import read

DAYS = [f"2017-03-{day:02d}" for day in range(1, 31)]


def columns(folder: Path, text: str, **told: object) -> tuple[str, ...]:
    content = read(folder, "file.csv", text.encode(), **told).content
    assert isinstance(content, SeriesContent)
    return content.columns


def test_a_stray_cell_in_the_first_row_moves_no_name(tmp_path: Path) -> None:
    lines = [f"{day},{at}" + (",checked" if at == 0 else "") for at, day in enumerate(DAYS)]
    assert columns(tmp_path, "\n".join(["Date,Open", *lines])) == ("Open",)


def test_a_comma_that_does_not_split_the_header_is_decimal(tmp_path: Path) -> None:
    lines = [f"Filiale {at};{at},5" for at in range(30)]
    result = read(tmp_path, "file.csv", "\n".join(["Ort;Umsatz", *lines]).encode())
    assert isinstance(result.content, SeriesContent)
    assert result.content.column("Umsatz").tolist() == [at + 0.5 for at in range(30)]
    assert result.report.warnings == []


def test_numbers_beside_a_header_of_dates_belong_to_the_series(tmp_path: Path) -> None:
    header = "Province,Country,Lat," + ",".join(f"1/{day}/20" for day in range(1, 31))
    rows = [
        f"{place},{latitude}," + ",".join(str(latitude * day) for day in range(30))
        for place, latitude in ((",Germany", 51.5), ("Hubei,China", 30.5), (",Italy", 41.5))
    ]
    result = read(tmp_path, "file.csv", "\n".join([header, *rows]).encode())
    assert isinstance(result.content, SeriesContent)
    assert result.report.layout == "series_per_row"
    assert result.content.labels == ("Germany", "China", "Italy")


def test_a_header_of_years_beside_numbers_is_doubtful(tmp_path: Path) -> None:
    text = "Shop,Area,2017,2018,2019\nA,120,1,2,3\nB,80,4,5,6\n"
    report = read(tmp_path, "file.csv", text.encode()).report
    assert report.warnings[0].startswith("Doubtful layout: a series in each row")
    assert columns(tmp_path, text) == ("value",)
    assert columns(tmp_path, text, layout="table") == ("Area", "2017", "2018", "2019")


def test_times_in_several_columns_are_those_of_a_series_per_column(tmp_path: Path) -> None:
    hours = "\n".join(["Date,Time,a,b", *(f"2017-03-01,{at:02d}:00,{at},5" for at in range(24))])
    months = "\n".join(["Year,Month,a,b", *(f"2017,{at},{at},5" for at in range(1, 13))])
    for text, last in ((hours, "2017-03-01T23:00:00"), (months, "2017-12-01")):
        content = read(tmp_path, "file.csv", text.encode(), layout="series_per_column").content
        assert isinstance(content, SeriesContent)
        assert content.labels == ("a", "b")
        assert content.row_times_iso()[-1] == last


def test_a_comment_between_blanks_is_no_header(tmp_path: Path) -> None:
    lines = "".join(f"{at}.5 {at * 2}.25\n" for at in range(30))
    assert columns(tmp_path, f"# time level\n{lines}") == ("column 1", "column 2")


def test_a_stray_line_among_pairs_of_whole_numbers_is_left_out(tmp_path: Path) -> None:
    lines = "".join(f"{at},{at * 3 + 100}\n" for at in range(200, 230))
    for stray in ("5,6,7\n", "Total\n"):
        report = read(tmp_path, "file.csv", (lines + stray).encode()).report
        assert (report.rows_used, report.rows_left_out[0].numbers) == (30, [31])
