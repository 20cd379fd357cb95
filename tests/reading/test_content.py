import subprocess
import sys

import numpy as np
import pytest

from app.reading.content import BrokenContentError, SeriesContent, TextContent, content_from_bytes
from app.reading.series.frequency import next_times


def two_series() -> SeriesContent:
    return SeriesContent(
        columns=("Öl", "gas"),
        values=np.array([[1.0, np.nan], [2.0, 4.0], [3.0, 5.0]]),
        times=np.array(["2017-01-02", "2017-01-03", "2017-01-02"], dtype="datetime64[us]"),
        offsets=None,
        time_form="date",
        frequency="D",
        labels=("a", "b"),
        series=np.array([0, 0, 1], dtype=np.int32),
    )


def test_a_series_survives_storage() -> None:
    content = two_series()
    again = content_from_bytes(content.to_bytes())
    assert isinstance(again, SeriesContent)
    assert again == content
    assert again.columns == ("Öl", "gas")
    np.testing.assert_array_equal(again.values, content.values)


def test_equal_contents_give_equal_bytes() -> None:
    assert two_series().to_bytes() == two_series().to_bytes()


def test_a_text_survives_storage() -> None:
    content = TextContent(text="long ago , the mice\n\x00\U0001f400")
    assert content_from_bytes(content.to_bytes()) == content
    assert content_from_bytes(TextContent(text="").to_bytes()) == TextContent(text="")


@pytest.mark.parametrize("data", [b"", b"PK", b"not a dataset", two_series().to_bytes()[:300]])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BrokenContentError):
        content_from_bytes(data)


def test_one_series_can_be_taken_out() -> None:
    part = two_series().of_series("b")
    assert part.labels == ("b",)
    assert part.column("Öl").tolist() == [3.0]
    with pytest.raises(KeyError, match="no series 'c'"):
        two_series().of_series("c")


def test_every_series_is_the_same_as_each_taken_out() -> None:
    content = two_series()
    assert [*content.every_series()] == [content.of_series(label) for label in content.labels]


def test_some_series_are_spread_evenly() -> None:
    content = SeriesContent(
        columns=("x",),
        values=np.arange(10.0).reshape(-1, 1),
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=tuple("abcde"),
        series=np.repeat(np.arange(5, dtype=np.int32), 2),
    )
    assert content.some_series(5) is content
    some = content.some_series(3)
    assert some.labels == ("a", "c", "e")
    assert some.series.tolist() == [0, 0, 1, 1, 2, 2]
    assert some.column("x").tolist() == [0, 1, 4, 5, 8, 9]


def test_tail_takes_the_last_rows_of_each_series() -> None:
    assert two_series().tail(1).column("Öl").tolist() == [2.0, 3.0]


def test_complete_drops_rows_without_a_number() -> None:
    assert two_series().complete(("gas",)).column("gas").tolist() == [4.0, 5.0]


def test_times_are_told_in_the_form_given() -> None:
    assert two_series().row_times_iso() == ["2017-01-02", "2017-01-03", "2017-01-02"]
    zoned = SeriesContent(
        columns=("x",),
        values=np.ones((2, 1)),
        times=np.array(["2017-10-29T02:30", "2017-10-29T02:30"], dtype="datetime64[us]"),
        offsets=np.array([120, -90], dtype=np.int16),
        time_form="zoned",
        frequency="h",
        labels=("",),
        series=np.zeros(2, dtype=np.int32),
    )
    assert zoned.row_times_iso() == ["2017-10-29T02:30:00+02:00", "2017-10-29T02:30:00-01:30"]
    assert content_from_bytes(zoned.to_bytes()) == zoned


@pytest.mark.parametrize(
    ("last", "frequency", "expected"),
    [
        ("2017-01-06", "B", ["2017-01-09", "2017-01-10"]),
        ("2017-01-07", "B", ["2017-01-09", "2017-01-10"]),
        ("2017-01-06", "D", ["2017-01-07", "2017-01-08"]),
        ("2017-01-06", "2W", ["2017-01-20", "2017-02-03"]),
        ("2016-12-31", "ME", ["2017-01-31", "2017-02-28"]),
        ("2016-11-01", "MS", ["2016-12-01", "2017-01-01"]),
        ("2016-03-31", "QE", ["2016-06-30", "2016-09-30"]),
        ("2016-02-29", "YS", ["2017-02-28", "2018-02-28"]),
    ],
)
def test_times_go_on(last: str, frequency: str, expected: list[str]) -> None:
    times = next_times(np.datetime64(last), frequency, 2)
    assert [str(time) for time in times.astype("datetime64[D]")] == expected


def test_times_go_on_within_the_day() -> None:
    times = next_times(np.datetime64("2016-12-31T23:45:00.5"), "15min", 2)
    assert [str(time) for time in times] == [
        "2017-01-01T00:00:00.500000",
        "2017-01-01T00:15:00.500000",
    ]


def test_an_unknown_frequency_is_refused() -> None:
    with pytest.raises(ValueError, match="'fortnight' is not a frequency"):
        next_times(np.datetime64("2017-01-01"), "fortnight", 1)


def test_content_and_options_load_neither_pandas_nor_scikit_learn() -> None:
    code = (
        "import sys, app.reading.content, app.reading.read_options\n"
        "sys.exit(bool({'pandas', 'sklearn', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
