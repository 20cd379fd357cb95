import numpy as np

from app.datasets.content import SeriesContent
from app.forecasting.series_splits import split_series

HOURS = 100
OFFSETS = {"New York": -300, "Tokyo": 540}  # minutes east of UTC


def test_series_of_unlike_zones_are_cut_at_the_same_instant() -> None:
    utc = np.datetime64("2024-01-01T00:00", "us") + np.arange(HOURS) * np.timedelta64(1, "h")
    shifts = [np.timedelta64(minutes, "m") for minutes in OFFSETS.values()]
    content = SeriesContent(
        columns=("value",),
        values=np.zeros((2 * HOURS, 1)),
        times=np.concatenate([utc + shift for shift in shifts]),
        offsets=np.repeat(np.array([*OFFSETS.values()], np.int16), HOURS),
        time_form="zoned",
        frequency="h",
        labels=tuple(OFFSETS),
        series=np.repeat(np.arange(2, dtype=np.int32), HOURS),
    )
    for split in split_series(content, test_fraction=0.2, validation_fraction=0.25):
        assert (split.validation_start, split.test_start, split.rows) == (60, 80, HOURS)
