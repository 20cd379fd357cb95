"""The seasons that the series of a dataset share."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from app.forecasting.frequencies import season_candidates
from app.forecasting.season import detect_season
from app.training.series.data import Floats, SeriesData

MOST_SEARCHED_SERIES = 50
DAYS_IN_A_WEEK = 7


def find_seasons(data: SeriesData) -> tuple[int, ...]:
    """Return the season that most series share in the rows before the cut, and a longer one."""
    candidates = season_candidates(data.content.frequency)
    first = _season(data, candidates, None)
    if first is None:
        return ()
    longer = {each for each in candidates if each > first}
    longer.add(DAYS_IN_A_WEEK * first)  # of days if the first is one day
    second = _season(data, sorted(each for each in longer if each % first == 0), first)
    return (first,) if second is None else (first, second)


def _season(data: SeriesData, candidates: Sequence[int], without: int | None) -> int | None:
    """Return the season most series share, once the season of `without` rows is taken off.

    Series without a whole network window before the cut are not counted. The result is None if
    fewer than half have one.
    """
    able = [group for group in data.groups if group.split.test_start > data.network_window]
    longest = sorted(able, key=lambda group: -group.split.test_start)[:MOST_SEARCHED_SERIES]
    found = []
    for group in longest:
        values = group.target[: group.split.test_start]
        if without is None:
            found.append(detect_season(values, candidates=candidates))
        elif candidates:
            found.append(detect_season(_seasonless(values, without), candidates=candidates))
    periods = Counter(season.period for season in found if season is not None)
    if without is not None:
        periods = Counter({period: n for period, n in periods.items() if period in candidates})
    if not periods:
        return None
    period, count = max(periods.items(), key=lambda item: (item[1], -item[0]))
    return period if 2 * count >= len(longest) else None


def _seasonless(values: Floats, season: int) -> Floats:
    """Return values minus the mean at each position in a season."""
    place = np.arange(len(values)) % season
    known = np.isfinite(values)
    counts = np.bincount(place[known], minlength=season).clip(min=1)
    means = np.bincount(place[known], weights=values[known], minlength=season) / counts
    without: Floats = values - means[place]
    return without
