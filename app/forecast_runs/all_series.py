"""Forecast all series of a dataset with one version, in the reader, away from predictions.

Each series becomes a request as `POST /predict` reads it, and is answered by the same code, so that
numbers and warnings are the same as there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.scorecard import Scorecard
from app.errors import StepaheadError, Unprocessable
from app.forecast_runs.forms import Form, Row
from app.forecast_runs.summary import Counts, Summary
from app.predictions.asking import question_of
from app.predictions.loaded import Loaded, build
from app.predictions.many_series import answered, problem_of, request_of
from app.predictions.questions import Outcome, Question
from app.predictions.schemas import PredictRequest
from app.reading.content import SeriesContent, content_from_bytes, known_ahead

Asked = tuple[str, PredictRequest | StepaheadError]  # a series, and what asks for it

TOGETHER = 512  # series that are answered together


@dataclass(frozen=True, kw_only=True)
class AllSeries:
    """What to forecast; its files are in the request's folder."""

    model: str
    number: int
    manifest: Manifest
    scorecard: Scorecard
    graph: Path
    dataset: Path
    target: str | None  # the column that a version for any series forecasts
    series: tuple[str, ...] | None  # None: all
    horizon: int | None
    levels: tuple[int, ...]
    form: Form
    answer: Path  # the file to write
    run_id: str

    def run(self) -> Summary:
        """Write the forecasts of all series, and say what became of them.

        Raises:
            Unprocessable: the dataset does not fit the version; the error names the place.
        """
        content = content_from_bytes(self.dataset.read_bytes())
        described = self.manifest.series
        if not isinstance(content, SeriesContent) or described is None:
            raise Unprocessable.at("dataset", "is a text; only series are forecast together")
        from app.forecast_runs.writers import writer_of  # noqa: PLC0415 - no pyarrow in the api

        version = build(
            self.model, self.number, self.manifest, self.scorecard, self.graph.read_bytes()
        )
        columns = self._columns(described, content)
        counts = Counts()
        with writer_of(
            self.form,
            self.answer,
            self.levels,
            run_id=self.run_id,
            model=self.model,
            version=self.number,
        ) as writer:
            asked = self._requests(content, columns, described)
            while group := [*islice(asked, TOGETHER)]:
                for label, outcome in _answered(version, group):
                    rows, warnings = _rows(label, outcome)
                    counts.note(rows, warnings)
                    writer.write(rows)
            summary = counts.summary()
            writer.end(asdict(summary))
        return summary

    def _columns(self, described: SeriesInput, content: SeriesContent) -> tuple[str, ...]:
        """Return the columns that the version reads, as the dataset names them.

        Raises:
            Unprocessable: the dataset lacks one.
        """
        names = described.asked([feature.name for feature in described.features])
        if described.periods and self.target is not None:
            names = (self.target,)
        there = (*content.columns, *content.category_names)
        for name in names:
            if name not in there:
                raise Unprocessable.at(
                    "dataset", f"has no column {name!r}; it has {', '.join(there)}"
                )
        return tuple(names)

    def _requests(
        self, content: SeriesContent, columns: tuple[str, ...], described: SeriesInput
    ) -> Iterator[Asked]:
        """Yield each series with the request to forecast it.

        Raises:
            Unprocessable: a series that was asked for is not in the dataset.
        """
        wanted = None if self.series is None else set(self.series)
        if wanted is not None and (absent := wanted - set(content.labels)):
            raise Unprocessable.at("series", f"the dataset has no series {min(absent)[:100]!r}")
        rows = max(self.manifest.window or 0, self.manifest.min_history)
        ends = content.complete(columns).tail(rows)
        for whole, own in zip(content.every_series(), ends.every_series(), strict=True):
            label = own.labels[0]
            if wanted is None or label in wanted:
                yield label, self._request(whole, own, columns, described)

    def _request(
        self,
        whole: SeriesContent,
        own: SeriesContent,
        columns: tuple[str, ...],
        described: SeriesInput,
    ) -> PredictRequest | StepaheadError:
        if not len(own):
            return Unprocessable(f"no row has a value in {', '.join(columns)}")
        history = {name: own.cells(name) for name in columns}
        ahead = None
        if described.known:
            ahead = known_ahead(
                whole,
                features=columns,
                known=described.asked(described.known),
                rows=self.horizon or self.manifest.horizon,
            )
        given = {
            "model": f"{self.model}@{self.number}",
            "history": history if len(columns) > 1 else history[columns[0]],
            "series": own.labels[0] or None,
            "timestamps": own.row_times_iso() or None,
            "horizon": self.horizon,
            "levels": list(self.levels) or None,
            "future": ahead,
        }
        try:
            return request_of(given)
        except StepaheadError as error:
            return error


def _answered(version: Loaded, group: Sequence[Asked]) -> Iterator[tuple[str, Outcome]]:
    """Yield each series with its outcome, in order."""
    questions = [_question(version, request) for _, request in group]
    for (label, _), outcome in zip(group, answered(questions), strict=True):
        yield label, outcome


def _question(
    version: Loaded, request: PredictRequest | StepaheadError
) -> Question | StepaheadError:
    if isinstance(request, StepaheadError):
        return request
    try:
        return question_of(version, request)
    except StepaheadError as error:
        return error


def _rows(label: str, outcome: Outcome) -> tuple[list[Row], list[str]]:
    """Return the rows of a series, and its warnings."""
    if isinstance(outcome, StepaheadError):
        return [Row(label, None, None, None, (), problem_of(outcome))], []
    answer: dict[str, Any] = outcome
    rows = [
        Row(
            label,
            step["step"],
            step["timestamp"],
            step["value"],
            [(each["low"], each["high"]) for each in step["intervals"] or ()],
            None,
        )
        for step in answer["predictions"]
    ]
    return rows, list(answer["warnings"])
