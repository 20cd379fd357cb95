"""Forecasts of many series, in batches of `POST /predict/batch`."""

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
        known, every = None, _of_dataset(connection, data, question)
    else:
        known = read(data)
        every = _of_frame(connection, list(series_in(known)), question)
    name, levels = question["model"].partition("@")[0], question.get("levels", ())
    ends = [f"{name}-{end}-{level}" for level in levels for end in ("lo", "hi")]
    rows: dict[str, list[Any]] = {column: [] for column in (ID, TIME, name, *ends)}
    problems: dict[object, Mapping[str, Any]] = {}
    notes: Counter[str] = Counter()
    for asked, answer in zip(every, _answers(connection, every), strict=True):
        if "error" in answer:
            problems[asked.id] = answer["error"]
            continue
        notes.update(answer["warnings"])
        _add(rows, name, asked, answer["predictions"])
    for note, count in notes.items():
        warnings.warn(f"{count} series: {note}", ForecastWarning, stacklevel=3)
    forecasts = write(rows, known)
    if problems:
        raise ForecastFailed(problems, forecasts)
    return forecasts


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


def _of_dataset(connection: Connection, dataset: str, question: Json) -> list[Asked]:
    report = connection.get(f"/datasets/{quote(dataset, safe='')}")["report"]
    labels = [series["label"] for series in report["series"]]
    count = report["series_count"]
    if count > len(labels):
        raise StepaheadError(
            f"dataset {dataset} has {count} series and the service names only {len(labels)} of "
            "them; give a frame instead of the dataset"
        )
    if not report["series_columns"]:
        return [Asked(None, question | {"dataset": dataset}, 1)]
    return [Asked(label, question | {"dataset": dataset, "series": label}, 1) for label in labels]


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
