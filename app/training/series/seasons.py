"""The seasons that the series of a dataset share."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from app.forecasting.frequencies import season_candidates
from app.forecasting.season import (
    LEAST_BY_DAY,
    Season,
    detect_season,
    season_strength,
    without_gaps,
)
from app.training.series.data import Floats, SeriesData

MOST_SEARCHED_SERIES = 50
# A season of many series: half of them must show it at least this clearly.
FEWEST_TOGETHER, LEAST_TOGETHER = 10, 0.3
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
    fewer than half have one and none is common to all.
    """
    if without is not None and not candidates:
        return None
    able = [group for group in data.groups if group.split.test_start > data.network_window]
    longest = sorted(able, key=lambda group: -group.split.test_start)[:MOST_SEARCHED_SERIES]
    votes: Counter[int] = Counter()
    every = []
    for group in longest:
        values = group.target[: group.split.test_start]
        if not np.isfinite(values).any():
            continue
        values = without_gaps(values if without is None else _seasonless(values, without))
        every.append(values)
        found = detect_season(values, candidates=candidates)
        if found is not None:
            votes.update(_votes(values, found, candidates))
    if without is not None:
        votes = Counter({period: n for period, n in votes.items() if period in candidates})
    if votes:
        period, count = max(votes.items(), key=lambda item: (item[1], -item[0]))
        if 2 * count >= len(longest):
            return period
    return _common(every, candidates)


def _votes(values: Floats, found: Season, candidates: Sequence[int]) -> set[int]:
    """Return the periods that a series' season speaks for.

    Where some series show a week best and others a day, the day is common to all: a week votes for
    the day that it contains, half a day for the whole one.
    """
    votes = {found.period}
    votes |= {
        period
        for period in candidates
        if period < found.period
        and found.period % period == 0
        and season_strength(values, period=period) >= LEAST_BY_DAY
    }
    if found.period not in candidates:
        votes |= set([each for each in candidates if each % found.period == 0][:1])
    return votes


def _common(every: Sequence[Floats], candidates: Sequence[int]) -> int | None:
    """Return the shortest candidate that is too faint in single series, but not in all together.

    Hours of four weeks: without their day, half of 60 generated series have a strength above 0.59
    at a week where there is one; where there is none, one of 100 random walks has.
    """
    if len(every) < FEWEST_TOGETHER:
        return None
    for period in sorted(candidates):
        strengths = [season_strength(values, period=period) for values in every]
        known = [each for each in strengths if np.isfinite(each)]
        if 2 * len(known) >= len(every) and np.median(known) >= LEAST_TOGETHER:
            return period
    return None


def _seasonless(values: Floats, season: int) -> Floats:
    """Return values minus the mean at each position in a season."""
    place = np.arange(len(values)) % season
    known = np.isfinite(values)
    counts = np.bincount(place[known], minlength=season).clip(min=1)
    means = np.bincount(place[known], weights=values[known], minlength=season) / counts
    without: Floats = values - means[place]
    return without
