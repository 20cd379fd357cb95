"""Columns of words: read as levels, encoded as one-hot inputs."""

from pathlib import Path

import numpy as np
import pytest

from app.reading.categories import Encoding, encoded, encodings_of, read_category
from app.reading.content import OTHER, SeriesContent, content_from_bytes
from app.reading.extend import extended
from app.reading.read_options import ReadOptions
from app.reading.reader import ReadResult, read_file

WEATHER = ["sun", "sun", "rain", "", "hail", "sun", "rain", "sun"]


def read(folder: Path, weather: list[str], *, first: int = 1) -> ReadResult:
    rows = [f"2024-01-{first + at:02},{at * at},{word}" for at, word in enumerate(weather)]
    file = folder / "shop.csv"
    file.write_text("\n".join(["date,units,weather", *rows]), encoding="utf-8")
    return read_file(file, file.name, ReadOptions())


def series(result: ReadResult) -> SeriesContent:
    assert isinstance(result.content, SeriesContent)
    return result.content


def test_a_column_of_words_is_kept_with_the_file(tmp_path: Path) -> None:
    result = read(tmp_path, WEATHER)
    content = content_from_bytes(series(result).to_bytes())
    assert content == result.content
    assert isinstance(content, SeriesContent)
    assert content.columns == ("units",)
    assert content.levels_of("weather") == ("sun", "rain", "hail")
    assert content.cells("weather") == WEATHER
    entry = next(each for each in result.report.columns if each.name == "weather")
    assert (entry.used, entry.role) == (True, "input")


def test_words_that_hardly_repeat_are_named_as_not_used(tmp_path: Path) -> None:
    result = read(tmp_path, [f"remark{number}" for number in range(30)])
    assert not series(result).categories
    entry = next(each for each in result.report.columns if each.name == "weather")
    assert (entry.used, entry.role) == (False, "unused")
    assert entry.note == "not used: its words hardly repeat: 30 in 30 rows"


def test_each_level_but_the_most_frequent_is_an_input(tmp_path: Path) -> None:
    content = series(read(tmp_path, WEATHER))
    inputs = encoded(content, encodings_of(content))
    assert inputs.columns == ("units", "weather=rain", "weather=hail")
    assert inputs.column("weather=rain")[:3].tolist() == [0, 0, 1]
    assert np.isnan(inputs.column("weather=hail")[3])
    assert inputs.column("weather=hail")[4] == 1


def test_rare_levels_are_one_other_input() -> None:
    words = [f"level{number % 110}" for number in range(110)] + [
        f"level{number}" for number in range(110) for _ in range(110 - number)
    ]
    found = read_category("kind", words)
    assert not isinstance(found, str)
    category, places = found
    assert len(category.levels) == 100
    content = SeriesContent(
        columns=(),
        values=places[:, None],
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=("",),
        series=np.zeros(len(words), np.int32),
        categories=(category,),
    )
    (encoding,) = encodings_of(content)
    assert len(encoding.levels) == 12
    inputs = encoded(content, [encoding])
    others = inputs.column(f"kind={OTHER}")[:110]
    assert others.tolist() == [float(number >= 12) for number in range(110)]
    assert content.cells("kind")[109] == OTHER


@pytest.mark.parametrize(("other", "expected"), [(True, [0, 1]), (False, [0])])
def test_an_unknown_word_is_other_or_the_most_frequent(
    *, other: bool, expected: list[float]
) -> None:
    encoding = Encoding(name="weather", levels=("sun", "rain"), other=other)
    assert encoding.row("fog") == expected
    assert encoding.unknown(["sun", "fog", "rain", "fog"]) == ["fog"]


def test_an_extension_may_bring_new_levels(tmp_path: Path) -> None:
    last = series(read(tmp_path, WEATHER))
    more = series(read(tmp_path, ["rain", "fog", "fog", "sun"], first=9))
    both = extended(last, more)
    assert both.levels_of("weather") == ("sun", "rain", "hail", "fog")
    assert both.cells("weather") == [*WEATHER, "rain", "fog", "fog", "sun"]
