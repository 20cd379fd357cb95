"""Test one peculiarity at a time, where files differ."""

import gzip
import pickle
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from app.reading.content import SeriesContent, TextContent
from app.reading.read_options import ReadOptions
from app.reading.reader import ReadResult, read_file
from app.reading.report import UnreadableFile


def read(folder: Path, text: str | bytes, name: str = "file.csv", **told: object) -> ReadResult:
    path = folder / "upload"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, name, ReadOptions.model_validate(told))


def series(result: ReadResult) -> SeriesContent:
    assert isinstance(result.content, SeriesContent)
    return result.content


def refused(folder: Path, text: str | bytes, **told: object) -> UnreadableFile:
    with pytest.raises(UnreadableFile) as caught:
        read(folder, text, "file.csv", **told)
    assert caught.value.status == 422
    return caught.value


def days(first: int, count: int) -> list[str]:
    return [f"2017-03-{day:02d}" for day in range(first, first + count)]


def daily(values: list[object], header: str = "date,x") -> str:
    lines = [f"{day},{value}" for day, value in zip(days(1, len(values)), values, strict=True)]
    return "\n".join([header, *lines]) + "\n"


def test_times_in_the_forms_they_have(tmp_path: Path) -> None:
    stamps = {
        "1949-01 1949-02 1949-03": ("date", "1949-03-01", "MS"),
        "2004Q3 2004Q4 2005Q1": ("date", "2005-01-01", "QS"),
        "Q3-2004 Q4-2004 Q1-2005": ("date", "2005-01-01", "QS"),
        "1999 2000 2001": ("date", "2001-01-01", "YS"),
        "2017-01-31 2017-02-28 2017-03-31": ("date", "2017-03-31", "ME"),
        "2017-01-03T09:30 2017-01-03T09:45": ("local", "2017-01-03T09:45:00", "15min"),
        "2017-01-03T09:30Z 2017-01-03T10:30Z": ("zoned", "2017-01-03T10:30:00+00:00", "h"),
        "1483401600 1483405200 1483408800": ("zoned", "2017-01-03T02:00:00+00:00", "h"),
        "1483401600000 1483401601000 1483401602000": ("zoned", "2017-01-03T00:00:02+00:00", "s"),
        "2017010322 2017010323 2017010400": ("local", "2017-01-04T00:00:00", "h"),
        "201701032345 201701040000": ("local", "2017-01-04T00:00:00", "15min"),
        "20170103235959 20170104000000": ("local", "2017-01-04T00:00:00", "s"),
        "201701 201702 201703": ("date", "2017-03-01", "MS"),
        "2017-W01 2017-W02 2017-W03": ("date", "2017-01-16", "W"),
    }  # fmt: skip
    for written, (form, last, frequency) in stamps.items():
        lines = "\n".join(f"{stamp},{at}.5" for at, stamp in enumerate(written.split()))
        content = series(read(tmp_path, f"time,x\n{lines}\n"))
        assert (content.time_form, content.frequency) == (form, frequency), written
        assert content.row_times_iso()[-1] == last


def test_zones_are_kept_and_rows_ordered_by_instant(tmp_path: Path) -> None:
    stamps = ["02:30:00+01:00,3", "02:30:00+02:00,2", "01:30:00+02:00,1"]
    text = "t,x\n" + "\n".join(f"2017-10-29 {stamp}" for stamp in stamps)
    content = series(read(tmp_path, text))
    assert content.column("x").tolist() == [1, 2, 3]
    assert content.row_times_iso()[1:] == ["2017-10-29T02:30:00+02:00", "2017-10-29T02:30:00+01:00"]


