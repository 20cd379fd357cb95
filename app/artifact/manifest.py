"""Define manifest.json: what serving needs beside the graph, and the version's origin."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from app.artifact.series_records import (
    CalendarInput,
    CategoryInput,
    ColumnUse,
    MeasuredScaling,
    SeriesAnchor,
    SeriesIntervals,
)
from app.artifact.strict import Strict
from app.reading.calendar_inputs import CalendarColumns
from app.reading.categories import Encoding
from app.reading.series.closures import without_closed_days
from app.recipes.recipe import AnyRecipe, Kind


class Feature(Strict):
    """One input column."""

    name: str
    low: Annotated[float, Field(description="smallest value in the training rows")]
    high: Annotated[float, Field(description="largest value in the training rows")]
    quantiles: Annotated[
        tuple[float, ...] | None,
        Field(description="the nine inner deciles of the training rows, for drift; null: unknown"),
    ] = None


class State(Strict):
    """A recurrent state that a stream graph reads and returns."""

    name: Annotated[str, Field(description="input NAME and output NAME_out, (1, batch, units)")]
    units: int


class SeriesInput(Strict):
    """How a series version reads its history."""

    features: tuple[Feature, ...]
    target: str
    known: Annotated[
        tuple[str, ...],
        Field(description="features whose values for the steps ahead are needed to forecast"),
    ] = ()
    categories: Annotated[
        tuple[CategoryInput, ...],
        Field(description="columns of words, given by name in place of their features"),
    ] = ()
    expected: Annotated[
        tuple[str, ...],
        Field(
            description="features with effects that are not known ahead: each is expected to "
            "return from its newest value to its usual one"
        ),
    ] = ()
    calendar_inputs: Annotated[
        tuple[CalendarInput, ...],
        Field(
            description="inputs computed from the times, which no request gives; their features "
            "are the last ones of the graph's history, and the last known ahead"
        ),
    ] = ()
    columns: Annotated[
        tuple[ColumnUse, ...],
        Field(
            description="every column of the training file and every calendar input, and why it "
            "is used or not"
        ),
    ] = ()
    frequency: str | None
    calendar: Annotated[
        str | None,
        Field(
            description="weekdays, hours or days of the month that have rows, and after `except` "
            "the dates that have none, until some years after the training rows; null: not known"
        ),
    ] = None
    closed_on_grid: Annotated[
        bool,
        Field(
            description="closed days are steps of the graph, so that the weekdays keep their place "
            "in the season: filled in a history, and left out of an answer"
        ),
    ] = False
    time_form: Literal["date", "local", "zoned"] | None
    network_window: Annotated[
        int | None,
        Field(description="newest rows of the window, which the network sees; null: all of them"),
    ] = None
    season: Annotated[
        int | None,
        Field(description="rows in the season by which holes in a history are filled; null: none"),
    ] = None
    longest_hole: Annotated[
        int, Field(description="missing rows in a row that are filled; 0: none, as in older ones")
    ] = 0
    periods: Annotated[
        int,
        Field(
            description="seasons whose periods the graph reads beside the history of any series, "
            "in which missing values are NaN; 0: a graph for the series that it was trained on"
        ),
    ] = 0
    labels: Annotated[
        tuple[str, ...],
        Field(description="series that the graph tells apart, from 1 on; empty: none"),
    ] = ()
    never_negative: Annotated[bool, Field(description="no training value was below zero")]
    at_least: Annotated[
        float | None,
        Field(
            description="lower forecasts are raised to this; null: no limit, or an older version"
        ),
    ] = None
    scaling: Annotated[
        MeasuredScaling | None, Field(description="null: each window is scaled separately")
    ] = None
    anchor: Annotated[
        SeriesAnchor | None, Field(description="null: none, or as in the recipe (older versions)")
    ] = None
    intervals: Annotated[
        SeriesIntervals | None, Field(description="null: see intervals_missing")
    ] = None
    intervals_missing: Annotated[str | None, Field(description="why there are no intervals")] = None

    @cached_property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of the graph's history: the features, and those computed from the times."""
        return (*(feature.name for feature in self.features), *self._computed)

    @cached_property
    def columns_ahead(self) -> tuple[str, ...]:
        """The columns of the graph's steps ahead: those known ahead, and those computed."""
        return (*self.known, *self._computed)

    @property
    def _computed(self) -> tuple[str, ...]:
        return tuple(name for each in self.calendar_inputs for name in each.features)

    @cached_property
    def calendar_columns(self) -> tuple[CalendarColumns, ...]:
        """How the calendar inputs are computed."""
        if self.frequency is None:
            return ()
        return tuple(each.columns(self.frequency) for each in self.calendar_inputs)

    @cached_property
    def encodings(self) -> tuple[Encoding, ...]:
        """How columns of words become features."""
        return tuple(category.encoding for category in self.categories)

    def asked(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return columns as a request names them: categories in place of their features."""
        sources = {name: each.name for each in self.categories for name in each.features}
        return tuple(dict.fromkeys(sources.get(name, name) for name in names))

    @property
    def has_universal(self) -> bool:
        """Whether `universal` is a part of the graph."""
        part = None if self.anchor is None else self.anchor.universal
        return part is not None and part.share > 0

    @property
    def grid_calendar(self) -> str | None:
        """The calendar of the graph's steps, which may include closed days."""
        week = without_closed_days(self.frequency, self.calendar) if self.closed_on_grid else None
        return self.calendar if week is None else str(week)


class TextInput(Strict):
    """How a text version reads its text."""

    tokenizer: Literal["word", "char"]
    vocabulary: Annotated[tuple[str, ...], Field(description="token of each id")]
    unknown: Annotated[
        str | None, Field(description="the symbol for unknown tokens; null: they are errors")
    ]
    spells: Annotated[
        bool,
        Field(description="characters outside the vocabulary are read as its 256 tokens for bytes"),
    ] = False
    reading: Literal["window", "stream"]
    judged_vocabulary: Annotated[
        tuple[str, ...] | None,
        Field(description="of judged.onnx, which knows only words before the cut; null: the same"),
    ] = None
    states: tuple[State, ...] = ()


class Manifest(Strict):
    """manifest.json: what serving needs beside the graph, and the version's origin."""

    format: Literal[1] = 1
    kind: Kind
    recipe: AnyRecipe
    window: Annotated[
        int | None, Field(description="steps that the graph sees; null: any number (stream)")
    ]
    min_history: Annotated[int, Field(ge=1)]
    horizon: Annotated[int, Field(ge=1)]
    series: SeriesInput | None = None
    text: TextInput | None = None
    refitted: Annotated[bool, Field(description="the served network was refitted after judging")]
    parity: Annotated[
        float,
        Field(
            description=(
                "largest difference between ONNX and Keras on held-out windows; series: "
                "in standard deviations of the target"
            )
        ),
    ]
    dataset_sha256: Annotated[str | None, Field(description="of the uploaded file's bytes")] = None
    dataset_id: str | None = None
    test_dataset_id: str | None = None
    start_from: Annotated[
        str | None, Field(description="NAME@N of the version that it was warm-started from")
    ] = None
    libraries: dict[str, str] = {}
    seed: int
    trained_at: datetime
    training_seconds: float
