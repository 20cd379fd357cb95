"""Test series in rows, and calendar matrices."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from tests.reading.kinds.reading import MONTHS, Read, day, month, wave

YEARS = range(1990, 2020)


def wide(header: list[str], rows: Mapping[str, Sequence[object]], sep: str = ",") -> str:
    table = [header, *([*label.split(","), *map(str, cells)] for label, cells in rows.items())]
    return "\n".join(sep.join(line) for line in table) + "\n"


@pytest.mark.parametrize(
    ("names", "mark"),
    [
        ([f"{year}" for year in YEARS], ":"),
        ([f"{year} " for year in YEARS], ": "),
        ([f"{year} [YR{year}]" for year in YEARS], ".."),
        ([f"X{year}" for year in YEARS], "(NA)"),
        ([f"{month(at):%Y-%m}" for at in range(30)], "n.a."),
        ([f"{month(at):%b-%y}" for at in range(30)], "-"),
        ([f"{2010 + at // 4}Q{at % 4 + 1}" for at in range(30)], "x"),
        ([f"{day(at):%-m/%-d/%y}" for at in range(30)], ""),
    ],
)
def test_a_missing_value_drops_its_own_period_alone(
    tmp_path: Path, names: list[str], mark: str
) -> None:
    whole: list[object] = [wave(at) for at in range(30)]
    holed: list[object] = [*[mark] * 8, *(f"{wave(at)} p" for at in range(8, 30))]
    text = wide(
        ["unit,geo", *names],
        {"PC AT": whole, "PC BE": [wave(at, 50) for at in range(30)], "PC MT": holed},
        "\t",
    )
    read = Read(tmp_path, text, "f.tsv")
    assert read.report.layout == "series_per_row"
    assert {entry.label: entry.rows for entry in read.report.series} == {
        "PC AT": 30,
        "PC BE": 30,
        "PC MT": 22,
    }
    assert read.report.cells is not None
    assert {group.reason: group.cells for group in read.report.cells.left_out} == {"no value": 8}


@pytest.mark.parametrize(
    ("header", "labels", "expected"),
    [
        (
            "Province,Country,Lat,Long",
            (",Alpha,1.5,2", "North,Gamma,3,4.5", "South,Gamma,5,6"),
            ("Alpha", "North, Gamma", "South, Gamma"),
        ),
        (
            "Code,Name,Elevation",
            ("A1,Oslo,23", "A2,Bergen,12", "A3,Molde,5"),
            ("Oslo", "Bergen", "Molde"),
        ),
        (
            "id,item_id,cat_id",
            ("I1_CA,I1,FOOD", "I1_TX,I1,FOOD", "I2_TX,I2,FOOD"),
            ("I1_CA", "I1_TX", "I2_TX"),
        ),
    ],
)
def test_rows_are_named_by_what_tells_them_apart(
    tmp_path: Path, header: str, labels: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    names = [f"{day(at):%m/%d/%y}" for at in range(40)]
    text = wide([header, *names], {label: [wave(at) for at in range(40)] for label in labels})
    read = Read(tmp_path, text)
    assert read.content.labels == expected
    first = header.split(",", maxsplit=1)[0]
    assert Read(tmp_path, text, series=first).report.series_columns == [first]


@pytest.mark.parametrize(
    ("names", "count"),
    [
        ([f"d_{at}" for at in range(1, 61)], 60),
        ([f"day {at}" for at in range(1, 41)], 40),
        ([f"V{at}" for at in range(2, 52)], 50),
    ],
)
def test_numbered_columns_are_the_steps_of_the_series_in_rows(
    tmp_path: Path, names: list[str], count: int
) -> None:
    rows = {f"S{at},store {at % 2}": [at * 10 + step for step in range(count)] for at in range(5)}
    read = Read(tmp_path, wide(["id,store", *names], rows))
    assert (read.report.series_count, len(read.content)) == (5, 5 * count)
    assert read.content.times is None
    assert read.content.of_series("S3").column("value")[:3].tolist() == [30, 31, 32]


def test_rows_of_unlike_length_are_series(tmp_path: Path) -> None:
    lengths = {"Y1": 40, "Y2": 23, "Y3": 37, "Y4": 18}
    rows = {
        name: [*(wave(at) for at in range(size)), *[""] * (40 - size)]
        for name, size in lengths.items()
    }
    read = Read(tmp_path, wide(["V1", *(f"V{at}" for at in range(2, 42))], rows))
    assert {entry.label: entry.rows for entry in read.report.series} == lengths
    short = wide(
        ["V1", *(f"V{at}" for at in range(2, 16))],
        {f"W{at}": list(range(at, at + 14)) for at in range(9)},
    )
    assert (
        Read(tmp_path, short).report.warnings[0].startswith("Doubtful layout: a series in each row")
    )
    assert Read(tmp_path, short, layout="table").report.series_count == 1


def test_columns_of_sensors_beside_times_stay_columns(tmp_path: Path) -> None:
    header = ["time,", *(f"s_{at}" for at in range(1, 31))]
    text = "\n".join(
        [
            ",".join(header).replace("time,,", "time,"),
            *(f"{day(at)}," + ",".join(str(wave(at + k)) for k in range(30)) for at in range(40)),
        ]
    )
    assert len(Read(tmp_path, text).content.columns) == 30


GERMAN = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
Cells = Callable[[int], list[float]]


def matrix(
    first: Callable[[int], str],
    names: list[str],
    rows: int,
    totals: tuple[str, ...] = (),
    label: str = "Year",
) -> str:
    count = len(names)
    out = [",".join([label, *names, *totals])]
    for row in range(rows):
        cells = [wave(row * count + at) for at in range(count)]
        sums = [f"{sum(cells):.2f}", f"{sum(cells) / count:.3f}"][: len(totals)]
        out.append(",".join([first(row), *map(str, cells), *sums]))
    return "\n".join(out) + "\n"


@pytest.mark.parametrize(
    ("text", "span", "left"),
    [
        (
            matrix(lambda at: str(1990 + at), list(MONTHS), 20, ("Annual", "Mean")),
            ("1990-01-01", "2009-12-01", "MS"),
            {"Annual", "Mean"},
        ),
        (
            matrix(lambda at: str(1990 + at), GERMAN, 20, ("Jahr gesamt",), "Jahr"),
            ("1990-01-01", "2009-12-01", "MS"),
            {"Jahr gesamt"},
        ),
        (
            matrix(lambda at: str(1990 + at), [str(at) for at in range(1, 13)], 20),
            ("1990-01-01", "2009-12-01", "MS"),
            set(),
        ),
        (
            matrix(lambda at: str(1990 + at), ["Q1", "Q2", "Q3", "Q4"], 20, ("Sum of four",)),
            ("1990-01-01", "2009-10-01", "QS"),
            {"Sum of four"},
        ),
        (
            matrix(
                lambda at: str(day(at)), [f"H{at}" for at in range(1, 25)], 20, ("Total",), "Date"
            ),
            ("2021-01-04T00:00:00", "2021-01-23T23:00:00", "h"),
            {"Total"},
        ),
        (
            matrix(
                lambda at: f"{day(at):%d.%m.%Y}",
                [f"{at // 2:02d}:{at % 2 * 30:02d}" for at in range(48)],
                20,
                (),
                "Tag",
            ),
            ("2021-01-04T00:00:00", "2021-01-23T23:30:00", "30min"),
            set(),
        ),
        (
            matrix(lambda at: str(day(at)), [str(at) for at in range(24)], 20, (), "date"),
            ("2021-01-04T00:00:00", "2021-01-23T23:00:00", "h"),
            set(),
        ),
    ],
    ids=[
        "months",
        "Monate",
        "numbers of months",
        "quarters",
        "hours",
        "half-hours",
        "hours from 0",
    ],
)
def test_a_matrix_of_a_calendar_is_unrolled(
    tmp_path: Path, text: str, span: tuple[str, str, str], left: set[str]
) -> None:
    read = Read(tmp_path, text)
    assert (read.span, read.report.layout) == (span, "matrix")
    values = read.content.column("value")
    assert values.tolist() == [wave(at) for at in range(len(values))]
    assert read.report.cells is not None
    assert {group.column for group in read.report.cells.unused} == left


def test_a_matrix_may_hold_several_series(tmp_path: Path) -> None:
    rows = [
        f"{city},{2000 + at}," + ",".join(str(wave(m)) for m in range(12))
        for city in ("Oslo", "Bergen")
        for at in range(10)
    ]
    read = Read(tmp_path, "\n".join(["Station,Year," + ",".join(MONTHS), *rows]))
    assert (read.content.labels, len(read.content)) == (("Oslo", "Bergen"), 240)


def test_days_of_months_that_are_too_short_are_left_out(tmp_path: Path) -> None:
    def row(at: int) -> str:
        first = month(at, 2020)
        days = (month(at + 1, 2020) - first).days
        return f"{first.year},{first.month}," + ",".join(
            str(wave(d)) if d < days else "" for d in range(31)
        )

    text = "\n".join(["Year,Month," + ",".join(str(d) for d in range(1, 32)), *map(row, range(24))])
    assert Read(tmp_path, text).span == ("2020-01-01", "2021-12-31", "D")


def test_hours_down_and_days_across_are_one_series(tmp_path: Path) -> None:
    header = "Hour," + ",".join(str(day(at)) for at in range(30))
    rows = [
        f"{h:02d}:00," + ",".join(str(wave(at * 24 + h)) for at in range(30)) for h in range(24)
    ]
    read = Read(tmp_path, "\n".join([header, *rows]))
    assert read.span == ("2021-01-04T00:00:00", "2021-02-02T23:00:00", "h")
    assert read.content.column("value").tolist() == [wave(at) for at in range(720)]


def test_months_of_no_year_are_the_steps_of_the_series_in_rows(tmp_path: Path) -> None:
    cells = ";".join(str(wave(at)) for at in range(12))
    rows = [f"{name};{cells};1200" for name in ("Nord", "Ost", "West")]
    read = Read(tmp_path, "\n".join(["Region;" + ";".join([*MONTHS, "Summe"]), *rows]))
    assert (read.report.layout, read.content.labels) == ("series_per_row", ("Nord", "Ost", "West"))
    assert len(read.content) == 36
    assert read.report.warnings[0].startswith("Doubtful layout: a series in each row")
