"""Know natural seasons and default horizons of frequencies."""

from app.reading.series.frequency import split_frequency

Periods = tuple[int, int]  # rows in a season and in a longer one; 0: none

# Natural seasons of a frequency, in rows.
NATURAL_SEASONS = {
    "s": (60,),
    "min": (60, 1440),
    "h": (24, 168),
    "D": (7, 365),
    "B": (5, 261),
    "W": (52,),
    "SMS": (24,),
    "SME": (24,),
    "MS": (12,),
    "ME": (12,),
    "QS": (4,),
    "QE": (4,),
}
SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
# `universal` is told cycles of less than a day in seconds: a day rather than an hour, because
# little repeats from hour to hour. The 261 business days of a year, which shift against its dates,
# are not told.
HOUR, DAY, WEEK = 3600, 86_400, 604_800
TOLD_SEASONS = NATURAL_SEASONS | {"B": (5,)}
SEASONS_TOLD = 2  # a season that is told may take this share of the window
# Steps ahead that a recipe forecasts by default.
HORIZONS = {
    "ms": 60,
    "s": 60,
    "h": 24,
    "D": 14,
    "B": 5,
    "C": 5,
    "W": 8,
    "SMS": 8,
    "SME": 8,
    "MS": 12,
    "ME": 12,
    "QS": 4,
    "QE": 4,
    "YS": 4,
    "YE": 4,
}
MINUTES_IN_AN_HOUR = 60
MINUTES_IN_A_DAY = 1440
# Minutes between rows from which a day is forecast; an hour if rows are closer together.
MINUTES_FOR_A_DAY = 15
# A default horizon is at most this share of the rows.
ROWS_PER_STEP = 6


def season_candidates(frequency: str | None) -> tuple[int, ...]:
    """Return the natural seasons of a frequency, in rows; none without a frequency."""
    if frequency is None:
        return ()
    count, unit = split_frequency(frequency)
    return tuple(period // count for period in NATURAL_SEASONS.get(unit, ()) if period % count == 0)


def default_horizon(frequency: str | None, *, rows: int | None = None) -> int:
    """Return the default number of steps ahead.

    Args:
        frequency: of the rows; None: no times or no regular ones, for which it is 1 step.
        rows: of a typical series, of which the horizon is at most a sixth; None: no limit.
    """
    if frequency is None:
        return 1
    count, unit = split_frequency(frequency)
    if unit == "min":
        is_coarse = count >= MINUTES_FOR_A_DAY
        steps = (MINUTES_IN_A_DAY if is_coarse else MINUTES_IN_AN_HOUR) // count
    else:
        steps = HORIZONS[unit] // count
    return max(1, steps if rows is None else min(steps, rows // ROWS_PER_STEP))


def periods_of(frequency: str | None, calendar: str | None, *, longest: int) -> Periods | None:
    """Return the periods that a frequency suggests, or None if it suggests nothing.

    Args:
        frequency: of the rows; None: no times, or no regular ones.
        calendar: when the series has rows; with one, a day may have any number of rows.
        longest: rows of the longest season that can be told.
    """
    if frequency is None or calendar is not None:
        return None
    count, unit = split_frequency(frequency)
    if unit in SECONDS:
        step = SECONDS[unit] * count
        day, week, hour = (_rows(cycle, step, longest) for cycle in (DAY, WEEK, HOUR))
        found = [rows for rows in ((day, week) if day else (hour,)) if rows]
    else:
        found = [
            rows for cycle in TOLD_SEASONS.get(unit, ()) if (rows := _rows(cycle, count, longest))
        ]
    short, long = [*found, 0, 0][:2]
    return short, long


def _rows(cycle: float, step: float, longest: int) -> int:
    """Return the rows in a cycle; 0 if they are not a whole number from 2 to `longest`."""
    rows = round(cycle / step)
    return rows if 2 <= rows <= longest and abs(rows * step - cycle) < step / 1000 else 0
