"""KServe's time series protocol: `POST /v1/timeseries/forecast`."""

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.requests import Request

from app.artifact.manifest import SeriesInput
from app.compat.asking import ask, version_of
from app.compat.timeseries.schemas import (
    MULTIVARIATE,
    UNIVARIATE,
    Forecast,
    ForecastAnswer,
    ForecastOutput,
    ForecastRequest,
    Options,
    SeriesGiven,
    Status,
    TimeSeriesError,
    TimeSeriesErrorAnswer,
    Usage,
)
from app.compat.timeseries.times import timestamps
from app.errors import Conflict, InvalidRequest, StepaheadError
from app.http.openapi import error_responses
from app.predictions.loaded import Loaded
from app.reading.series.frequency import split_frequency

PATH = "/v1/timeseries/"
router = APIRouter(tags=["KServe time series"])

# The frequency units that a letter may mean.
UNITS: dict[str, frozenset[str]] = {
    "S": frozenset({"s"}),
    "T": frozenset({"min"}),
    "H": frozenset({"h"}),
    "D": frozenset({"D", "B", "C"}),
    "W": frozenset({"W"}),
    "M": frozenset({"MS", "ME"}),
    "Q": frozenset({"QS", "QE"}),
    "Y": frozenset({"YS", "YE"}),
}
LOWEST_LEVEL, HIGHEST_LEVEL = 50, 99  # percent; levels of the intervals that /predict returns


def error_form(error: StepaheadError) -> tuple[int, dict[str, object]]:
    """Return status and body of an error response."""
    fields = [place.field for place in error.errors if place.field is not None]
    param = fields[0] if fields else None
    return error.status, {"error": _error(error.problem(), param).model_dump()}


def _error(problem: dict[str, Any], param: str | None) -> TimeSeriesError:
    return TimeSeriesError(
        code=str(problem["status"]),
        message=problem["detail"],
        param=param,
        type=problem["type"].rpartition("/")[2],
    )


@router.post(
    "/v1/timeseries/forecast",
    summary="Forecast several series",
    operation_id="timeseries_forecast",
    responses=error_responses(TimeSeriesErrorAnswer, 400, 403, 404, 413, 415, 422),
)
async def forecast(request: Request, asked: Annotated[ForecastRequest, Body()]) -> ForecastAnswer:
    """The forecasts of all series; if one fails, its output has its error and the others remain.

    A completed output means that its prediction is committed to the log under the output's id.
    Quantiles are the bounds of intervals: 0.1 and 0.9 are those of 80 %.
    """
    version = await version_of(request, asked.model)
    described = version.manifest.series
    if described is None:
        raise InvalidRequest(f"model: {version} continues texts; it does not forecast series")
    outputs: dict[int, ForecastOutput] = {}
    items: dict[int, dict[str, object]] = {}
    for place, given in enumerate(asked.inputs):
        try:
            items[place] = _item(asked, given, version, described)
        except InvalidRequest as error:
            outputs[place] = _failed(given, _error(error.problem(), given.name))
    answers = await ask(request, list(items.values())) if items else []
    for place, answer in zip(items, answers, strict=True):
        outputs[place] = _output(asked.inputs[place], asked.options, answer, described)
    return _answer(request, asked, [outputs[place] for place in range(len(asked.inputs))])


def _item(
    asked: ForecastRequest, given: SeriesGiven, version: Loaded, described: SeriesInput
) -> dict[str, object]:
    """Return the item of `POST /predict/batch` for a series.

    Raises:
        InvalidRequest: the series or the options do not fit the version.
    """
    item: dict[str, object] = {
        "model": asked.model,
        "history": _history(given, version, described),
        "horizon": asked.options.horizon,
    }
    if given.name:
        item["series"] = given.name
    if asked.options.quantiles:
        item["levels"] = _levels(asked.options, asked.options.quantiles, version, described)
    if given.start_timestamp is not None:
        item["timestamps"] = timestamps(given.start_timestamp, given.letter, len(given.series))
    return item


def _levels(
    options: Options, quantiles: Sequence[float], version: Loaded, described: SeriesInput
) -> list[int]:
    """Return the levels whose bounds are these quantiles.

    Raises:
        InvalidRequest: the version does not have them for every step.
    """
    levels = {level_of(quantile) for quantile in quantiles}
    if described.intervals is None:
        why = described.intervals_missing or "it was trained before versions had them"
        raise InvalidRequest(f"quantiles: {version} has no intervals: {why}")
    last = min(described.intervals.steps, version.manifest.horizon)
    if options.horizon > last:
        raise InvalidRequest(
            f"quantiles: {version} has intervals up to step {last}, and the horizon is "
            f"{options.horizon}; ask for fewer steps, or without quantiles"
        )
    return sorted(levels)


