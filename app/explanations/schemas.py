"""What `POST /explain` takes and gives, and what tells of a version's memory."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.artifact.scorecard import LayerMemory
from app.predictions.schemas import (
    DEFAULT_TOP_K,
    MAX_HISTORY,
    MAX_TEXT_CHARACTERS,
    Columns,
    Interval,
    Numbers,
    PredictRequest,
    TokenProbability,
)

DEFAULT_UNITS = 16
DEFAULT_STEPS = 60
MAX_UNITS = 1024
MAX_STEPS = 2000  # the longest window of a recipe

SERIES_EXAMPLE = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
TEXT_EXAMPLE = {"model": "belling-the-cat", "text": "long ago , the"}

# By unit and step; rounded, for drawing.
Grid = Annotated[list[list[float]], Field(description="one list per step, one number per unit")]


class ExplainRequest(BaseModel):
    """A prediction to be opened up: the question as `POST /predict` takes it, and what to show."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[
        str, Field(max_length=220, description="`name` (its champion), `name@alias` or `name@3`")
    ]
    history: Annotated[
        Numbers | Columns | None, Field(description="series: as for a prediction")
    ] = None
    dataset: Annotated[str | None, Field(description="series: in place of history")] = None
    series: Annotated[str | None, Field(description="series: which of the dataset's")] = None
    timestamps: Annotated[
        list[str] | None, Field(max_length=MAX_HISTORY, description="series: when each value was")
    ] = None
    ahead: Annotated[
        int | None,
        Field(ge=1, description="series: which step of the trained horizon; 1 if left out"),
    ] = None
    levels: Annotated[
        list[Annotated[int, Field(ge=50, le=99)]] | None,
        Field(min_length=1, max_length=50, description="series: intervals, as for a prediction"),
    ] = None
    text: Annotated[
        str | None,
        Field(min_length=1, max_length=MAX_TEXT_CHARACTERS, description="text: what comes before"),
    ] = None
    token: Annotated[
        str | None,
        Field(max_length=200, description="text: whose probability to explain; the likeliest's"),
    ] = None
    top_k: Annotated[
        int | None,
        Field(ge=1, description=f"text: tokens shown after each; {DEFAULT_TOP_K} if left out"),
    ] = None
    member: Annotated[
        int,
        Field(
            ge=1,
            description="which network to open where a version averages several, from 1; "
            "`members` in the answer says how many it has",
        ),
    ] = 1
    units: Annotated[
        int, Field(ge=1, le=MAX_UNITS, description="most units shown of a layer: the liveliest")
    ] = DEFAULT_UNITS
    steps: Annotated[
        int, Field(ge=1, le=MAX_STEPS, description="most past steps shown: the newest")
    ] = DEFAULT_STEPS

    def question(self) -> PredictRequest:
        """Return the prediction asked about.

        Raises:
            pydantic.ValidationError: a value that no prediction takes.
        """
        given = {name: getattr(self, name) for name in QUESTION if name in self.model_fields_set}
        return PredictRequest.model_validate(given)


QUESTION = ("model", "history", "dataset", "series", "timestamps", "levels", "text", "top_k")
SERIES_ONLY = ("ahead", "levels")
TEXT_ONLY = ("token", "top_k")


class OpenedLayer(BaseModel):
    """What went on in a layer, over the steps shown."""

    layer: Annotated[int, Field(description="from the input up, from 0")]
    size: Annotated[int, Field(description="units that it has")]
    units: Annotated[list[int], Field(description="those shown: the ones whose state changes most")]
    gates: Annotated[
        dict[str, Grid],
        Field(description="LSTM input, forget, candidate, output; GRU update, reset, candidate"),
    ]
    states: Annotated[dict[str, Grid], Field(description="after each step: hidden; LSTM also cell")]
    before: Annotated[
        dict[str, list[float]], Field(description="states before the first step shown, per unit")
    ]


