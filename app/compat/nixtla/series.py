"""Turn flat series into requests of `POST /predict`, and their answers into flat forecasts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from app.artifact.manifest import SeriesInput
from app.compat.nixtla.schemas import Asked, CrossValidationRequest
from app.compat.nixtla.times import frequency_of, timestamps
from app.errors import InvalidRequest
from app.predictions.loaded import Loaded

Answer = Mapping[str, Any]
LOWEST_LEVEL = 50  # of the intervals that `POST /predict` returns
NO_INTERVAL = 0  # what the client asks for to get the quantile 0.5


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A forecast to make."""

    series: int
    start: int  # places in `y`: the first row that may be read,
    cut: int  # and the first that is forecast


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The model's columns, as the request has them."""

    target: str
    values: Mapping[str, Sequence[float | None]]  # of all rows, the target's included
    known: Sequence[str]


def columns_of(asked: Asked, described: SeriesInput, version: Loaded) -> Columns:
    """Return the columns of a request.

    Raises:
        InvalidRequest: they are not those of the version, or differ in length.
    """
    given = asked.series
    if sum(given.sizes) != len(given.y):
        raise InvalidRequest(
            f"sizes: add up to {sum(given.sizes)}, but y has {len(given.y)} values"
        )
    known = list(described.known)
    features = [each.name for each in described.features if each.name != described.target]
    names = [*known, *(name for name in features if name not in known)]
    X = _known_first(asked)  # noqa: N806 - the protocol's name
    if len(X) != len(names):
        reads = f"reads {', '.join(names)} beside {described.target}" if names else "reads y alone"
        raise InvalidRequest(f"X: has {len(X)} columns, but {version} {reads}")
    for place, values in enumerate(X):
        if len(values) != len(given.y):
            raise InvalidRequest(f"X.{place}: has {len(values)} values, but y has {len(given.y)}")
    return Columns(
        target=described.target,
        values={described.target: given.y, **dict(zip(names, X, strict=True))},
        known=known,
    )


def _known_first(asked: Asked) -> list[Sequence[float | None]]:
    """Return the rows of X, those known ahead first, as forecasts have them."""
    rows: list[Sequence[float | None]] = list(asked.series.X or ())
    if not isinstance(asked, CrossValidationRequest):
        return rows
    last = set(asked.hist_exog or ())
    places = sorted(range(len(rows)), key=lambda place: place in last)
    return [rows[place] for place in places]


def ends_of(asked: Asked) -> list[Origin]:
    """Return the origins of forecasts: the end of each series."""
    ends = list(accumulate(asked.series.sizes))
    return [
        Origin(series=place, start=end - size, cut=end)
        for place, (size, end) in enumerate(zip(asked.series.sizes, ends, strict=True))
    ]


def origins_of(asked: CrossValidationRequest, min_history: int) -> list[Origin]:
    """Return the origins of a cross-validation, of each series in order of time.

    Raises:
        InvalidRequest: a series is too short for any.
    """
    step = asked.step_size or asked.h
    origins = []
    for end in ends_of(asked):
        cuts = [end.cut - asked.h - step * back for back in reversed(range(asked.n_windows))]
        own = [
            Origin(series=end.series, start=end.start, cut=cut)
            for cut in cuts
            if cut - end.start >= min_history
        ]
        if not own:
            raise InvalidRequest(
                f"series {end.series}: has {end.cut - end.start} values; the model needs "
                f"{min_history} before the {asked.h} that are forecast"
            )
        origins += own
    return origins


def item_of(
    asked: Asked, columns: Columns, origin: Origin, reference: str, version: Loaded
) -> dict[str, object]:
    """Return the request of `POST /predict` for an origin.

    Raises:
        InvalidRequest: the series has gaps without times, or columns known ahead are missing.
    """
    rows = range(origin.start, origin.cut)
    times = _times(asked, origin)
    whole = [row for row in rows if all(each[row] is not None for each in columns.values.values())]
    if len(whole) < len(rows):
        if times is None:
            raise InvalidRequest(
                f"series {origin.series}: has missing values, which only series with times "
                "(start_datetime, and a freq that is known here) may have"
            )
        times = [times[row - origin.start] for row in whole]
    newest = whole[-version.reach.window :]
    history = {name: [values[row] for row in newest] for name, values in columns.values.items()}
    item: dict[str, object] = {
        "model": reference,
        "history": history if len(history) > 1 else history[columns.target],
        "horizon": asked.h,
    }
    if times is not None:
        item["timestamps"] = times[-len(newest) :]
    if levels := _levels(asked):
        item["levels"] = levels
    if columns.known:
        item["future"] = _future(asked, columns, origin)
    return item


def _times(asked: Asked, origin: Origin) -> list[str] | None:
    """Return the times of an origin's rows, if the request tells them."""
    starts, frequency = asked.series.start_datetime, frequency_of(asked.freq)
    if starts is None or frequency is None:
        return None
    if len(starts) != len(asked.series.sizes):
        raise InvalidRequest(
            f"start_datetime: has {len(starts)} times for {len(asked.series.sizes)} series"
        )
    return timestamps(starts[origin.series], frequency, origin.cut - origin.start)


def _future(asked: Asked, columns: Columns, origin: Origin) -> dict[str, list[float | None]]:
    """Return the columns known ahead for the steps after an origin."""
    if isinstance(asked, CrossValidationRequest):
        rows = slice(origin.cut, origin.cut + asked.h)
        return {name: list(columns.values[name][rows]) for name in columns.known}
    given = asked.series.X_future or []
    expected = asked.h * len(asked.series.sizes)
    if len(given) != len(columns.known) or any(len(values) != expected for values in given):
        raise InvalidRequest(
            f"X_future: needs {', '.join(columns.known)}, in this order, with {asked.h} values for "
            "each series"
        )
    start = origin.series * asked.h
    return {
        name: values[start : start + asked.h]
        for name, values in zip(columns.known, given, strict=True)
    }


def _levels(asked: Asked) -> list[int]:
    """Return the levels to ask for.

    Raises:
        InvalidRequest: one is not whole, or too low.
    """
    found = sorted({each for each in asked.level or () if each != NO_INTERVAL})
    for level in found:
        if level != int(level) or level < LOWEST_LEVEL:
            raise InvalidRequest(f"level: there are none for {level:g}, only whole % from 50 to 99")
    return [int(level) for level in found]


def bounds_of(asked: Asked, answers: Sequence[Answer]) -> dict[str, list[float | None]] | None:
    """Return the bounds of all steps, by the names that the client gives its columns."""
    if not asked.level:
        return None
    return {
        f"{side}-{level:g}": list(_bound(answers, int(level), end))
        for level in asked.level
        for side, end in (("lo", "low"), ("hi", "high"))
    }


def _bound(answers: Sequence[Answer], level: int, end: str) -> Iterator[float | None]:
    for answer in answers:
        for step in answer["predictions"]:
            if level == NO_INTERVAL:
                yield step["value"]
                continue
            intervals = {each["level"]: each for each in step["intervals"] or ()}
            yield intervals[level][end] if level in intervals else None


def warnings_of(origins: Sequence[Origin], answers: Sequence[Answer]) -> list[str]:
    """Return what weakens the forecasts, each warning once per series."""
    return list(
        dict.fromkeys(
            f"series {origin.series}: {warning}"
            for origin, answer in zip(origins, answers, strict=True)
            for warning in answer["warnings"]
        )
    )
