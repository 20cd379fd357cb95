"""Test previews of datasets: thinned so that outliers stay visible."""

import numpy as np
import pytest

from app.datasets.preview import Preview, extremes
from app.errors import Unprocessable
from app.reading.content import SeriesContent, TextContent


def series(values: list[list[float]], labels: tuple[str, ...] = ("",)) -> SeriesContent:
    rows = len(values)
    return SeriesContent(
        columns=("Open", "Volume"),
        values=np.array(values, dtype=np.float64),
        times=np.arange("2020-01-01", rows, dtype="M8[D]").astype("M8[us]"),
        offsets=None,
        time_form="date",
        frequency="D",
        labels=labels,
        series=(np.arange(rows) * len(labels) // rows).astype(np.int32),
    )


def test_a_short_series_is_shown_as_it_is() -> None:
    content = series([[1.0, 10.0], [np.nan, 20.0], [3.0, 30.0]])
    seen = Preview.at(content, column=None, series=None, points=100)
    assert seen.column == "Open"
    assert seen.series is None
    assert seen.values == [1.0, None, 3.0]
    assert seen.times == ["2020-01-01", "2020-01-02", "2020-01-03"]


def test_a_spike_survives_thinning() -> None:
    values = np.sin(np.arange(100_000) / 1000)
    values[71_234] = 50.0
    values[31_234] = -50.0
    rows = extremes(values, 200)
    assert len(rows) <= 200
    assert {0, 31_234, 71_234, 99_999} <= set(rows)
    assert rows == sorted(rows)


def test_the_end_of_a_long_series_is_not_thinned() -> None:
    content = series([[float(row), 0.0] for row in range(3000)])
    seen = Preview.at(content, column="Open", series=None, points=10, last=60)
    assert seen.values == [float(row) for row in range(2940, 3000)]
    assert Preview.at(content, column=None, series=None, points=10, last=5000).rows == 3000


def test_stretches_without_a_number_are_left_out_of_long_series() -> None:
    values = np.full(1000, np.nan)
    values[500] = 1.0
    assert extremes(values, 10) == [0, 500, 999]


def test_a_series_of_several_is_shown_by_its_name() -> None:
    content = series([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]], ("north", "south"))
    seen = Preview.at(content, column="Open", series="south", points=10)
    assert (seen.series, seen.rows, seen.values) == ("south", 2, [3.0, 4.0])


@pytest.mark.parametrize(
    ("field", "given"), [("column", {"column": "x"}), ("series", {"series": "x"})]
)
def test_what_is_not_there_is_named(field: str, given: dict[str, str]) -> None:
    asked: dict[str, str | None] = {"column": None, "series": None, **given}
    with pytest.raises(Unprocessable, match="it has") as refused:
        Preview.at(series([[1.0, 2.0]]), column=asked["column"], series=asked["series"], points=10)
    assert refused.value.errors[0].field == field


def test_a_text_is_shown_by_its_beginning() -> None:
    seen = Preview.at(TextContent(text="a b\nc d\n" * 1000), column=None, series=None, points=10)
    assert seen.rows == 2000
    assert seen.text is not None
    assert len(seen.text) == 2000
    assert seen.values == []
    one = Preview.at(TextContent(text="a line"), column=None, series=None, points=10)
    assert one.rows == 1