class Explanation(BaseModel):
    """What explanations of both kinds share."""

    model: str
    version: int
    member: int
    members: Annotated[int, Field(description="networks that the version averages")]
    cell: Literal["lstm", "gru", "rnn"]
    steps: Annotated[int, Field(description="past steps that the prediction goes back on")]
    shown: Annotated[int, Field(description="how many of them, the newest, are shown")]
    baseline: Annotated[
        float, Field(description="the network's part if the inputs explained said nothing")
    ]
    gap: Annotated[
        float,
        Field(
            description="completeness gap: what the sum of baseline, influences and, for a series, "
            "anchor misses of the value explained"
        ),
    ]
    layers: list[OpenedLayer]
    skill: float | None
    warnings: list[str]


class SeriesInfluence(BaseModel):
    """One past step, and what it did to the forecast."""

    step: Annotated[int, Field(description="0 is the newest, -1 the one before it")]
    timestamp: str | None
    values: dict[str, float]
    influence: Annotated[
        dict[str, float],
        Field(description="on the network's part, by column, in the target's unit"),
    ]
    anchor: Annotated[float, Field(description="on the anchor's part, in the target's unit")]


class Anchor(BaseModel):
    """What the network's output is added to."""

    name: Annotated[str, Field(description="none: the scaling's own zero point")]
    season: Annotated[int | None, Field(description="rows in its season, where it has one")]
    value: Annotated[
        float,
        Field(description="its part of the forecast: start + earlier + what each step shown adds"),
    ]
    start: Annotated[
        float, Field(description="what it would be if the last value had stood all through")
    ]
    earlier: Annotated[float, Field(description="what the steps not shown add, together")]


class SeriesExplanation(Explanation):
    """A forecast opened up.

    value = anchor + baseline + earlier + sum of influences + gap + raised
    """

    kind: Literal["series"]
    forecasts: Annotated[list[float], Field(description="of the trained horizon, as predicted")]
    ahead: Annotated[int, Field(description="the step explained")]
    intervals: Annotated[
        list[Interval] | None,
        Field(description="of that step, as predicted; null: not asked for, or it has none"),
    ]
    value: Annotated[float, Field(description="the network's or member's forecast of that step")]
    anchor: Anchor
    raised: Annotated[
        float,
        Field(description="by which the sum was raised to what no forecast is below; mostly 0"),
    ]
    earlier: Annotated[float, Field(description="influence of the steps not shown, together")]
    inputs: Annotated[list[SeriesInfluence], Field(description="the steps shown, oldest first")]


class TextInfluence(BaseModel):
    """One token, what it did to the probability explained, and what was expected after it."""

    step: Annotated[int, Field(description="0 is the newest, -1 the one before it")]
    token: str
    influence: Annotated[float, Field(description="on the probability of `token` after the text")]
    next: Annotated[list[TokenProbability], Field(description="the likeliest after this token")]


class TextExplanation(Explanation):
    """A continuation opened up: probability = baseline + sum of influences + gap."""

    kind: Literal["text"]
    token: Annotated[str, Field(description="whose probability after the text is explained")]
    probability: float
    inputs: Annotated[list[TextInfluence], Field(description="the tokens shown, oldest first")]


class LayerMemoryAnswer(LayerMemory):
    """One layer's."""

    layer: Annotated[int, Field(description="from the input up, from 0")]


class EpochGradients(BaseModel):
    """What training saw of the gradient in one epoch."""

    epoch: int
    gradient_norm: float
    update_ratio: Annotated[
        float | None, Field(description="how far the weights moved, by their norm; null: unknown")
    ]


class GradientsAnswer(BaseModel):
    """How far back a version's memory reaches."""

    model: str
    version: int
    statement: Annotated[str, Field(description="one plain sentence")]
    measured_on: Annotated[str, Field(description="the data, in words")]
    examples: int
    steps: Annotated[int, Field(description="length of each; the window, where there is one")]
    reached: Annotated[int, Field(description="the most steps of any layer that reach the output")]
    layers: list[LayerMemoryAnswer]
    training: Annotated[list[EpochGradients], Field(description="epoch by epoch")]
