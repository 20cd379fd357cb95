"""Find the season of a series: after how many rows its pattern is repeated."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHORTEST_PERIOD = 2
# A pattern counts as a season once it has been seen this many times.
FEWEST_CYCLES = 3
# Older rows say nothing more about the period, and cost time.
MOST_ROWS = 30_000
# Peaks of the autocorrelation that are examined more closely.
MOST_CANDIDATES = 12
# A season must explain this share of the variance around the trend, and more if it was only seen a
# few times, because random walks show patterns, too, which the next cycles do not keep. With these
# figures, 1 of 20 random walks of 40 rows is said to have a season, and 1 of 200 of 300 rows.
LEAST_STRENGTH = 0.15
STRENGTH_PER_CYCLE = 3.5
STRONGEST_NEEDED = 0.85
# A given period had only one chance, unlike one that was searched for. This is the threshold at
# which series are usually differenced by season (Hyndman & Athanasopoulos, section 9.1).
STRONGEST_NEEDED_IF_GIVEN = 0.64
# Multiples of a period explain as much as the period itself, except for chance.
ABOUT_AS_STRONG = 0.9
# A week of days, where a day was found: told if it leaves this share of the variance at most.
DAYS, LEAST_WEEKS, LEFT_BY_WEEK = 7, 3, 0.8
# A day, where a week was found: told if it is so many rows and explains this share of the variance.
LEAST_DAY, LEAST_BY_DAY = 4, 0.3
# Neighbouring periods that are tried at once when looking for the best of them.
TRIED_CLOSE_BY = 16


@dataclass(frozen=True, kw_only=True)
class Season:
    """A repeated pattern."""

    period: int  # rows
    strength: float  # share of the variance around the trend that it explains, at most 1


def detect_season(values: Floats, *, candidates: Collection[int] = ()) -> Season | None:
    """Return the season of a series, or None if it shows none.

    Periods that stand out in the autocorrelation of the series or of its changes are tried in a
    classical decomposition (trend by a centred moving average over one period, season by the mean
    of each phase). The season is the shortest period that explains about as much of the variance
    around the trend as any other, if that is enough (the strength of Wang, Smith & Hyndman 2006,
    with variances corrected for the number of means). Trend and chance may shift a peak of the
    autocorrelation, so the period is then searched for nearby: a given one if it does about as
    well, otherwise the strongest.

    Args:
        values: (rows,), oldest first; gaps (NaN) are bridged.
        candidates: periods to try in any case, such as 7 for daily rows.
    """
    whole = without_gaps(values)
    if np.isfinite(values).sum() < SHORTEST_PERIOD * FEWEST_CYCLES:
        return None
    # Scaled first, because squares of huge or tiny values overflow or vanish.
    bridged = whole[-MOST_ROWS:] / (np.abs(whole).max() or 1.0)  # (rows,)
    longest = len(bridged) // FEWEST_CYCLES
    periods = _peaks(_autocorrelation(_without_line(bridged), longest))
    periods |= _peaks(_autocorrelation(np.diff(bridged), longest))
    given = {p for p in candidates if SHORTEST_PERIOD <= p <= longest}
    found = [
        season
        for season in _every(bridged, sorted(periods | given))
        if season.strength >= _needed(len(bridged) / season.period, given=season.period in given)
    ]
    if not found:
        return None
    strongest = max(season.strength for season in found)
    shortest = next(season for season in found if season.strength >= ABOUT_AS_STRONG * strongest)
    return _close_by(bridged, shortest, given)


def detected_periods(values: Floats, *, longest: int) -> tuple[int, int]:
    """Return the periods that the values (rows,) show; gaps are NaN."""
    found = detect_season(values)
    if found is None or found.period > longest:
        return (0, 0)
    bridged = without_gaps(values)
    day, rest = divmod(found.period, DAYS)
    if not rest and day >= LEAST_DAY and season_strength(bridged, period=day) >= LEAST_BY_DAY:
        return day, found.period
    week = DAYS * found.period
    if week > longest or len(bridged) < LEAST_WEEKS * week:
        return found.period, 0
    left = 1 - season_strength(bridged, period=week)
    return found.period, week if left <= LEFT_BY_WEEK * (1 - found.strength) else 0


def without_gaps(values: Floats) -> Floats:
    """Return the values from the first to the last known one, with straight lines over gaps."""
    is_known = np.isfinite(values)
    if is_known.all():
        return values
    known = np.flatnonzero(is_known)
    if not len(known):
        return values[:0]
    bridged: Floats = np.interp(np.arange(known[0], known[-1] + 1), known, values[known])
    return bridged


def _close_by(values: Floats, season: Season, given: set[int]) -> Season:
    """Return the best period that counting cycles cannot distinguish from a season.

    Over n / p cycles, a period that differs by p / (n / p) has one cycle more or fewer; half of
    that is the range.
    """
    period = season.period
    reach = min(period**2 // (2 * len(values)), period - SHORTEST_PERIOD)
    if period in given or not reach:
        return season
    best = season
    step = max(1, 2 * reach // TRIED_CLOSE_BY)
    lowest, highest = period - reach, min(period + reach, len(values) // FEWEST_CYCLES)
    while True:
        tried = _every(values, range(lowest, highest + 1, step))
        best = max([best, *tried], key=lambda each: each.strength)
        if step == 1:
            break
        lowest, highest = max(lowest, best.period - step), min(highest, best.period + step)
        step = max(1, 2 * step // TRIED_CLOSE_BY)
    natural = _every(values, [each for each in given if abs(each - period) <= reach])
    return max(
        (each for each in natural if each.strength >= ABOUT_AS_STRONG * best.strength),
        key=lambda each: each.strength,
        default=best,
    )


def _every(values: Floats, periods: Sequence[int]) -> list[Season]:
    strengths = season_strengths(values, periods=periods).tolist()
    return [
        Season(period=period, strength=strength)
        for period, strength in zip(periods, strengths, strict=True)
    ]


def _needed(cycles: float, *, given: bool) -> float:
    most = STRONGEST_NEEDED_IF_GIVEN if given else STRONGEST_NEEDED
    return min(max(LEAST_STRENGTH, STRENGTH_PER_CYCLE / cycles), most)


def season_strength(values: Floats, *, period: int) -> float:
    """Return the strength of one period; see `season_strengths`."""
    return float(season_strengths(values, periods=(period,))[0])


def season_strengths(values: Floats, *, periods: Sequence[int]) -> Floats:
    """Return the share of the variance around the trend that a season of each period explains.

    It is below 0 if it explains less than chance would, and NaN without variance or two cycles.

    Args:
        values: (rows,) without gaps.
        periods: rows in a season.
    """
    found = np.full(len(periods), np.nan)
    centered = values - values.mean()
    sums = np.concatenate(([0.0], centered.cumsum()))
    # Rounding leaves some variance in a straight line.
    rounding = (np.finfo(np.float64).eps * np.abs(values).max(initial=0.0) * len(values)) ** 2
    for place, period in enumerate(periods):
        if len(values) >= 2 * (period // 2) + 2 * period:
            found[place] = _strength(centered, sums, period, rounding)
    return found


def _strength(centered: Floats, sums: Floats, period: int, rounding: float) -> float:
    """Return the strength of a period that fits twice.

    Args:
        centered: (rows,), with mean 0.
        sums: (rows + 1,), of the values before each row.
        period: rows in a season.
        rounding: variance up to this is chance.
    """
    margin = period // 2  # rows at either end that are not surrounded by a whole period
    trend = sums[period:] - sums[:-period]  # (rows - period + 1,), times the period
    if not period % 2:  # the centred mean falls between two rows; this moves it to a row
        trend = (trend[1:] + trend[:-1]) * 0.5  # (rows - 2 margin,)
    around = centered[margin : len(centered) - margin] - trend * (1 / period)
    rows = len(around)
    cycles, rest = divmod(rows, period)
    season = around[: cycles * period].reshape(cycles, period).sum(axis=0)  # (period,)
    season[:rest] += around[cycles * period :]
    explained = season[:rest] @ season[:rest] / (cycles + 1)
    explained += season[rest:] @ season[rest:] / cycles
    squares = float(around @ around)
    left = max(0.0, squares - float(explained)) / (rows - period)
    total = (squares - float(around.sum()) ** 2 / rows) / (rows - 1)
    return 1 - left / total if total > rounding else float("nan")


def _without_line(values: Floats) -> Floats:
    time = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(time @ values) / float(time @ time)
    flat: Floats = values - values.mean() - slope * time
    return flat


def _autocorrelation(values: Floats, longest: int) -> Floats:
    """Return the autocorrelation at lags 0 to longest + 1, (longest + 2,)."""
    centered = values - values.mean()
    length = 1 << (len(centered) + longest + 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centered, length)) ** 2
    covariance: Floats = np.fft.irfft(spectrum, length)[: longest + 2]
    return covariance / covariance[0] if covariance[0] > 0 else np.zeros(longest + 2)


def _peaks(correlation: Floats) -> set[int]:
    """Return the lags of the highest local maxima above 0."""
    inner = correlation[1:-1]
    higher = (inner > correlation[:-2]) & (inner >= correlation[2:]) & (inner > 0)
    lags = np.flatnonzero(higher) + 1
    lags = lags[lags >= SHORTEST_PERIOD]
    best = lags[np.argsort(-correlation[lags])][:MOST_CANDIDATES]
    return {int(lag) for lag in best}
