"""Requests and answers of `POST /explain` and of the memory of versions."""

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
)
from app.predictions.texts.answer import TokenProbability

DEFAULT_UNITS = 16
DEFAULT_STEPS = 60
MAX_UNITS = 1024
MAX_STEPS = 2000  # longest window of a recipe

SERIES_EXAMPLE = {"model": "google-stock", "history": [778.81, 788.36, 786.08]}
TEXT_EXAMPLE = {"model": "belling-the-cat", "text": "long ago , the"}

# By step and unit; rounded, for drawing.
Grid = Annotated[list[list[float]], Field(description="one list per step, one number per unit")]


class ExplainRequest(BaseModel):
    """A prediction to explain: the request as for `POST /predict`, and what to show."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[
        str, Field(max_length=220, description="`name` (its champion), `name@alias` or `name@3`")
    ]
    history: Annotated[
        Numbers | Columns | None, Field(description="series: as for a prediction")
    ] = None
    future: Annotated[
        Columns | None, Field(description="series: as for a prediction, for all trained steps")
    ] = None
    dataset: Annotated[str | None, Field(description="series: instead of history")] = None
    series: Annotated[str | None, Field(description="series: the one of the dataset")] = None
    timestamps: Annotated[
        list[str] | None,
        Field(min_length=1, max_length=MAX_HISTORY, description="series: time of each value"),
    ] = None
    ahead: Annotated[
        int | None,
        Field(ge=1, description="series: step of the trained horizon; by default 1"),
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
        Field(
            max_length=200,
            description=(
                "text: token whose probability to explain; by default the most probable one"
            ),
        ),
    ] = None
    top_k: Annotated[
        int | None,
        Field(
            ge=1,
            description=(f"text: alternatives shown after each token; by default {DEFAULT_TOP_K}"),
        ),
    ] = None
    member: Annotated[
        int,
        Field(
            ge=1,
            description=(
                "which network to explain if a version averages several, from 1; `members` "
                "in the answer is their number"
            ),
        ),
    ] = 1
    units: Annotated[
        int,
        Field(
            ge=1,
            le=MAX_UNITS,
            description=("maximum number of units per layer; those that change most"),
        ),
    ] = DEFAULT_UNITS
    steps: Annotated[
        int, Field(ge=1, le=MAX_STEPS, description="maximum number of past steps; the newest")
    ] = DEFAULT_STEPS

    def question(self) -> PredictRequest:
        """Return the prediction to explain.

        Raises:
            pydantic.ValidationError: a value is not valid for a prediction.
        """
        given = {name: getattr(self, name) for name in QUESTION if name in self.model_fields_set}
        return PredictRequest.model_validate(given)


QUESTION = (
    "model",
    "history",
    "future",
    "dataset",
    "series",
    "timestamps",
    "levels",
    "text",
    "top_k",
)
SERIES_ONLY = ("ahead", "levels")
TEXT_ONLY = ("token", "top_k")


class OpenedLayer(BaseModel):
    """What happened in a layer, over the steps shown."""

    layer: Annotated[int, Field(description="from the input up, from 0")]
    size: Annotated[int, Field(description="number of its units")]
    units: Annotated[list[int], Field(description="the units shown, which change most")]
    gates: Annotated[
        dict[str, Grid],
        Field(description="LSTM input, forget, candidate, output; GRU update, reset, candidate"),
    ]
    states: Annotated[dict[str, Grid], Field(description="after each step: hidden; LSTM also cell")]
    before: Annotated[
        dict[str, list[float]], Field(description="states before the first step shown, per unit")
    ]


class Explanation(BaseModel):
    """What explanations of series and texts have in common."""

    model: str
    version: int
    member: int
    members: Annotated[int, Field(description="number of networks that the version averages")]
    cell: Literal["lstm", "gru", "rnn"]
    steps: Annotated[int, Field(description="number of past steps behind the prediction")]
    shown: Annotated[int, Field(description="number of them that are shown, the newest")]
    baseline: Annotated[
        float, Field(description="the network's output for inputs that say nothing")
    ]
    gap: Annotated[
        float,
        Field(
            description=(
                "completeness gap: the value explained, minus baseline, influences and, "
                "for a series, anchor"
            )
        ),
    ]
    layers: Annotated[
        list[OpenedLayer], Field(description="of the network; none are shown for `universal`")
    ]
    skill: float | None
    warnings: list[str]


class SeriesInfluence(BaseModel):
    """One past step and its influence on the forecast."""

    step: Annotated[int, Field(description="0 is the newest, -1 the one before")]
    timestamp: str | None
    values: dict[str, float]
    influence: Annotated[
        dict[str, float],
        Field(description="on the network's part, by column, in the target's unit"),
    ]
    anchor: Annotated[float, Field(description="on the anchor's part, in the target's unit")]


class Anchor(BaseModel):
    """The forecast that the network's output is added to."""

    name: Annotated[str, Field(description="none: the zero point of the scaling")]
    season: Annotated[int | None, Field(description="rows in its season, if it has one")]
    value: Annotated[
        float,
        Field(
            description=(
                "its part of the forecast: start + earlier + contributions of the steps shown"
            )
        ),
    ]
    start: Annotated[float, Field(description="its forecast if every value were the last one")]
    earlier: Annotated[float, Field(description="contribution of the steps not shown, together")]