def test_parquet_keeps_the_clocks_of_its_zone(tmp_path: Path) -> None:
    days = np.arange("2020-03-26", "2020-04-05", dtype="datetime64[D]")
    offsets = np.where(days <= np.datetime64("2020-03-29"), 1, 2)
    instants = days.astype("datetime64[us]") - offsets.astype("timedelta64[h]")
    stamps = pa.array([None, *instants.tolist()], pa.timestamp("us", tz="Europe/Berlin"))
    pq.write_table(pa.table({"time": stamps, "x": [0, *offsets]}), tmp_path / "table")
    content = series(read(tmp_path, (tmp_path / "table").read_bytes()))
    assert content.row_times_iso() == [
        f"{day}T00:00:00+0{offset}:00" for day, offset in zip(days, offsets, strict=True)
    ]
    assert content.frequency == "D"


def test_times_with_and_without_a_zone_are_refused(tmp_path: Path) -> None:
    lines = [f"2017-01-{day:02d}T00:00:00{'' if day == 4 else 'Z'},{day}" for day in range(1, 10)]
    error = refused(tmp_path, "\n".join(["t,x", *lines]))
    assert error.errors[0].row == 5
    assert error.errors[0].column == "t"


def test_day_or_month_is_decided_over_the_whole_column(tmp_path: Path) -> None:
    lines = [f"0{1 + at // 28}/{1 + at % 28:02d}/2017,{at}" for at in range(40)]
    result = read(tmp_path, "date,x\n" + "\n".join(lines))
    assert result.report.date is not None
    assert result.report.date.date_order == "mdy"
    assert not any("Doubtful" in warning for warning in result.report.warnings)


def test_the_order_of_rows_decides_where_ranges_do_not(tmp_path: Path) -> None:
    text = "date,x\n" + "\n".join(
        f"{day:02d}/{month:02d}/2017,{month}.{day}" for month in (1, 2, 3) for day in range(1, 13)
    )
    report = read(tmp_path, text).report
    assert report.date is not None
    assert report.date.date_order == "dmy"
    order = report.decision("date_order")
    assert order is not None
    assert "100% of the steps" in order.reason


def test_an_open_order_is_told_first_and_can_be_settled(tmp_path: Path) -> None:
    text = "date,x\n" + "\n".join(f"{at:02d}/02/2017,{at}" for at in range(1, 13))
    guessed = read(tmp_path, text)
    assert guessed.report.warnings[0].startswith("Doubtful order of day and month: mdy")
    assert 'set "date_order" to "dmy"' in guessed.report.warnings[0]
    assert series(guessed).frequency == "MS"
    told = read(tmp_path, text, date_order="dmy")
    assert not any("Doubtful" in warning for warning in told.report.warnings)
    assert series(told).frequency == "D"


def test_an_open_decimal_sign_is_told_first_and_can_be_settled(tmp_path: Path) -> None:
    text = "date;x\n" + "\n".join(f"{day};1,{100 + at}" for at, day in enumerate(days(1, 9)))
    guessed = read(tmp_path, text)
    assert "decimal" in guessed.report.warnings[0]
    assert series(guessed).column("x")[0] == 1.1
    assert series(read(tmp_path, text, decimal=".")).column("x")[0] == 1100


def test_an_open_decimal_sign_is_found_wherever_it_comes_first(tmp_path: Path) -> None:
    start = date(2017, 3, 1)
    values = [*map(str, range(100, 400)), *(f"{value}.123" for value in range(100))]
    lines = [f"{start + timedelta(days=at)};{value}" for at, value in enumerate(values)]
    report = read(tmp_path, "\n".join(["date;x", *lines])).report
    decision = report.decision("decimal")
    assert decision is not None
    assert "0.123" in str(decision.evidence)
    assert (report.decimal, decision.certainty) == (".", "sure")


def test_missing_values_in_every_spelling(tmp_path: Path) -> None:
    spellings = ["NA", "n/a", "null", "-", "", "?", ".", "NaN", "#N/A", "None", "inf"]
    lines = [f"{day},{cell},1.5" for day, cell in zip(days(1, 11), spellings, strict=True)]
    text = "\n".join(["date,x,y", "2017-02-28,3,4", *lines, "2017-03-12,5,6"])
    content = series(read(tmp_path, text))
    assert np.isnan(content.column("x")).sum() == 11
    assert content.complete(("x",)).column("x").tolist() == [3, 5]
    assert series(read(tmp_path, text, gaps="fill")).column("x").tolist() == [3.0] * 12 + [5.0]
    assert series(read(tmp_path, text, gaps="zero")).column("x").sum() == 8
    assert "no row and 11 cells no value" in refused(tmp_path, text, gaps="error").detail