def _history(
    given: SeriesGiven, version: Loaded, described: SeriesInput
) -> list[float] | dict[str, list[float]]:
    columns = [feature.name for feature in described.features]
    values: list[Any] = given.series
    if given.type == UNIVARIATE:
        if isinstance(values[0], list):
            raise InvalidRequest(f"series: a {UNIVARIATE} is a list of numbers")
        if len(columns) > 1:
            raise InvalidRequest(
                f"type: {version} reads the columns {', '.join(columns)}; send a {MULTIVARIATE} "
                "with one list per time, its values in this order"
            )
        return values
    for row, step in enumerate(values):
        if not isinstance(step, list) or len(step) != len(columns):
            raise InvalidRequest(
                f"series.{row}: {version} reads the columns {', '.join(columns)}; each time needs "
                f"a list of {len(columns)} numbers, in this order"
            )
    by_column = {name: [step[place] for step in values] for place, name in enumerate(columns)}
    return by_column if len(columns) > 1 else by_column[columns[0]]


def level_of(quantile: float) -> int:
    """Return the level of the interval that a quantile bounds.

    Raises:
        InvalidRequest: it bounds none.
    """
    exact = 100 * abs(1 - 2 * quantile)
    level = round(exact)
    if abs(exact - level) > 1e-9 or not LOWEST_LEVEL <= level <= HIGHEST_LEVEL:
        raise InvalidRequest(
            f"quantiles: there is none for {quantile:g}; they are the bounds of intervals of 50 to "
            "99 %, from 0.005 to 0.25 and from 0.75 to 0.995 in steps of 0.005. mean_forecast is "
            "the point forecast"
        )
    return level


def _output(
    given: SeriesGiven, options: Options, answer: dict[str, Any], described: SeriesInput
) -> ForecastOutput:
    if "error" in answer:
        return _failed(given, _error(answer["error"], given.name))
    steps: list[dict[str, Any]] = answer["predictions"]
    quantiles: dict[str, list[float]] = {}
    for quantile in options.quantiles or ():
        level, end = level_of(quantile), "low" if quantile < 1 / 2 else "high"
        bounds = [
            interval[end]
            for step in steps
            for interval in step["intervals"] or ()
            if interval["level"] == level
        ]
        if len(bounds) < len(steps):  # the alias has just moved to a version with fewer
            message = f"quantiles: there are none after step {len(bounds)}; try again"
            return _failed(given, _error(Conflict(message).problem(), "quantiles"))
        quantiles[str(quantile)] = bounds
    return ForecastOutput(
        id=answer["id"],
        status="completed",
        content=[
            Forecast(
                name=given.name,
                mean_forecast=[step["value"] for step in steps],
                frequency=given.frequency,
                start_timestamp=steps[0]["timestamp"] or _next_time(given),
                quantiles=quantiles or None,
                column=described.target,
            )
        ],
        warnings=[*answer["warnings"], *_other_frequency(given, described)],
    )


def _next_time(given: SeriesGiven) -> str:
    """Return the time of the first forecast, by the request's own frequency."""
    if given.start_timestamp is None:
        return ""
    try:
        return timestamps(given.start_timestamp, given.letter, len(given.series) + 1)[-1]
    except InvalidRequest:  # after the year 9999
        return ""


def _other_frequency(given: SeriesGiven, described: SeriesInput) -> list[str]:
    """Return a warning if a series without times has another frequency than the version."""
    if given.start_timestamp is not None or described.frequency is None:
        return []
    count, unit = split_frequency(described.frequency)
    if count == 1 and unit in UNITS[given.letter]:
        return []
    return [
        f"the frequency {given.frequency} is not that of the training data, {described.frequency}"
    ]


def _failed(given: SeriesGiven, error: TimeSeriesError) -> ForecastOutput:
    return ForecastOutput(id=given.name, status="error", content=[], error=error)


def _answer(
    request: Request, asked: ForecastRequest, outputs: Sequence[ForecastOutput]
) -> ForecastAnswer:
    failed = [output for output in outputs if output.status == "error"]
    status: Status = "completed"
    if failed:
        status = "error" if len(failed) == len(outputs) else "partial"
    read = sum(
        len(step) if isinstance(step, list) else 1
        for given in asked.inputs
        for step in given.series
    )
    made = sum(len(content.mean_forecast) for output in outputs for content in output.content)
    return ForecastAnswer(
        id=request.scope["request_id"],
        created_at=int(time.time()),
        status=status,
        error=failed[0].error if status == "error" else None,
        model=asked.model,
        outputs=list(outputs),
        usage=Usage(prompt_tokens=read, completion_tokens=made, total_tokens=read + made),
    )
