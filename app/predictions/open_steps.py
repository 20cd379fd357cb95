"""Which steps of a graph fall on open days, where closed days are steps of the graph, too."""

from bisect import bisect_right

import numpy as np

from app.artifact.manifest import SeriesInput
from app.errors import Unprocessable
from app.predictions.loaded import Loaded
from app.predictions.schemas import PredictRequest
from app.predictions.times import EPOCH, Stamps
from app.reading.series.calendar import WEEK_DAYS, parse_calendar
from app.reading.series.frequency import next_times, steps_between

OpenSteps = tuple[int, ...]


def open_steps(described: SeriesInput, stamps: Stamps | None, steps: int) -> OpenSteps:
    """Return the places of the next open days among the graph's steps, from 0 on.

    Args:
        described: the version's series.
        stamps: the times of the history.
        steps: how many open days are asked for.

    Returns:
        Empty if the first steps are all on open days, or if nothing is known of them.
    """
    if not described.closed_on_grid or described.calendar is None or stamps is None:
        return ()
    frequency, closed = described.frequency, parse_calendar(described.calendar).closed
    if frequency is None or not closed or not stamps.fits(frequency):
        return ()
    last = stamps.moments[-1]
    today = last.toordinal() - EPOCH
    following = bisect_right(closed, today)
    if following == len(closed) or closed[following] > today + WEEK_DAYS * (steps + 1):
        return ()  # the usual case, which need not look at each step
    start = np.datetime64(last.replace(tzinfo=None), "us")
    times = next_times(start, frequency, steps, described.calendar)
    apart = steps_between(np.concatenate(([start], times)), frequency, described.grid_calendar)
    places = np.cumsum(apart) - 1
    return tuple(places.tolist()) if places[-1] >= steps else ()


def graph_steps(
    version: Loaded, request: PredictRequest, places: OpenSteps, warnings: list[str]
) -> int:
    """Return how many steps of the graph to forecast; past the trained horizon, warn about it.

    Raises:
        Unprocessable: they are past it, and the target is not among the version's inputs.
    """
    trained = version.manifest.horizon
    asked = request.horizon or trained
    steps = places[-1] + 1 if places else asked
    if steps > trained:
        held = _held(version)
        which = f"horizon {asked}" + (" with the closed days in it" if asked <= trained else "")
        warnings.append(
            f"{which} is past the trained {trained}: forecasts are fed back"
            + (f", with {' and '.join(held)} at the newest value" if held else "")
            + (", without intervals" if request.levels else "")
        )
    return steps


def _held(version: Loaded) -> list[str]:
    """Return the input columns that keep their newest value past the trained horizon.

    Raises:
        Unprocessable: the target is no input, so that its forecasts cannot be fed back.
    """
    described = version.manifest.series
    names = [] if described is None else [feature.name for feature in described.features]
    if described is None or described.target in names:
        given = () if described is None else (described.target, *described.known)
        return [name for name in names if name not in given]
    raise Unprocessable.at(
        "horizon",
        f"{version} gives {version.manifest.horizon} steps; past that its forecasts of "
        f"{described.target!r} would have to be fed back, and that column is not among its inputs",
    )
