import numpy as np

from app.forecasting.series_splits import split_series
from app.reading.content import SeriesContent

HOURS = 100
OFFSETS = {"New York": -300, "Tokyo": 540}  # minutes east of UTC
UTC_HOURS = np.datetime64("2024-01-01T00:00", "us") + np.arange(HOURS) * np.timedelta64(1, "h")


def of_lengths(*lengths: int, timed: bool) -> SeriesContent:
    """Return series that all end with the last hour."""
    rows = sum(lengths)
    return SeriesContent(
        columns=("value",),
        values=np.zeros((rows, 1)),
        times=np.concatenate([UTC_HOURS[-length:] for length in lengths]) if timed else None,
        offsets=None,
        time_form="local" if timed else None,
        frequency="h" if timed else None,
        labels=tuple(f"series {number}" for number in range(len(lengths))),
        series=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
    )


def cuts(content: SeriesContent, *, test: float) -> list[tuple[int, int, int]]:
    return [
        (split.validation_start, split.test_start, split.rows)
        for split in split_series(content, test_fraction=test, validation_fraction=0.25)
    ]


def test_one_series_and_series_without_times_are_cut_by_their_rows() -> None:
    assert cuts(of_lengths(100, timed=True), test=0.2) == [(60, 80, 100)]
    assert cuts(of_lengths(100, 50, timed=False), test=0.2) == [(60, 80, 100), (30, 40, 50)]


def test_several_are_cut_at_one_moment_however_late_one_begins() -> None:
    # Of 110 rows together, rows 66 and 88 are in hours that only the longer series has.
    assert cuts(of_lengths(100, 10, timed=True), test=0.2) == [(66, 88, 100), (0, 0, 10)]
    assert cuts(of_lengths(100, 100, timed=True), test=0.0) == [(75, 100, 100)] * 2


def test_series_of_unlike_zones_are_cut_at_the_same_instant() -> None:
    shifts = [np.timedelta64(minutes, "m") for minutes in OFFSETS.values()]
    content = SeriesContent(
        columns=("value",),
        values=np.zeros((2 * HOURS, 1)),
        times=np.concatenate([UTC_HOURS + shift for shift in shifts]),
        offsets=np.repeat(np.array([*OFFSETS.values()], np.int16), HOURS),
        time_form="zoned",
        frequency="h",
        labels=tuple(OFFSETS),
        series=np.repeat(np.arange(2, dtype=np.int32), HOURS),
    )
    assert cuts(content, test=0.2) == [(60, 80, HOURS)] * 2