def test_short_series_are_named_with_their_lengths(tmp_path: Path) -> None:
    lengths = {"old": 40, "new": 12} | {f"n{number}": 3 for number in range(6)}
    rows = [
        f"{date(2017, 1, 1) + timedelta(days=row)},{name},{row * 7 % 5}\n"
        for name, count in lengths.items()
        for row in range(count)
    ]
    report = read(tmp_path, "date,shop,sold\n" + "".join(rows)).report
    (warning,) = report.warnings
    assert warning.startswith("7 of 8 series have fewer than 30 rows: ")
    assert "'new' has 12" in warning
    assert " and 2 more. " in warning
    assert len(report.too_short) == 7


def test_rows_left_out_are_named(tmp_path: Path) -> None:
    text = daily([1, 2, "NA", 4]) + "2017-02-30,5\n# end\nTotal,12\n"
    report = read(tmp_path, text).report
    reasons = {entry.numbers[0]: entry.reason for entry in report.rows_left_out}
    assert reasons == {
        4: "no number in the row",
        6: "not a date in column date, such as '2017-02-30'",  # and Total in row 8
        7: "a comment",
    }
    assert (report.rows_in_file, report.rows_used) == (7, 3)


def test_many_unreadable_dates_are_an_error_with_rows(tmp_path: Path) -> None:
    text = daily([1] * 20) + "\n".join(f"day {at},2" for at in range(1, 9))
    error = refused(tmp_path, text)
    assert (error.errors[0].row, error.errors[0].column) == (22, "date")
    assert error.report.date is not None


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    result = read(tmp_path, daily(["1,1", "2,2", "oops,3", "4,4", "5,5", "6,6"], "date,x,y"))
    assert any("oops" in warning for warning in result.report.warnings)
    assert np.isnan(series(result).values[2, 0])


def test_a_row_without_any_number_says_what_stands_there(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, daily([1, 2, "oops", 4, 5, 6])).report.rows_left_out
    assert (entry.numbers, entry.reason) == ([4], "not a number in column x, such as 'oops'")


def test_a_gap_is_reported_and_can_be_filled(tmp_path: Path) -> None:
    lines = [f"2017-03-{day:02d},{day}" for day in range(1, 20) if day not in {8, 9}]
    text = "\n".join(["date,x", *lines])
    report = read(tmp_path, text).report
    assert report.gap_count == 2
    assert (report.gaps[0].after, report.gaps[0].before) == ("2017-03-07", "2017-03-10")
    full = series(read(tmp_path, text, gaps="fill"))
    assert full.row_times_iso()[7:9] == ["2017-03-08", "2017-03-09"]
    assert full.column("x")[6:10].tolist() == [7, 7, 7, 10]


def test_conflicting_duplicates_are_refused_and_can_be_joined(tmp_path: Path) -> None:
    text = daily([1, 2, 3]) + "2017-03-02,6\n"
    error = refused(tmp_path, text)
    assert error.errors[0].row == 5
    assert "duplicates" in error.detail
    for how, value in (("last", 6.0), ("sum", 8.0), ("mean", 4.0)):
        assert series(read(tmp_path, text, duplicates=how)).column("x")[1] == value


def test_a_long_file_holds_several_series(tmp_path: Path) -> None:
    lines = [f"{name},{day},{at}" for name in ("MSFT", "NA") for at, day in enumerate(days(1, 5))]
    result = read(tmp_path, "\n".join(["symbol,date,price", *lines]))
    content = series(result)
    assert content.labels == ("MSFT", "NA")  # and not a missing value
    assert result.report.series_columns == ["symbol"]
    assert content.of_series("NA").column("price").tolist() == [0, 1, 2, 3, 4]
    assert content.columns == ("price",)


