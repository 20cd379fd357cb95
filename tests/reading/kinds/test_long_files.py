"""Test which column names the series, and which one counts their steps."""

import datetime as dt
from pathlib import Path

import pytest

from tests.reading.kinds.reading import Read, day, hour, lines, refusal, wave


def blocks(names: str, start: int, write_step: str = "{at}") -> str:
    rows = [
        f"{name},{write_step.format(at=at)},{wave(at, 50 * place)}"
        for place, name in enumerate(names, 1)
        for at in range(start, start + 40)
    ]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("unique_id,ds,y", blocks("ABC", 1)),
        ("Series,t,Value", blocks("XY", 0)),
        ("item,period,sold", blocks("PQ", 100)),
        ("shop,week,sold", blocks("PQ", 1, "Week {at}")),
    ],
)
def test_integer_steps_are_times(tmp_path: Path, header: str, text: str) -> None:
    name, steps, value = header.split(",")
    read = Read(tmp_path, f"{header}\n{text}")
    assert read.report.series_count == len({line[0] for line in text.splitlines()})
    assert (read.report.target, read.content.columns) == (value, (value,))
    assert read.report.date is not None
    assert (read.report.date.columns, read.report.date.form) == ([steps], "step")
    assert read.report.series_columns == [name]
    assert Read(tmp_path, f"{header}\n{text}", date=steps).content == read.content


def test_interleaved_steps_are_ordered(tmp_path: Path) -> None:
    rows = [f"{name},{at},{at * 10 + place}" for at in range(30) for place, name in enumerate("AB")]
    read = Read(tmp_path, "\n".join(["unique_id,ds,y", *reversed(rows)]))
    assert read.content.of_series("A").column("y").tolist() == [at * 10 for at in range(30)]


def test_missing_steps_of_a_series_stay_apart(tmp_path: Path) -> None:
    text = lines("ds,y", lambda at: f"{at},{wave(at)}", [at for at in range(1, 60) if at != 30])
    read = Read(tmp_path, text)
    assert (len(read.content), read.content.columns) == (58, ("y",))


@pytest.mark.parametrize("header", ["unique_id,ds,y", "Symbol,Date,Close", "station,time,level"])
def test_labels_in_blocks_are_series_where_times_jump(tmp_path: Path, header: str) -> None:
    rows = [f"A,{day(at)},{wave(at)}" for at in range(50)]
    rows += [f"B,{day(at, dt.date(2022, 6, 1))},{wave(at, 900)}" for at in range(50)]
    read = Read(tmp_path, "\n".join([header, *rows]))
    assert (read.content.labels, read.report.frequency) == (("A", "B"), "D")
    assert read.is_sure


def test_phases_that_follow_each_other_are_one_series(tmp_path: Path) -> None:
    text = lines(
        "date,phase,x",
        lambda at: f"{day(at)},{'before' if at < 40 else 'after'},{wave(at)}",
        range(80),
    )
    assert Read(tmp_path, text).content.labels == ("",)


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("Entity,Code,Year,Total", ("World,,", "Peru,PER,", "Low income,,", "Chad,TCD,"), "Entity"),
        ("flag,country,Year,Total", ("a,Peru,", "a,Chad,", "b,Mali,", "b,Togo,"), "country"),
        ("iso,Country,Year,Total", ("PE,Peru,", "TD,Chad,", "ML,Mali,", "TG,Togo,"), "Country"),
        (
            "Country Code,Country Name,Year,Total",
            ("PER,Peru,", "TCD,Chad,", "MLI,Mali,", "TGO,Togo,"),
            "Country Name",
        ),
        (
            "region,Land,Year,Total",
            ("West,Hessen,", "West,Saarland,", "Ost,Sachsen,", "Ost,Berlin,"),
            "Land",
        ),
    ],
)
def test_the_complete_column_of_entities_names_the_series(
    tmp_path: Path, header: str, cells: tuple[str, ...], expected: str
) -> None:
    rows = [
        f"{cell}{1990 + at},{wave(at, 100 * place)}"
        for place, cell in enumerate(cells)
        for at in range(32)
    ]
    read = Read(tmp_path, "\n".join([header, *rows]))
    assert (read.report.series_columns, read.report.series_count) == ([expected], 4)
    assert len(read.content) == 128


def test_a_flag_names_no_series(tmp_path: Path) -> None:
    def row(at: int) -> str:
        moment = hour(at if at < 51 else at - 1, dt.date(2021, 10, 29))
        return f"{moment},{'Y' if at < 51 else 'N'},{wave(at)}"

    read = Read(tmp_path, lines("time,DST,load", row, range(300)))
    assert read.content.labels == ("",)
    assert read.content.category_names == ("DST",)


def test_several_columns_name_series_together(tmp_path: Path) -> None:
    rows = [
        f"{day(at)},{store},{item},{wave(at)}"
        for at in range(40)
        for store in ("Norte", "Sur")
        for item in ("pan", "leche")
    ]
    text = "\n".join(["fecha,tienda,producto,ventas", *rows])
    read = Read(tmp_path, text)
    assert read.content.labels == ("Norte, pan", "Norte, leche", "Sur, pan", "Sur, leche")
    weekly = [
        f"{store},{dept},{day(at)},{wave(at)}"
        for store in (1, 2)
        for dept in (7, 8)
        for at in range(40)
    ]
    numbered = Read(tmp_path, "\n".join(["Store,Dept,Date,Weekly_Sales", *weekly]))
    assert numbered.report.series_columns == ["Store", "Dept"]
    told = Read(tmp_path, text, series=["tienda", "producto"])
    assert told.content == read.content
    assert Read(tmp_path, text, series="tienda,producto").content == read.content


def test_an_hour_that_was_not_understood_is_no_reason_to_average(tmp_path: Path) -> None:
    text = lines(
        "date,shift,x", lambda at: f"{day(at // 3)},{'abc'[at % 3]}{at},{wave(at)}", range(90)
    )
    error = refusal(tmp_path, text)
    assert '"duplicates"' not in error.detail
    assert '"series"' in error.detail
    assert error.errors[0].row == 3
