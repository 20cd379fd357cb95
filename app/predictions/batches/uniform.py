"""Answer batches of uniform questions: only a history each, all for one version.

They stay in columns from the request's JSON to the rows of the log. Item by item, like other
requests, each of 256 series took 54 us of the api's core (LSTM(64), 60 values), 33 of them for ONNX
Runtime; in columns it takes 46 us (November 2026, two callers).
"""

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Annotated, NotRequired

import numpy as np
from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from app.errors import Unprocessable
from app.predictions.batches.items import cut_items
from app.predictions.batching import Inferred, Run
from app.predictions.graph_runs import Floats, forecast, outside, packed
from app.predictions.loaded import ROWS_PER_RUN, Loaded
from app.predictions.logged.rows import Rows
from app.predictions.questions import Reply, Work
from app.predictions.repeated_keys import batch_may_have_repeated_keys
from app.predictions.schemas import MAX_ITEMS, Numbers, Reference, SeriesName
from app.predictions.series import FORECAST_SECONDS, TOO_LARGE, parts_shown, steps_shown
from app.storage.ids import new_wire_id

MIN_ROWS = ROWS_PER_RUN  # fewer items do better in a run with other requests
# Of all items together. They take 100 bytes each; more at once were not faster and fill memory.
MAX_FORECASTS = 100_000
HOLE = "\0"  # does not occur in answers


@with_config(ConfigDict(extra="forbid", strict=True))
class AlikeItem(TypedDict):
    """A question that may be part of a block; any other field excludes it."""

    model: Reference
    history: Numbers
    series: NotRequired[SeriesName | None]


@with_config(ConfigDict(extra="forbid", strict=True))
class AlikeBatch(TypedDict):
    """A batch of such questions."""

    items: Annotated[list[AlikeItem], FailFast(), Field(max_length=MAX_ITEMS)]


read_batch = TypeAdapter(AlikeBatch).validator.validate_json


class Block(Run):
    """Uniform questions from one request."""

    def __init__(
        self,
        version: Loaded,
        items: Sequence[AlikeItem],
        requests: Sequence[bytes],
        *,
        request_id: str,
        alias: str | None,
        key: str | None,
        answer: Callable[[Sequence[Reply]], None],
        is_gone: Callable[[], bool],
    ) -> None:
        """Take questions that `fits` has accepted for the version.

        Args:
            version: the version that is asked.
            items: the questions.
            requests: the original JSON of each.
            request_id: of the request.
            alias: by which the request named the version.
            key: name of the caller's key.
            answer: called once, with a reply for each.
            is_gone: whether the caller has disconnected.
        """
        super().__init__(version)
        self.rows = len(items)
        self.size = sum(map(len, requests))
        self.answer_size = self.rows * version.manifest.horizon
        shown = self.answer_size * FORECAST_SECONDS
        self.seconds = version.run_seconds + (self.rows - 1) * version.row_seconds + shown
        self.added_seconds = self.seconds
        self._items = items
        self._requests = requests
        self._request_id = request_id
        self._alias = alias
        self._key = key
        self._reply = answer
        self._is_gone = is_gone

    def work(self) -> Work[Inferred]:
        """Compute the answers and the rows of the log."""
        version, count = self.version, self.rows
        width = version.manifest.window or 0
        histories = [item["history"] for item in self._items]
        if max(map(len, histories)) > width:
            histories = [history[-width:] for history in histories]
        columns = packed(histories)  # (rows, window)
        forecasts = yield from forecast(version, columns[:, :, np.newaxis])  # (rows, horizon)
        identifiers = [new_wire_id() for _ in self._items]
        responses = _responses(
            version, list(map(str, identifiers)), forecasts, _warnings(version, columns)
        )
        rows = Rows(
            ids=identifiers,
            request_ids=[self._request_id] * count,
            models=[version.model] * count,
            versions=[version.number] * count,
            aliases=[self._alias] * count,
            kinds=[version.manifest.kind] * count,
            series=[item.get("series") for item in self._items],
            requests=self._requests,
            responses=responses,
            keys=[self._key] * count,
        )
        without = set(np.flatnonzero(~np.isfinite(forecasts).all(axis=1)).tolist())
        if not without:
            return Inferred(responses, rows)
        replies = [
            Unprocessable.at("history", TOO_LARGE) if number in without else response
            for number, response in enumerate(responses)
        ]
        has_answer = [number not in without for number in range(count)]
        kept = Rows._make([list(compress(column, has_answer)) for column in rows])
        return Inferred(replies, kept if kept.ids else None)

    def answer(self, replies: Sequence[Reply]) -> None:
        """Answer all items at once."""
        self._reply(replies)

    def is_abandoned(self) -> bool:
        """Return whether the caller has disconnected."""
        return self._is_gone()


def alike_items(body: bytes) -> tuple[list[AlikeItem], list[bytes]] | None:
    """Return the items of a batch that are uniform, and the original JSON of each.

    None for a batch that is small, in which an item asks for more, or in which something is
    invalid: it is read item by item.
    """
    count = body.count(b"{") - 1  # neither the items nor their strings contain further braces
    if count < MIN_ROWS:
        return None
    try:
        batch: AlikeBatch = read_batch(body)
    except ValidationError:
        return None
    items = batch["items"]
    if len(items) != count or len({item["model"] for item in items}) > 1:
        return None
    # The keys of each item, the model's name, and for some the name of the series.
    names = sum([item.get("series") is not None for item in items])
    strings = sum(map(len, items)) + len(items) + names
    if batch_may_have_repeated_keys(body, strings=strings):
        return None
    requests = cut_items(body, len(items))
    return None if requests is None else (items, requests)


def fits(version: Loaded, items: Sequence[AlikeItem]) -> bool:
    """Return whether a version can answer each of these histories unchanged, in one go."""
    manifest = version.manifest
    if manifest.series is None or manifest.window is None or version.numbers:
        return False
    if len(manifest.series.columns_read) > 1 or manifest.series.periods:
        return False
    least = max(manifest.window, manifest.min_history)
    return len(items) * manifest.horizon <= MAX_FORECASTS and (
        min([len(item["history"]) for item in items]) >= least
    )


def _warnings(version: Loaded, columns: Floats) -> list[bytes]:
    """Return the warnings of each row of (rows, window), as JSON."""
    warnings = [b"[]"] * len(columns)
    if version.manifest.series is not None:
        for row, message in outside(version.manifest.series, columns[:, np.newaxis]):
            warnings[row] = to_json([message])
    return warnings


def _responses(
    version: Loaded, identifiers: list[str], forecasts: Floats, warnings: list[bytes]
) -> list[bytes]:
    """Return the answers' JSON, which only differ in id, values of steps and warnings."""
    horizon = forecasts.shape[1]
    outcome = parts_shown(version, steps_shown([HOLE] * horizon), HOLE)
    form = to_json(version.whole_answer(HOLE, outcome))
    form = form.replace(b"%", b"%%").replace(to_json(HOLE), b"%b")
    values = iter(_separate(forecasts.ravel().tolist()))
    steps = zip(*[values] * horizon, strict=True)
    return [
        form % (identifier, *own, warning)
        for identifier, own, warning in zip(_separate(identifiers), steps, warnings, strict=True)
    ]


def _separate(values: list[float] | list[str]) -> list[bytes]:
    """Return the JSON of each number or id."""
    return to_json(values)[1:-1].split(b",")