def test_two_columns_may_name_a_series_together(tmp_path: Path) -> None:
    lines = [
        f"{day},{store},{item},{store * item + at}"
        for at, day in enumerate(days(1, 6))
        for store in (1, 2)
        for item in (1, 2)
    ]
    content = series(read(tmp_path, "\n".join(["date,store,item,sales", *lines])))
    assert content.labels == ("1, 1", "1, 2", "2, 1", "2, 2")
    assert content.columns == ("sales",)


def test_a_series_per_row(tmp_path: Path) -> None:
    years = range(1990, 2002)
    lines = [
        f"{name},X{at}," + ",".join(str(year * at - year % 3) for year in years)
        for at, name in enumerate("ABC", 1)
    ]
    text = "\n".join(["Country,Code," + ",".join(map(str, years)), *lines])
    for title in ("", '"Source","Indicators",\n\n"Updated","2024-06-28",\n\n'):
        result = read(tmp_path, title + text)
        assert result.report.layout == "series_per_row"
        assert series(result).labels == ("A", "B", "C")
        assert series(result).of_series("B").values[:2, 0].tolist() == [3979, 3980]
        assert series(result).frequency == "YS"


def test_months_down_and_years_across_are_one_series(tmp_path: Path) -> None:
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    lines = [f"{name},{at},{at + 12},{at + 24}" for at, name in enumerate(names)]
    content = series(read(tmp_path, "\n".join(["Month,1958,1959,1960", *lines])))
    assert content.values[:, 0].tolist() == list(range(36))
    assert (content.row_times_iso()[0], content.frequency) == ("1958-01-01", "MS")


def test_a_series_per_column_where_the_user_says_so(tmp_path: Path) -> None:
    text = daily(["1,10", "2,20", "3,30"], header="date,north,south")
    content = series(read(tmp_path, text, layout="series_per_column"))
    assert content.labels == ("north", "south")
    assert content.of_series("south").values[:, 0].tolist() == [10, 20, 30]


def test_no_dates_at_all(tmp_path: Path) -> None:
    content = series(read(tmp_path, "x,y\n1,2\n3,4\n5,7\n"))
    assert content.times is None
    assert content.columns == ("x", "y")
    assert series(read(tmp_path, "3,14\n2,71\n1,05\n", name="f.txt")).values[:, 0].tolist() == [
        3.14,
        2.71,
        1.05,
    ]


def test_a_comma_that_may_be_decimal_is_told_first_and_can_be_settled(tmp_path: Path) -> None:
    text = "3,14\n2,71\n1,41\n1,73\n"
    guessed = read(tmp_path, text)
    assert "decimal comma" in guessed.report.warnings[0]
    assert len(series(guessed).columns) == 2
    assert series(read(tmp_path, text, decimal=",")).values[:, 0].tolist() == [
        3.14,
        2.71,
        1.41,
        1.73,
    ]
    assert len(series(read(tmp_path, text, delimiter=",")).columns) == 2


def test_a_date_and_a_time_of_day_in_two_columns(tmp_path: Path) -> None:
    lines = [f"16/12/2006;17:{minute:02d}:00;4,{minute + 10}" for minute in range(20)]
    content = series(read(tmp_path, "\n".join(["Date;Time;power", *lines]), name="f.txt"))
    assert content.row_times_iso()[1] == "2006-12-16T17:01:00"
    assert content.frequency == "min"
    lines = [f"{at + 1},2010,1,{1 + at // 24},{at % 24},{at}.5" for at in range(48)]
    result = read(tmp_path, "\n".join(["No,year,month,day,hour,pm2.5", *lines]))
    content = series(result)
    assert result.report.date is not None
    assert result.report.date.formats[0].first_row == 2
    assert content.columns == ("pm2.5",)
    assert (content.row_times_iso()[-1], content.frequency) == ("2010-01-02T23:00:00", "h")


