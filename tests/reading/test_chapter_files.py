"""Test the chapter's files if they are present; they are not part of the repository."""

from pathlib import Path

import pytest

from app.reading.content import SeriesContent, TextContent
from app.reading.read_options import ReadOptions
from app.reading.reader import ReadResult, read_file

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the chapter's data files are not next to this checkout"
)


def read(name: str) -> ReadResult:
    return read_file(DATA / name, name, ReadOptions())


def test_the_training_file() -> None:
    result = read("google_stock_train.csv")
    content, report = result.content, result.report
    assert isinstance(content, SeriesContent)
    assert report.rows_used == len(content) == 1258
    assert content.columns == ("Open", "High", "Low", "Close", "Volume")
    assert report.target == "Open"
    assert content.row_times_iso()[0] == "2012-01-03"
    assert content.row_times_iso()[-1] == "2016-12-30"
    assert content.frequency == "B"
    assert content.column("Open")[0] == 325.25
    assert content.column("Volume")[0] == 7_380_500
    assert report.rows_left_out == []


def test_the_column_that_was_not_adjusted_for_the_split() -> None:
    (close,) = read("google_stock_train.csv").report.contradictions
    assert close.columns == ["Close", "Low", "High"]
    assert (close.rows, close.of) == (560, 1258)
    assert (close.first, close.last) == ("2012-01-03", "2014-03-26")
    assert "split" in close.message


def test_the_test_file() -> None:
    content = read("google_stock_test.csv").content
    assert isinstance(content, SeriesContent)
    assert len(content) == 20
    assert content.column("Open")[:3].tolist() == [778.81, 788.36, 786.08]
    assert (content.row_times_iso()[-1], content.frequency) == ("2017-01-31", "B")


def test_the_fable() -> None:
    content = read("belling_the_cat.txt").content
    assert isinstance(content, TextContent)
    assert len(content.text.split()) == 204