class SeriesExplanation(Explanation):
    """An explained forecast.

    value = anchor + baseline + earlier + sum of influences + gap + raised
    """

    kind: Literal["series"]
    forecasts: Annotated[list[float], Field(description="of the trained horizon, as predicted")]
    ahead: Annotated[int, Field(description="the step explained")]
    intervals: Annotated[
        list[Interval] | None,
        Field(description="of that step, as predicted; null if not requested or not available"),
    ]
    value: Annotated[
        float, Field(description=("forecast of that step, by the version or by its member"))
    ]
    anchor: Anchor
    raised: Annotated[
        float,
        Field(description="what raises the sum to the version's minimum; mostly 0"),
    ]
    earlier: Annotated[float, Field(description="influence of the steps not shown, together")]
    inputs: Annotated[list[SeriesInfluence], Field(description="the steps shown, oldest first")]


class TextInfluence(BaseModel):
    """One token, its influence on the explained probability, and the expected tokens after it."""

    step: Annotated[int, Field(description="0 is the newest, -1 the one before")]
    token: str
    influence: Annotated[float, Field(description="on the probability of `token` after the text")]
    next: Annotated[
        list[TokenProbability], Field(description=("the most probable tokens after this one"))
    ]


class TextExplanation(Explanation):
    """An explained continuation: probability = baseline + sum of influences + gap."""

    kind: Literal["text"]
    token: Annotated[
        str, Field(description=("the token whose probability after the text is explained"))
    ]
    probability: float
    inputs: Annotated[list[TextInfluence], Field(description="the tokens shown, oldest first")]


class LayerMemoryAnswer(LayerMemory):
    """The memory of one layer."""

    layer: Annotated[int, Field(description="from the input up, from 0")]


class EpochGradients(BaseModel):
    """Gradient and weight changes in one epoch of training."""

    epoch: int
    gradient_norm: float
    update_ratio: Annotated[
        float | None, Field(description="norm of the change of the weights; null if unknown")
    ]


class GradientsAnswer(BaseModel):
    """How far back a version's memory reaches."""

    model: str
    version: int
    statement: Annotated[str, Field(description="in one plain sentence")]
    measured_on: Annotated[str, Field(description="the data, in words")]
    examples: int
    steps: Annotated[int, Field(description="length of each; the window, if there is one")]
    reached: Annotated[
        int, Field(description=("largest number of steps in any layer that reach the output"))
    ]
    layers: list[LayerMemoryAnswer]
    training: Annotated[list[EpochGradients], Field(description="epoch by epoch")]
