"""Ask `universal`, which forecasts any series: check a request, and read its history."""

import numpy as np

from app.errors import FieldError, Unprocessable
from app.forecasting.frequencies import default_horizon
from app.predictions.histories.future import future_of
from app.predictions.histories.words import in_features
from app.predictions.loaded import Loaded
from app.predictions.schemas import TEXT_FIELDS, PredictRequest
from app.predictions.series import TOO_LARGE, costs
from app.predictions.times import read_timestamps
from app.predictions.universal.answering import AnyQuestion
from app.predictions.universal.history import History, read_history

# Forecasts were measured on histories from this length on (benchmarks/zero_shot.py).
SURE_VALUES = 12
SURE_SEASONS = 2
# Finding the season in 1,024 values takes about 0.5 ms.
SEASON_SECONDS = 5e-4


def ask(version: Loaded, request: PredictRequest) -> AnyQuestion:
    """Turn a request into a question.

    Raises:
        Unprocessable: a field does not fit the version; each is named.
    """
    if not TEXT_FIELDS.isdisjoint(request.model_fields_set):
        raise _texts(version, request)
    values = _column(version, request)
    least = version.manifest.min_history
    if len(values) < least:
        raise Unprocessable.at(
            "history",
            f"has {len(values)} values; {version} needs at least {least} (its min_history)",
        )
    stamps = None
    if request.timestamps is not None:
        stamps = read_timestamps(request.timestamps, rows=len(values))
    future_of(version, request.future, 1, [])  # which it has not
    history = read_history(values, stamps, window=version.reach.window)
    described = version.manifest.series
    if described is not None and np.nanmax(np.abs(history.values)) > described.features[0].high:
        raise Unprocessable.at("history", TOO_LARGE)
    horizon = version.manifest.horizon
    steps = request.horizon or default_horizon(history.frequency)
    levels = tuple(sorted(set(request.levels or ())))
    answer_size, seconds, added_seconds = costs(version, steps, values=steps * (1 + len(levels)))
    finding = SEASON_SECONDS if history.periods is None else 0.0
    return AnyQuestion(
        version,
        history,
        steps,
        stamps,
        levels,
        _warnings(history, steps, horizon, has_levels=bool(levels)),
        answer_size,
        seconds + finding,
        added_seconds + finding,
    )


def _column(version: Loaded, request: PredictRequest) -> list[float]:
    """Return the values of the only column."""
    history = request.history
    if history is None:
        raise Unprocessable.at(
            "history",
            "is required (the values so far, oldest first), or a dataset in its place",
        )
    if isinstance(history, list):
        return history
    if len(history) > 1:
        raise Unprocessable.at(
            "history",
            f"has the columns {', '.join(history)}; {version} forecasts one series from its own "
            "values: send the column to forecast",
        )
    return next(iter(in_features(version, history, "history", []).values()))


def _texts(version: Loaded, request: PredictRequest) -> Unprocessable:
    foreign = sorted(TEXT_FIELDS & request.model_fields_set)
    hint = "" if "model" in request.model_fields_set else "; name a text model in `model`"
    return Unprocessable(
        f"{version} forecasts a series: it takes history, not {', '.join(foreign)}{hint}",
        errors=tuple(
            FieldError(field=name, message=f"belongs to text; {version} forecasts a series{hint}")
            for name in foreign
        ),
    )


def _warnings(history: History, steps: int, horizon: int, *, has_levels: bool) -> tuple[str, ...]:
    """Return what weakens an answer, as far as the request shows it."""
    warnings = list(history.warnings)
    if history.known < SURE_VALUES:
        warnings.append(
            f"the history has {history.known} values: a forecast from fewer than {SURE_VALUES} is "
            "unsure"
        )
    elif history.periods is not None:
        season = history.periods[0]
        if season and len(history.values) < SURE_SEASONS * season:
            warnings.append(
                f"the history has {len(history.values)} steps, less than {SURE_SEASONS} seasons of "
                f"{season}: its season is unsure"
            )
    if np.nanmin(history.values) == np.nanmax(history.values):
        warnings.append("all values of the history are equal, so the intervals have no width")
    if steps > horizon:
        warnings.append(
            f"horizon {steps} is past the {horizon} steps forecast at once: forecasts are fed back"
            + (", and intervals grow as they did up to there" if has_levels else "")
        )
    return tuple(warnings)