def hourly_from_1(change: str = ",7,") -> str:
    lines = [f"{day},{hour},{hour}.5" for day in days(1, 3) for hour in range(1, 25)]
    lines[30] = lines[30].replace(",7,", change)
    return "\n".join(["date,hour,x", *lines])


def test_hour_1_of_24_starts_the_day_and_that_is_in_doubt(tmp_path: Path) -> None:
    result = read(tmp_path, hourly_from_1())
    times = series(result).row_times_iso()
    assert (len(times), series(result).frequency) == (72, "h")
    assert times[22:25] == ["2017-03-01T22:00:00", "2017-03-01T23:00:00", "2017-03-02T00:00:00"]
    assert '"hours" to "end"' in result.report.warnings[0]


def test_hour_24_read_as_an_end_is_hour_0_of_the_next_day(tmp_path: Path) -> None:
    content = series(read(tmp_path, hourly_from_1(), hours="end"))
    times = content.row_times_iso()
    assert (len(times), content.frequency) == (72, "h")
    assert times[22:25] == ["2017-03-01T23:00:00", "2017-03-02T00:00:00", "2017-03-02T01:00:00"]


def test_hour_25_of_a_day_is_no_time(tmp_path: Path) -> None:
    result = read(tmp_path, hourly_from_1(",25,"), hours="end")
    assert "2017-03-02T07:00:00" not in series(result).row_times_iso()
    assert "2017-03-03T01:00:00" in series(result).row_times_iso()
    assert result.report.rows_used == 71


def test_hours_are_values_where_no_day_comes_again(tmp_path: Path) -> None:
    lines = [f"{day},{at % 9},{at}" for at, day in enumerate(days(1, 20))]
    content = series(read(tmp_path, "\n".join(["date,hours,x", *reversed(lines)])))
    assert (content.columns, content.time_form) == (("hours", "x"), "date")


def test_numbers_as_people_write_them(tmp_path: Path) -> None:
    for cells, value, unit in (
        (["$1,234.50", "$2.00"], 1234.5, "$"),
        (["5.5 %", "6 %"], 5.5, "%"),
        (["12.5 kg", "13 kg"], 12.5, "kg"),
        (["(1,234)", "5"], -1234.0, None),
        (["7.38M", "1.2B"], 7_380_000.0, None),
        (["$1.5 million", "$2.25 billion"], 1_500_000.0, "$"),
        (["7,5 Tsd. €", "1,25 Mio. €"], 7_500.0, "€"),
        (["1'234.5", "2"], 1234.5, None),
        (["-€5", "€6"], -5.0, "€"),
        (["12,- €", "1.250,50 €"], 12.0, "€"),
        (["5-", "6"], -5.0, None),
    ):
        quoted: list[object] = [f'"{cell}"' for cell in cells * 3]
        result = read(tmp_path, daily(quoted))
        assert series(result).column("x")[0] == value
        assert result.report.columns[1].unit == unit


def test_outliers_and_constants_are_pointed_out(tmp_path: Path) -> None:
    values: list[object] = [f"{10 + at % 3},5" for at in range(30)]
    values[17] = "9999,5"
    report = read(tmp_path, daily(values, header="date,x,flat")).report
    assert report.constant == ["flat"]
    assert (report.outliers[0].row, report.outliers[0].value) == (19, 9999)


def test_every_guess_can_be_overruled(tmp_path: Path) -> None:
    text = "a;b\n" + "\n".join(f"{day};{at * at}" for at, day in enumerate(days(1, 6)))
    assert series(read(tmp_path, text, date="")).times is None
    assert series(read(tmp_path, text, frequency="W")).frequency == "W"
    assert series(read(tmp_path, text, date="A")).row_times_iso()[0] == "2017-03-01"
    assert "no column 'when'" in refused(tmp_path, text, date="when").detail
    assert refused(tmp_path, text, date="b").errors[0].field == "read.date"
    assert refused(tmp_path, text, encoding="klingon").errors[0].field == "read.encoding"
    assert isinstance(read(tmp_path, text, kind="text", name="a.txt").content, TextContent)


