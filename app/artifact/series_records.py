"""Define a manifest's records of a series version: scaling, anchor and intervals."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from app.artifact.strict import Strict
from app.reading.calendar_inputs import CalendarColumns, Form
from app.reading.categories import Encoding
from app.recipes.recipe import AnchorName


class MeasuredScaling(Strict):
    """A scaling measured on the training rows: (x - center) / scale."""

    center: Annotated[tuple[float, ...], Field(description="one per feature, in their order")]
    scale: tuple[float, ...]
    target_center: float
    target_scale: float


class AnchorCandidate(Strict):
    """A simple forecast that was a candidate for the anchor."""

    name: AnchorName
    error: Annotated[
        float | None, Field(description="RMSE over the origins; null: not a candidate")
    ]
    missing: Annotated[str | None, Field(description="why it was not a candidate")] = None


class AnchorMember(Strict):
    """A simple forecast that an anchor is mixed from."""

    name: AnchorName
    form: Annotated[str, Field(description="which of those of that name; empty: there is but one")]
    weight: Annotated[float, Field(description="of several series: the mean")]


class ColumnUse(Strict):
    """What became of one column of the training file, or of an input computed from its times."""

    name: str
    role: Annotated[
        Literal["target", "known ahead", "input", "calendar", "unused"],
        Field(
            description="input: its values are known up to the newest row only; calendar: it is "
            "computed from the times"
        ),
    ]
    why: str

    @property
    def told(self) -> str:
        """What a scorecard and a log say about it."""
        return f"{self.name}: {COLUMN_ROLES[self.role]} ({self.why})"


COLUMN_ROLES = {
    "target": "target",
    "known ahead": "used, known ahead",
    "input": "used",
    "calendar": "used, computed from the times",
    "unused": "not used",
}


class CategoryInput(Strict):
    """A column of words, and the one-hot features that stand for it."""

    name: str
    levels: Annotated[
        tuple[str, ...], Field(description="known words; the first has no feature of its own")
    ]
    other: Annotated[
        bool,
        Field(description="there is a feature for other words; false: they count as the first"),
    ]
    features: Annotated[tuple[str, ...], Field(description="names of its features")]

    @classmethod
    def of(cls, encoding: Encoding) -> Self:
        """Describe an encoding."""
        return cls(
            name=encoding.name,
            levels=encoding.levels,
            other=encoding.other,
            features=encoding.columns,
        )

    @property
    def encoding(self) -> Encoding:
        """Return how its words become features."""
        return Encoding(name=self.name, levels=self.levels, other=self.other)


class CalendarInput(Strict):
    """An input that is computed from the times, and its features."""

    form: Annotated[Form, Field(description="what of a time it is")]
    holidays: Annotated[
        str, Field(description="market or country that `dates` are of; empty: none")
    ] = ""
    dates: Annotated[
        tuple[date, ...],
        Field(description="holidays, until some years after the training rows"),
    ] = ()
    features: Annotated[tuple[str, ...], Field(description="names of its features")]
    usual: Annotated[
        tuple[float, ...],
        Field(description="mean of each in the training rows, for a history without times"),
    ]

    @classmethod
    def of(cls, columns: CalendarColumns, usual: Sequence[float]) -> Self:
        """Describe columns and their means."""
        return cls(
            form=columns.form,
            holidays=columns.holidays,
            dates=tuple(np.array(columns.dates, dtype="datetime64[D]").tolist()),
            features=columns.columns,
            usual=tuple(usual),
        )

    @model_validator(mode="after")
    def _computable(self) -> Self:
        there = CalendarColumns(form=self.form, frequency="D").columns
        if not set(self.features) <= set(there) or len(self.usual) != len(self.features):
            raise ValueError(f"the features of {self.form} are {', '.join(there)}")
        return self

    def columns(self, frequency: str) -> CalendarColumns:
        """Return how its features are computed."""
        dates = np.array(self.dates, dtype="datetime64[D]").astype(np.int64)
        return CalendarColumns(
            form=self.form,
            frequency=frequency,
            holidays=self.holidays,
            dates=tuple(dates.tolist()),
            kept=self.features,
        )


class ColumnEffect(Strict):
    """What another column adds to the simple forecast."""

    name: str
    effect: Annotated[
        float,
        Field(
            description="of one unit of the column, in the scale of the forecast; of several "
            "series: the mean; 0: it helped none of them on later rows"
        ),
    ]
    series: Annotated[int, Field(description="series that it is used for")]


class Tuning(Strict):
    """How the weights of `universal` went on being trained."""

    epochs: Annotated[int, Field(description="0: none was better on validation data")]
    before: Annotated[
        float | None, Field(description="its loss on validation data; null: there was none")
    ] = None
    after: Annotated[float | None, Field(description="the loss after these epochs")] = None


class UniversalShare(Strict):
    """The share of the shipped `universal` in the simple forecast."""

    version: Annotated[int | None, Field(description="of `universal`")] = None
    share: Annotated[float, Field(description="0 to 1; of several series: the mean")] = 0.0
    series: Annotated[int, Field(description="series in whose forecast it has a share")] = 0
    error: Annotated[
        float | None, Field(description="its RMSE over the origins; null: several series")
    ] = None
    missing: Annotated[str | None, Field(description="why it takes no part")] = None
    tuning: Annotated[
        Tuning | None,
        Field(description="how its weights were trained further; null: they are as shipped"),
    ] = None


class SeriesAnchor(Strict):
    """The simple forecast that the network's output is added to."""

    name: AnchorName
    season: Annotated[int | None, Field(description="rows in a season, if the anchor has one")] = (
        None
    )
    level: Annotated[
        bool,
        Field(description="autoregression: the level of the last value counts, not only changes"),
    ] = False
    chosen: Annotated[
        bool, Field(description="true: chosen on validation data; false: named by the recipe")
    ]
    origins: Annotated[int, Field(description="rows before the cut that it was chosen on")] = 0
    pooled: Annotated[
        bool, Field(description="errors are in units of each series' mean change from row to row")
    ] = False
    candidates: tuple[AnchorCandidate, ...] = ()
    own: Annotated[
        bool, Field(description="each series has its own; any other the average of them")
    ] = False
    logarithmic: Annotated[
        int, Field(description="series that it forecasts in their logarithm")
    ] = 0
    effects: Annotated[
        tuple[ColumnEffect, ...], Field(description="of the columns known ahead and of others")
    ] = ()
    members: Annotated[
        tuple[AnchorMember, ...], Field(description="what it is mixed from; empty: one alone")
    ] = ()
    universal: Annotated[
        UniversalShare | None,
        Field(description="what `universal` adds to it; null: the recipe leaves it out"),
    ] = None


