"""`stepahead.Client`: predictions, forecasts of whole frames, trainings and actual values."""

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from stepahead.connection import Connection, Json
from stepahead.forecasting import forecast
from stepahead.frames import ID, TIME, VALUE, iso_times, read, series_in
from stepahead.job import Job

MOST_ACTUALS = 10_000  # in one call


class Client:
    """A service at an address.

    Its methods raise `Refused` if the service answers with a problem, and `NotReachable` if
    nothing answers.

    Args:
        url: address of the service.
        key: sent as a bearer token; by default STEPAHEAD_API_KEY of the environment.
        transport: for tests.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._connection = Connection(url, key=key, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def predict(self, model: str, **question: Any) -> Json:  # noqa: ANN401
        """Return the answer of `POST /predict`.

        Args:
            model: `name` (its champion), `name@alias` or `name@3`.
            question: the other fields of the request: `history`, `horizon`, `levels`, `text` …
        """
        return self._connection.post("/predict", {"model": model, **question})

    def forecast(
        self,
        data: Any,  # noqa: ANN401 - a dataset's id, or pandas, polars, what else narwhals knows
        *,
        model: str,
        horizon: int | None = None,
        levels: Sequence[int] = (),
    ) -> Any:  # noqa: ANN401
        """Return the forecasts of all series of a frame, in a frame of the same kind.

        The columns are `unique_id` if the frame has it, `ds`, the model's name, and for each level
        `NAME-lo-80` and `NAME-hi-80`. Anything that weakens the forecasts is a
        `ForecastWarning`.

        Args:
            data: a frame with `ds` and `y`, `unique_id` for several series, and the version's other
                columns; or the id of a dataset, for which the answer is a pandas frame. A dataset
                is forecast in one run, logged once, and actual values are not joined to it.
            model: `name` (its champion), `name@alias` or `name@3`.
            horizon: steps ahead; None: as many as the version was trained for.
            levels: of the intervals, in percent.

        Raises:
            ForecastFailed: some series could not be forecast; it carries the others' forecasts.
            ValueError: the frame lacks a column, or has values that are not numbers.
        """
        options = {"horizon": horizon, "levels": list(levels) or None}
        given = {name: value for name, value in options.items() if value is not None}
        return forecast(self._connection, data, {"model": model, **given})

    def train(
        self,
        data: Any,  # noqa: ANN401 - a path or a frame
        *,
        name: str,
        target: str | None = None,
        read_options: Mapping[str, Any] | None = None,
        **recipe: Any,  # noqa: ANN401
    ) -> Job:
        """Train a version in the background; `.wait(progress=True)` returns when it is done.

        Args:
            data: a file, or a frame with `ds`, `y` and, for several series, `unique_id`.
            name: of the model.
            target: the column to forecast; of a frame it is `y`.
            read_options: how to read a file, as in `read` of `POST /datasets`.
            recipe: `preset`, `horizon`, `epochs` and so on; the service chooses the rest.
        """
        options = dict(read_options or {})
        if not isinstance(data, (str, Path)):
            known = read(data)
            target = target or VALUE
            named = {"date": TIME, "series": ID}
            options |= {key: column for key, column in named.items() if column in known.columns}
        fields = {
            "target": target,
            "recipe": json.dumps(recipe) if recipe else None,
            "read": json.dumps(options) if options else None,
        }
        given = {field: value for field, value in fields.items() if value is not None}
        path = f"/models/{quote(name, safe='')}/train"
        if isinstance(data, (str, Path)):
            with Path(data).open("rb") as file:
                job = self._connection.post_form(path, given, {"file": (Path(data).name, file)})
        else:
            csv = io.BytesIO(known.write_csv().encode())
            job = self._connection.post_form(path, given, {"file": (f"{name}.csv", csv)})
        return Job(self._connection, job)

    def actuals(self, frame: Any, *, model: str) -> Json:  # noqa: ANN401
        """Tell the service what was observed: `ds` and `y`, with `unique_id` for several series.

        Returns:
            How many values are `new`, `changed` and `unchanged`, and `matching` forecasts.
        """
        known = read(frame)
        columns = [name for name in (ID, TIME, VALUE) if name in known.columns]
        items: list[Json] = []
        for series in series_in(known.select(columns)):
            about: Json = {"model": model}
            if series.id is not None:
                about["series"] = str(series.id)
            values = zip(iso_times(series.times), series.columns[VALUE], strict=True)
            items += [about | {"timestamp": at, "value": value} for at, value in values]
        counts: Counter[str] = Counter()
        for start in range(0, len(items), MOST_ACTUALS):
            part = items[start : start + MOST_ACTUALS]
            counts.update(self._connection.post("/actuals", {"items": part}))
        return dict(counts)
