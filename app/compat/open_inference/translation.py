"""Translate tensors to items of `POST /predict/batch`, and their answers to tensors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import SeriesInput
from app.compat.asking import error_of
from app.compat.open_inference.description import (
    FORECAST,
    HORIZON,
    LARGEST_FLOAT,
    LEVELS,
    SEED,
    SERIES,
    STEPS,
    TEMPERATURE,
    TEXT,
    TIMESTAMPS,
    columns_of,
)
from app.compat.open_inference.tensors import BYTES, Tensor, WantedOutput
from app.errors import InvalidRequest, StepaheadError, Unprocessable
from app.predictions.loaded import Loaded

BOUND = re.compile(r"(lo|hi)-(?P<level>\d\d)")
Item = dict[str, object]
Answer = Mapping[str, Any]


def items_of(
    version: Loaded,
    reference: str,
    tensors: Mapping[str, Tensor],
    wanted: Sequence[WantedOutput],
    *,
    rows: int,
) -> list[Item]:
    """Return the item for each row.

    Args:
        version: the version whose inputs these are.
        reference: the name by which the client asked for it.
        tensors: the inputs, already checked.
        wanted: outputs that the client asks for; a bound of an interval asks for its level.
        rows: number of rows.

    Raises:
        InvalidRequest: the version has no such output.
    """
    series = version.manifest.series
    if series is None:
        _check_outputs(version, wanted, {TEXT})
        items: list[Item] = [{"model": reference, "text": text} for text in tensors[TEXT].values]
        options = _single(tensors, STEPS) | _single(tensors, TEMPERATURE) | _single(tensors, SEED)
    else:
        levels = _levels(version, series, tensors, wanted)
        histories = _histories(series, tensors, rows=rows)
        items = [{"model": reference, "history": history} for history in histories]
        for name in {TIMESTAMPS, SERIES} & (tensors.keys() - columns_of(series).keys()):
            for item, own in zip(items, tensors[name].values.tolist(), strict=True):
                item[name] = own
        options = {} if HORIZON in columns_of(series) else _single(tensors, HORIZON)
        options |= {LEVELS: levels} if levels else {}
    return [item | options for item in items]


def _single(tensors: Mapping[str, Tensor], name: str) -> Item:
    """Return the value of an option, which has one element."""
    return {name: tensors[name].values.item()} if name in tensors else {}


def _histories(
    series: SeriesInput, tensors: Mapping[str, Tensor], *, rows: int
) -> list[list[float]] | list[dict[str, list[float]]]:
    values = {
        column: tensors[name].values.astype(np.float64).tolist()
        for name, column in columns_of(series).items()
    }
    if len(values) == 1:
        only: list[list[float]] = next(iter(values.values()))
        return only
    return [{column: own[row] for column, own in values.items()} for row in range(rows)]


def _levels(
    version: Loaded,
    series: SeriesInput,
    tensors: Mapping[str, Tensor],
    wanted: Sequence[WantedOutput],
) -> list[int]:
    bounds = {output.name: BOUND.fullmatch(output.name) for output in wanted}
    known = {FORECAST, *(name for name, bound in bounds.items() if bound is not None)}
    if TIMESTAMPS in tensors:
        known.add(TIMESTAMPS)
    _check_outputs(version, wanted, known)
    levels = {int(bound["level"]) for bound in bounds.values() if bound is not None}
    if levels and series.intervals is None:
        why = series.intervals_missing or "it was trained before versions had them"
        raise InvalidRequest(f"{version} has no intervals, so no lo- and hi- outputs: {why}")
    if LEVELS in tensors and LEVELS not in columns_of(series):
        levels |= set(tensors[LEVELS].values.tolist())
    return sorted(levels)


def _check_outputs(version: Loaded, wanted: Sequence[WantedOutput], known: set[str]) -> None:
    is_series = version.manifest.series is not None
    for output in wanted:
        if output.name not in known:
            right = "forecast, lo-80, hi-80 (any level from 50 to 99), timestamps (where given)"
            raise InvalidRequest(
                f"{version} has no output {output.name[:100]!r}; it gives "
                f"{right if is_series else TEXT}"
            )
        for parameter in ("classification", "shared_memory_region"):
            if parameter in output.parameters:
                raise InvalidRequest(
                    f"output {output.name!r}: the parameter {parameter} is not supported"
                )


def refuse_failed_rows(answers: Sequence[Answer]) -> None:
    """Refuse the request if one of its rows failed.

    Raises:
        StepaheadError: the first failed row's error, with the row and how many others failed.
    """
    failed = [row for row, answer in enumerate(answers) if "error" in answer]
    if not failed:
        return
    error = error_of(answers[failed[0]]["error"])
    detail = f"row {failed[0]}: {error.detail}"
    if len(failed) > 1:
        detail += f"; and {len(failed) - 1} more of {len(answers)} rows failed"
    raise _said(error, detail)


def _said(error: StepaheadError, detail: str) -> StepaheadError:
    """Return an error with another message; one about the request is a 400, as in the protocol."""
    if isinstance(error, Unprocessable):
        return InvalidRequest(detail)
    error.detail = detail
    return error


def outputs_from(answers: Sequence[Answer], wanted: Sequence[WantedOutput]) -> list[Tensor]:
    """Return the outputs of all rows, or only those that are wanted.

    Raises:
        InvalidRequest: a wanted output could not be given.
    """
    if answers[0]["kind"] == "text":
        made = [Tensor(TEXT, BYTES, _objects([answer["text"] for answer in answers]))]
    else:
        made = _series_outputs([answer["predictions"] for answer in answers])
    if not wanted:
        return made
    by_name = {tensor.name: tensor for tensor in made}
    for output in wanted:
        if output.name not in by_name:
            raise InvalidRequest(
                f"output {output.name!r} could not be given: {warnings_in(answers)}"
            )
    return [by_name[output.name] for output in wanted]


def _series_outputs(forecasts: Sequence[Sequence[Mapping[str, Any]]]) -> list[Tensor]:
    """Return forecasts, bounds (NaN for steps without one) and the times of the steps."""
    values = [[step["value"] for step in steps] for steps in forecasts]
    made = [Tensor(FORECAST, LARGEST_FLOAT, np.array(values))]  # (rows, horizon)
    bounds: dict[str, npt.NDArray[np.float64]] = {}
    for row, steps in enumerate(forecasts):
        for place, step in enumerate(steps):
            for interval in step["intervals"] or ():
                for side, end in (("lo", "low"), ("hi", "high")):
                    name = f"{side}-{interval['level']}"
                    if name not in bounds:
                        bounds[name] = np.full((len(forecasts), len(steps)), np.nan)
                    bounds[name][row, place] = interval[end]
    made += [Tensor(name, LARGEST_FLOAT, bound) for name, bound in bounds.items()]
    times = [[step["timestamp"] for step in steps] for steps in forecasts]
    if all(time is not None for own in times for time in own):
        made.append(Tensor(TIMESTAMPS, BYTES, _objects(times)))
    return made


def _objects(texts: Sequence[object]) -> npt.NDArray[Any]:
    return np.array(texts, dtype=object)


def warnings_in(answers: Sequence[Answer]) -> str:
    """Return what weakens these answers, one line each."""
    return "\n".join(
        f"row {row}: {warning}"
        for row, answer in enumerate(answers)
        for warning in answer["warnings"]
    )


def parameters_of(answers: Sequence[Answer]) -> dict[str, object]:
    """Return the other parts of the answers; the protocol allows no lists here."""
    parameters: dict[str, object] = {
        "prediction_ids": ",".join(answer["id"] for answer in answers),
    }
    for name in ("skill", "baseline"):
        if answers[0].get(name) is not None:
            parameters[name] = answers[0][name]
    warnings = warnings_in(answers)
    return parameters | ({"warnings": warnings} if warnings else {})
