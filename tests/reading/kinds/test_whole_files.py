"""Test headers, encodings, kinds of files and sheets."""
# ruff: noqa: E501  a row of examples reads better on one line

from pathlib import Path

import pytest

from app.reading.content import TextContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from tests.reading.kinds.reading import Read, day, hour, lines, refusal, wave
from tests.reading.peculiar_files import workbook_of


def four(at: int) -> str:
    return ",".join(str(wave(at, base)) for base in (100, 200, 300, 400))


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("Date,Sales,,Visits,\n,Oslo,Bergen,Oslo,Bergen", ("Sales Oslo", "Sales Bergen", "Visits Oslo", "Visits Bergen")),
        ('"Label","Index",,,\n"Last updated","15/01/2021",,,\n"Date",,,,', ("Index", "column 3", "column 4", "column 5")),
        ("Back to Contents,Data 1,,,\nDate,North,South,East,West", ("North", "South", "East", "West")),
        ("Price,Close,Close,Open,Open\nTicker,AAA,BBB,AAA,BBB\nDate,,,,", ("Close AAA", "Close BBB", "Open AAA", "Open BBB")),
        (",MSFT,MSFT,AAPL,AAPL\nDate,Close,Volume,Close,Volume", ("MSFT Close", "MSFT Volume", "AAPL Close", "AAPL Volume")),
        ("Date,Temperature,,Rain,\n,min,max,sum,days", ("Temperature min", "Temperature max", "Rain sum", "Rain days")),
        ("Datum,Nord,,Süd,\nDatum,Last,Preis,Last,Preis", ("Nord Last", "Nord Preis", "Süd Last", "Süd Preis")),
        ("Date,a,b,c,d\n,°C,°C,mm,h", ("a", "b", "c", "d")),
        ("Station 5\nDate,a,b,c,d", ("a", "b", "c", "d")),
    ],
)  # fmt: skip
def test_names_in_several_rows_are_joined(
    tmp_path: Path, header: str, names: tuple[str, ...]
) -> None:
    read = Read(tmp_path, lines(header, lambda at: f"{day(at)},{four(at)}", range(60)))
    assert read.content.columns == names
    assert read.report.date is not None
    assert read.report.date.columns[0] in {"Date", "Datum"}
    assert len(read.content) == 60


ENCODED = {
    "gb18030": ("日期,收盘价", "{0.year}年{0.month}月{0.day}日"),
    "gbk": ("城市,日期,空气质量", "北京,{0}"),
    "big5": ("日期,收盤價", "{0}"),
    "cp932": ("日付,終値", "{0.year}年{0.month}月{0.day}日"),
    "shift_jis": ("年月日,電力使用量(kWh)", "{0}"),
    "euc_jp": ("日付,売上高", "{0}"),
    "cp949": ("일시,기온(°C)", "{0}"),
    "euc_kr": ("날짜,종가", "{0.year}년 {0.month}월 {0.day}일"),
    "cp1251": ("Дата,Цена", "{0}"),
    "koi8_r": ("Период,Выручка", "{0}"),
    "cp1250": ("Měsíc,Množství,Počet".replace(",Počet", ""), "{0}"),
    "cp1253": ("Ημερομηνία,Τιμή", "{0}"),
    "cp874": ("วันที่,ราคา", "{0}"),
    "cp1252": ("Année,Débit à l'été".replace("Année", "Date"), "{0}"),
}


@pytest.mark.parametrize("codec", ENCODED)
def test_an_encoding_is_recognised_by_its_words(tmp_path: Path, codec: str) -> None:
    header, write = ENCODED[codec]
    text = lines(header, lambda at: f"{write.format(day(at))},{wave(at)}", range(60))
    read = Read(tmp_path, text.encode(codec))
    assert read.content.columns == (header.split(",")[-1],)
    assert read.span == ("2021-01-04", "2021-03-04", "D")


def test_an_encoding_that_others_fit_too_is_doubted(tmp_path: Path) -> None:
    text = lines("x,Počet", lambda at: f"{day(at)},{wave(at)}", range(60)).encode("cp1250")
    read = Read(tmp_path, text)
    assert read.content.columns == ("Poèet",)
    assert read.report.warnings[0].startswith("Doubtful encoding: windows-1252")
    assert '"encoding" to "cp1250"' in read.report.warnings[0]
    assert Read(tmp_path, text, encoding="cp1250").is_sure


@pytest.mark.parametrize("header", ["Měsíc,Počet", "Rok,Říjen", "Data,Wartość"])
def test_words_with_accents_tell_central_european_from_western(tmp_path: Path, header: str) -> None:
    text = lines(header, lambda at: f"{day(at)},{wave(at)}", range(60)).encode("cp1250")
    read = Read(tmp_path, text)
    assert read.content.columns == (header.split(",")[1],)
    assert read.is_sure


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"<!DOCTYPE html>\n<html>", "a web page"),
    ],
)
def test_other_files_are_named(tmp_path: Path, head: bytes, name: str) -> None:
    assert f"this is {name}" in refusal(tmp_path, head + bytes(range(256)) * 4).detail


@pytest.mark.parametrize(
    "write",
    [
        lambda at: f"{hour(at):%d.%m.%Y %H:%M} - {hour(at + 1):%d.%m.%Y %H:%M}",
        lambda at: f"{hour(at):%a %b %d %Y %H:%M:%S} GMT+0100 (Central European Standard Time)",
        lambda at: f"{hour(at):%d-%b-%y %I.%M.%S.000000 %p}".upper(),
    ],
)
@pytest.mark.parametrize("name", ["prices.csv", "prices.txt", "prices"])
def test_prices_at_long_times_are_series(tmp_path: Path, write: object, name: str) -> None:
    text = lines('"MTU","Price"', lambda at: f'"{write(at)}","{wave(at)}"', range(60))  # type: ignore[operator]
    assert Read(tmp_path, text, name).report.frequency == "h"


@pytest.mark.parametrize(
    "text",
    [
        lines("name,comment", lambda at: f"n{at},a word about it {'x' * at}", range(20)),
        lines("a,b", lambda at: f"{'xyz'[at % 3]},{'uvw'[at % 3]}", range(20)),
        "It was late.\nNobody spoke.\nNobody moved, not even the cat.\n",
    ],
)
def test_a_table_without_numbers_asks_before_it_is_a_text(tmp_path: Path, text: str) -> None:
    error = refusal(tmp_path, text)
    assert error.errors[0].field == "read.kind"
    path = tmp_path / "f.csv"
    path.write_text(text)
    content = read_file(path, "f.csv", ReadOptions(kind="text")).content
    assert isinstance(content, TextContent)


def test_the_sheet_with_the_numbers_is_read(tmp_path: Path) -> None:
    notes: list[list[object]] = [["About", "this file"], ["Source", "the office"], ["Rows", 3]]
    table: list[list[object]] = [["Date", "x"], *([day(at), wave(at)] for at in range(60))]
    read = Read(tmp_path, workbook_of({"Notes": notes, "Data": table}), "f.xlsx")
    assert (read.report.sheet, len(read.content)) == ("Data", 60)
    assert read.decision("sheet").certainty == "sure"
    both = Read(tmp_path, workbook_of({"North": table, "South": table}), "f.xlsx")
    assert both.report.warnings[0].startswith("Doubtful sheet: North")
    assert Read(tmp_path, workbook_of({"A": table, "B": table}), "f.xlsx", sheet="B").is_sure
