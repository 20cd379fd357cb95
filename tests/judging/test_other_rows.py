import numpy as np
import pytest

from app.errors import Unprocessable
from app.forecasting.histories import Reach
from app.judging import series_judge
from app.judging.judgement import WITHOUT_SCIKIT
from app.judging.other_rows import KnownSeries, other_rows
from app.judging.series_judge import Judged
from app.reading.content import SeriesContent, TextContent


def content(
    first: int,
    count: int,
    *,
    labels: tuple[str, ...] = ("",),
    times: bool = True,
    offset: int | None = None,
) -> SeriesContent:
    """Return daily rows numbered from `first` on; the value of each is its number."""
    numbers = np.tile(np.arange(first, first + count), len(labels))
    days = np.datetime64("2020-01-01", "D") + numbers
    return SeriesContent(
        columns=("value",),
        values=numbers[:, None].astype(float),
        times=days.astype("datetime64[us]") if times else None,
        offsets=None if offset is None else np.full(len(numbers), offset, np.int16),
        time_form=None if not times else "date" if offset is None else "zoned",
        frequency="D" if times else None,
        labels=labels,
        series=np.repeat(np.arange(len(labels)), count).astype(np.int32),
    )


def known(rows: SeriesContent, training: int) -> list[KnownSeries]:
    parts = [rows.of_series(label) for label in rows.labels]
    return [
        KnownSeries(
            label=part.labels[0],
            inputs=part.values,
            target=part.values[:, 0],
            content=part,
            training=training,
        )
        for part in parts
    ]


def judged(before: list[KnownSeries], other: SeriesContent, *, window: int = 3) -> Judged:
    reach = Reach(window=window, least=window, longest_hole=0, season=None)
    return other_rows(before, other, features=("value",), target="value", reach=reach)


def forecast_rows(found: Judged, part: int = 0) -> list[float]:
    """Return the numbers of the forecast rows; each window ends right before its row."""
    series = found.parts[part]
    assert (series.inputs[:, -1, 0] == series.values[series.first - 1]).all()
    return [float(value) for value in series.values[series.first]]


def test_rows_in_the_training_range_are_left_out() -> None:
    found = judged(known(content(0, 30), 20), content(10, 30))

    assert forecast_rows(found) == list(range(20, 40))
    assert not found.seen
    assert found.notes[0].startswith("9 of 29 rows lie in the version's training range")
    assert (found.parts[0].training == np.arange(20)).all()


def test_rows_of_the_held_out_part_have_what_came_before_them() -> None:
    found = judged(known(content(0, 30), 20), content(25, 5), window=8)

    assert forecast_rows(found) == [26, 27, 28, 29]
    assert found.parts[0].inputs[0, :, 0].tolist() == list(range(18, 26))
    assert found.notes == ("the first windows reach back into the last 7 training rows",)


def test_if_all_rows_were_trained_on_the_verdict_says_so() -> None:
    found = judged(known(content(0, 30), 30), content(10, 10))

    assert found.seen
    assert len(found) == 9
    assert found.notes[0].startswith("all 9 rows lie in the version's training range")


def test_without_times_only_the_same_rows_are_recognised() -> None:
    before = known(content(0, 30, times=False), 20)

    assert forecast_rows(judged(before, content(0, 30, times=False))) == list(range(20, 30))
    later = judged(before, content(0, 10, times=False))  # other rows: assumed to follow
    assert len(later) == 9
    assert later.parts[0].first[0] == 31


def test_zoned_and_civil_times_are_not_compared() -> None:
    found = judged(known(content(0, 30), 30), content(10, 10, offset=60))

    assert not found.seen
    assert forecast_rows(found) == list(range(13, 20))


def test_instants_count_not_what_clocks_showed() -> None:
    before = known(content(0, 30, offset=0), 30)

    # Midnight in the west is later than in Greenwich, so the last day is new.
    assert forecast_rows(judged(before, content(20, 10, offset=-300))) == [29]


def test_each_series_has_its_own_past() -> None:
    before = known(content(0, 30, labels=("a", "b")), 20)
    found = judged(before, content(15, 10, labels=("b", "c")))

    assert forecast_rows(found, 0) == list(range(20, 25))
    # no training rows: every row with a window is judged
    assert forecast_rows(found, 1) == list(range(18, 25))
    assert len(found.parts[1].training) == 0


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (TextContent(text="long ago"), "is a text"),
        (content(0, 3), "none of its 3 rows"),
    ],
)
def test_the_verdict_says_what_could_not_be_judged(other: SeriesContent, words: str) -> None:
    with pytest.raises(Unprocessable, match=words):
        judged([], other)


def test_where_scikit_learn_is_missing_the_perceptron_is_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(series_judge, "find_spec", lambda _: None)

    assert series_judge._perceptron([], horizon=1, window=3, check=lambda: None) == WITHOUT_SCIKIT
