"""Split the series of a dataset, all at the same time."""

import itertools

import numpy as np
from numpy.typing import NDArray

from app.forecasting.windows import Split, split_rows
from app.reading.content import SeriesContent


def split_series(
    content: SeriesContent,
    *,
    test_fraction: float,
    validation_fraction: float,
    horizon: int = 1,
) -> list[Split]:
    """Split each series: a single one by rows, several with times all at the same time.

    Args:
        content: the dataset.
        test_fraction: share of the rows, at their end, that is judged on.
        validation_fraction: share of the remaining rows, at their end.
        horizon: steps ahead of a forecast.
    """
    starts = np.searchsorted(content.series, np.arange(len(content.labels) + 1))
    if len(content.labels) == 1 or content.times is None:
        return [
            split_rows(
                int(stop - start),
                test_fraction=test_fraction,
                validation_fraction=validation_fraction,
                horizon=horizon,
            )
            for start, stop in itertools.pairwise(starts)
        ]
    # civil times of different zones, or after a clock change, mislead
    instants = content.instants()
    moments = np.sort(instants)
    pooled = split_rows(
        len(moments),
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
        horizon=horizon,
        series=len(content.labels),
    )

    def cut(times: NDArray[np.int64], row: int) -> int:
        return int(np.searchsorted(times, moments[row])) if row < len(moments) else len(times)

    splits = []
    for start, stop in itertools.pairwise(starts):
        times = instants[start:stop]
        splits.append(
            Split(
                rows=len(times),
                validation_start=cut(times, pooled.validation_start),
                test_start=cut(times, pooled.test_start),
            )
        )
    return splits