class SeriesIntervals(Strict):
    """How the intervals of a version were calibrated; the graph holds the figures."""

    method: Literal["split conformal", "quantile regression"] = "split conformal"
    calibrated_on: Annotated[
        Literal[
            "validation",
            "validation and held-out",
            "held-out",
            "last training rows",
            "made-up series",
        ],
        Field(description="rows whose forecasts were compared with actual values"),
    ]
    forecasts_of: Annotated[
        Literal["this network", "the network before refitting", "a network of its own"],
        Field(
            description=(
                "the network whose forecasts were used; it was not fitted on those rows. A "
                "network of its own: fitted only on the earlier rows, because none were "
                "kept for validation"
            )
        ),
    ]
    forecasts: Annotated[int, Field(description="number of forecasts, at the step with the fewest")]
    earlier: Annotated[
        int,
        Field(
            description=(
                "of these, forecasts of the second half of the training rows by the anchor "
                "alone, fitted on the first half; only if the network adds nothing to the "
                "anchor"
            )
        ),
    ] = 0
    steps: Annotated[int, Field(description="steps ahead that have intervals")]
    usual_change: Annotated[
        float | None,
        Field(description="mean change from row to row in the training rows; null: several series"),
    ]
    recent_changes: Annotated[
        int, Field(description="changes at the window's end that decide the width; 0: none")
    ]
    share: Annotated[
        float,
        Field(
            description="share of the volatility that follows the window; the rest is the usual one"
        ),
    ]
    volatility: Annotated[str, Field(description="where the volatility comes from, in words")]
    signed_to: Annotated[
        int | None,
        Field(description="highest level with separate ends; above it the interval is symmetric"),
    ]
    conformal_to: Annotated[
        int | None,
        Field(description="highest level that so many forecasts allow; above it: Student's t"),
    ]
    notes: tuple[str, ...] = ()