def test_texts(tmp_path: Path) -> None:
    prose = "It was late, and dark.\r\nNobody spoke, nobody moved.\r\n"
    result = read(tmp_path, prose, name="story.txt")
    assert result.content == TextContent(text=prose.replace("\r\n", "\n"))
    assert result.report.kind == "text"
    assert result.report.text is not None
    assert result.report.text.words == 9


def test_a_column_of_sentences_is_the_text_of_a_table(tmp_path: Path) -> None:
    lines = [f'"This film was good, very good, said critic {at}",{at % 2}' for at in range(10)]
    result = read(tmp_path, "\n".join(["review,stars", *lines]))
    assert isinstance(result.content, TextContent)
    assert result.content.text.splitlines()[3].endswith("said critic 3")
    assert result.report.text is not None
    assert result.report.text.column == "review"
    assert "kind" in result.report.warnings[0]


def test_files_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    cases: dict[bytes, str] = {
        b"": "empty",
        bytes(range(256)) * 8: "not text",
        b"date,x\n": "one line",
        b"date,name\n2017-01-01,a\n2017-01-02,b\n2017-01-03,c\n": "no column holds numbers",
        gzip.compress(b"date,x\n1,2\n")[:-9]: "broken",
        b"PAR1 and no more": "Parquet",
        b"PK\x03\x04 and no more": "cannot be opened",
        b'date,x\n2017-01-01,"1\n2017-01-02,2\n2017-01-03,3\n': "",
    }
    for data, reason in cases.items():
        assert reason in refused(tmp_path, data).detail


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(b"1,2\n" * 1000))

    with pytest.raises(UnreadableFile, match="more than 1,000 bytes, the limit"):
        read_file(path, path.name, ReadOptions(), max_unpacked_bytes=1000)


def test_the_error_crosses_process_boundaries(tmp_path: Path) -> None:
    error = refused(tmp_path, daily([1, 2]) + "2017-03-02,9\n")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert isinstance(again, UnreadableFile)
    assert again.errors == error.errors
    assert again.report == error.report
    assert again.problem() == error.problem()


def test_values_too_large_to_be_judged_are_refused_where_they_stand(tmp_path: Path) -> None:
    error = refused(tmp_path, "date,x,y\n2017-03-01,1,2\n2017-03-02,1e300,3\n2017-03-03,4,-2e200\n")

    assert [(each.row, each.column) for each in error.errors] == [(3, "x"), (4, "y")]
    assert error.errors[0].message == "1e+300 lies outside ±1e+150"
    assert "2 values lie outside ±1e+150" in str(error)
    assert "first 1e+300 in row 3, column x" in str(error)


def test_one_value_too_large_is_found_beside_missing_ones(tmp_path: Path) -> None:
    error = refused(tmp_path, daily([1, "", "-1e151", 2]))

    assert str(error).startswith("1 value lies outside ±1e+150")
    assert [(each.row, each.column) for each in error.errors] == [(4, "x")]


def test_the_largest_value_that_can_be_judged_is_read(tmp_path: Path) -> None:
    read_values = series(read(tmp_path, daily([1, "1e150", "-1e150"]))).column("x")

    assert read_values.tolist() == [1.0, 1e150, -1e150]


@pytest.mark.parametrize("cut", [40, 200, 400])
def test_the_error_of_a_broken_parquet_file_names_no_path(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "whole.parquet"
    pq.write_table(pa.table({"date": days(1, 9), "x": [float(n) for n in range(9)]}), path)
    whole = path.read_bytes()

    error = refused(tmp_path, whole[:cut] + whole[-40:])

    assert str(error).startswith("the Parquet file cannot be opened: ")
    assert str(tmp_path) not in str(error)
    assert "Buffer" not in str(error)
