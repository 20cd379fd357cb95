"""Forecasts of many series: a frame's in batches, a dataset's in one run of the service."""

import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from stepahead.connection import BUSY, RETRIES, Connection, Json
from stepahead.errors import ForecastFailed, ForecastWarning, StepaheadError
from stepahead.frames import ID, TIME, VALUE, Series, read, series_in, write

MOST_ITEMS = 1000  # of a batch
MOST_VALUES = 200_000  # of a batch: about 4 MB of JSON
BUSY_SECONDS = 1.0
CHAMPION = "champion"
MOST_RUNS = 100  # newest ones, among which the run's warnings are looked up
RUN_HEADER = "X-Run-Id"


class Asked(NamedTuple):
    """A series to be forecast."""

    id: object  # None: the only one of a frame without ids
    question: Json  # of `POST /predict`
    size: int  # values that are sent
    last_step: int | None = None  # of times that are whole numbers


def forecast(connection: Connection, data: Any, question: Json) -> Any:  # noqa: ANN401
    """Return the forecasts of a frame's series, or of a dataset's.

    Args:
        connection: to the service.
        data: a frame, or a dataset's id.
        question: the fields sent for each series: `model`, and `horizon` and `levels` if given.

    Raises:
        ForecastFailed: some series could not be forecast.
    """
    if isinstance(data, str):
        return _of_dataset(connection, data, question)
    known = read(data)
    every = _of_frame(connection, list(series_in(known)), question)
    name = question["model"].partition("@")[0]
    rows: dict[str, list[Any]] = {column: [] for column in _columns(name, question)}
    problems: dict[object, Mapping[str, Any]] = {}
    notes: Counter[str] = Counter()
    for asked, answer in zip(every, _answers(connection, every), strict=True):
        if "error" in answer:
            problems[asked.id] = answer["error"]
            continue
        notes.update(answer["warnings"])
        _add(rows, name, asked, answer["predictions"])
    _warn(notes)
    return _result(write(rows, known), problems)


def _of_frame(connection: Connection, every: Sequence[Series], question: Json) -> list[Asked]:
    has_more_columns = bool(every) and len(every[0].columns) > 1
    target = _target(connection, question["model"]) if has_more_columns else VALUE
    found = []
    for series in every:
        values = series.columns[VALUE]
        columns = {target: values, **{k: v for k, v in series.columns.items() if k != VALUE}}
        own: Json = {"history": columns if has_more_columns else values}
        if series.id is not None:
            own["series"] = str(series.id)
        if not series.has_steps:
            own["timestamps"] = series.timestamps()
        last_step = series.times[-1] if series.has_steps else None
        size = len(values) * (1 + len(series.columns))
        found.append(Asked(series.id, question | own, size, last_step))
    return found


def _of_dataset(connection: Connection, dataset: str, question: Json) -> Any:  # noqa: ANN401
    """Return the forecasts of all series of a dataset, which the service makes in one run.

    Raises:
        ForecastFailed: some series could not be forecast.
    """
    order = {"dataset": dataset, **question}
    model = order.pop("model")
    name = model.partition("@")[0]
    path = f"/models/{quote(model, safe='@')}/forecast"
    table, headers = connection.post_for_table(path, order)
    rows: dict[str, list[Any]] = {column: [] for column in _columns(name, question)}
    problems: dict[object, Mapping[str, Any]] = {}
    for row in table:
        series = row[ID] or None
        if row["error"]:
            problems[series] = {"title": "Not forecast", "status": 422, "detail": row["error"]}
            continue
        rows[ID].append(series)
        rows[TIME].append(row[TIME] or None)
        for column in list(rows)[2:]:
            rows[column].append(float(row[column]) if row[column] else None)
    listed = connection.get(f"/models/{quote(name, safe='')}/forecasts", limit=MOST_RUNS)["items"]
    for run in listed:
        if run["id"] == headers[RUN_HEADER]:
            _warn({told["message"]: told["series"] for told in run["warnings"]})
    return _result(write(rows, None), problems)


def _columns(name: str, question: Json) -> list[str]:
    """Return the columns of the forecasts."""
    ends = [f"{name}-{end}-{level}" for level in question.get("levels", ()) for end in ("lo", "hi")]
    return [ID, TIME, name, *ends]


def _warn(notes: Mapping[str, int]) -> None:
    for note, count in notes.items():
        warnings.warn(f"{count} series: {note}", ForecastWarning, stacklevel=5)


def _result(forecasts: Any, problems: Mapping[object, Mapping[str, Any]]) -> Any:  # noqa: ANN401
    if problems:
        raise ForecastFailed(problems, forecasts)
    return forecasts


def _target(connection: Connection, model: str) -> str:
    """Return the column of a version that `y` stands for."""
    name, _, version = model.partition("@")
    path = f"/models/{quote(name, safe='')}"
    if not version.isdigit():
        aliases = connection.get(path)["aliases"]
        version = str(aliases.get(version or CHAMPION, version))
    found = connection.get(f"{path}/versions/{quote(version, safe='')}")
    series = found["manifest"]["series"]
    if series is None:
        raise StepaheadError(f"{model} continues texts; it does not forecast series")
    return str(series["target"])


def _answers(connection: Connection, every: Sequence[Asked]) -> Iterator[Json]:
    """Yield the answers in order; items the service was too busy for are sent again."""
    for batch in _batches(every):
        answers: dict[int, Json] = {}
        open_places = list(range(len(batch)))
        for tries_left in reversed(range(RETRIES)):
            items = [batch[place].question for place in open_places]
            found = connection.post("/predict/batch", {"items": items})["items"]
            answers |= dict(zip(open_places, found, strict=True))
            open_places = [
                place
                for place, answer in answers.items()
                if answer.get("error", {}).get("status") in BUSY
            ]
            if not open_places or not tries_left:
                break
            time.sleep(BUSY_SECONDS)
        yield from (answers[place] for place in range(len(batch)))


def _batches(every: Sequence[Asked]) -> Iterator[list[Asked]]:
    batch: list[Asked] = []
    size = 0
    for asked in every:
        if batch and (len(batch) >= MOST_ITEMS or size + asked.size > MOST_VALUES):
            yield batch
            batch, size = [], 0
        batch.append(asked)
        size += asked.size
    if batch:
        yield batch


def _add(rows: dict[str, list[Any]], name: str, asked: Asked, predictions: Sequence[Json]) -> None:
    """Add the steps of a forecast to the columns."""
    for prediction in predictions:
        step, at = prediction["step"], prediction["timestamp"]
        rows[ID].append(asked.id)
        rows[TIME].append(at if asked.last_step is None else asked.last_step + step)
        rows[name].append(prediction["value"])
        bounds = {
            f"{name}-{end}-{interval['level']}": interval[key]
            for interval in prediction["intervals"] or ()
            for end, key in (("lo", "low"), ("hi", "high"))
        }
        for column in list(rows)[3:]:
            rows[column].append(bounds.get(column))
