"""Requests and answers of Nixtla's client."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field, model_validator

from app.predictions.schemas import MAX_STEPS, Reference

MAX_WINDOWS = 1000
EXAMPLE: dict[str, Any] = {
    "model": "timegpt-2.1",
    "freq": "D",
    "h": 2,
    "level": [80],
    "series": {
        "y": [778.81, 788.36, 786.08, 50.0, 51.5, 52.1],
        "sizes": [3, 3],
        "start_datetime": ["2017-01-03", "2017-01-03"],
    },
}

Value = Annotated[float, Field(allow_inf_nan=False)] | None
Values = Annotated[list[Value], FailFast(), Field(min_length=1)]
NOT_HERE = "has no effect here, so only the value without an effect is accepted"
IGNORED = "accepted and ignored"


class SeriesGiven(BaseModel):
    """All series, one after the other."""

    model_config = ConfigDict(extra="forbid", strict=True)

    y: Annotated[Values, Field(description="of all series, oldest first; null: missing")]
    sizes: Annotated[
        list[Annotated[int, Field(ge=1)]],
        Field(min_length=1, description="how many values belong to each series"),
    ]
    X: Annotated[
        list[Values] | None,
        Field(description="the model's other columns: those known ahead, then the rest"),
    ] = None
    X_future: Annotated[
        list[Values] | None, Field(description="columns known ahead, `h` values for each series")
    ] = None
    start_datetime: Annotated[
        list[str] | None, Field(description="when each series begins, in ISO form")
    ] = None
    categorical_exog: Annotated[list[int] | None, Field(max_length=0, description=NOT_HERE)] = None


class Asked(BaseModel):
    """What forecasts and cross-validation have in common; unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid", strict=True, protected_namespaces=(), json_schema_extra={"example": EXAMPLE}
    )

    series: SeriesGiven
    model: Annotated[
        Reference,
        Field(description="`timegpt…` is `universal`; else `name`, `name@alias` or `name@3`"),
    ]
    h: Annotated[int, Field(ge=1, le=MAX_STEPS, description="steps ahead")]
    freq: Annotated[str, Field(max_length=40, description="in the words of pandas")]
    level: Annotated[
        list[Annotated[float, Field(ge=0, lt=100)]] | None,
        Field(max_length=50, description="intervals, whole % from 50 to 99; 0: no interval"),
    ] = None
    finetuned_model_id: Annotated[
        Reference | None, Field(description="a model's name, which takes the place of `model`")
    ] = None
    finetune_steps: Annotated[int, Field(ge=0, le=0, description=NOT_HERE)] = 0
    multivariate: Annotated[bool, Field(description=NOT_HERE)] = False
    feature_contributions: Annotated[bool, Field(description=NOT_HERE)] = False
    feature_contributions_type: Annotated[str | None, Field(description=IGNORED)] = None
    model_parameters: Annotated[
        dict[str, Any] | None, Field(max_length=0, description=NOT_HERE)
    ] = None
    finetune_depth: Annotated[int, Field(description=IGNORED)] = 1
    finetune_loss: Annotated[str, Field(description=IGNORED)] = "default"
    clean_ex_first: Annotated[bool, Field(description=IGNORED)] = True

    @property
    def reference(self) -> str:
        """The name of the version to ask."""
        return self.finetuned_model_id or self.model


class ForecastRequest(Asked):
    """A request to forecast series."""


class CrossValidationRequest(Asked):
    """A request to forecast what is already known, from earlier origins."""

    n_windows: Annotated[int, Field(ge=1, le=MAX_WINDOWS, description="origins of each series")]
    step_size: Annotated[int | None, Field(ge=1, description="rows between them; left out: h")] = (
        None
    )
    hist_exog: Annotated[
        list[int] | None, Field(description="which columns of X are not known ahead")
    ] = None
    refit: Annotated[bool, Field(description=IGNORED)] = True
    full_history: Annotated[bool, Field(description=IGNORED)] = False


class FinetuneRequest(BaseModel):
    """A request to train a model on series; unknown fields are refused."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        protected_namespaces=(),
        json_schema_extra={
            "example": {
                "model": "timegpt-2.1",
                "freq": "D",
                "finetune_steps": 10,
                "output_model_id": "shops",
                "series": {
                    "y": [20.0, 21.0, 25.0, 30.0, 34.0, 50.0, 45.0] * 6,
                    "sizes": [42],
                    "start_datetime": ["2026-01-01"],
                },
            }
        },
    )

    series: SeriesGiven
    model: Annotated[Reference, Field(description="`timegpt…` or `universal`")]
    freq: Annotated[str, Field(max_length=40, description="in the words of pandas")]
    finetune_steps: Annotated[int, Field(ge=1, le=1000, description="most epochs")] = 10
    finetune_depth: Annotated[int, Field(description=IGNORED)] = 1
    finetune_loss: Annotated[Literal["default"], Field(description=NOT_HERE)] = "default"
    output_model_id: Annotated[
        Reference | None, Field(description="name of the new model; left out: one is made up")
    ] = None
    finetuned_model_id: Annotated[None, Field(description=NOT_HERE)] = None

    @model_validator(mode="after")
    def _matching_sizes(self) -> Self:
        if sum(self.series.sizes) != len(self.series.y):
            raise ValueError(
                f"sizes are of {sum(self.series.sizes)} values in all, and y has "
                f"{len(self.series.y)}"
            )
        if self.series.X or self.series.X_future:
            raise ValueError("X is not trained on here; use POST /models/NAME/train")
        return self


class Finetuned(BaseModel):
    """A model that was trained."""

    finetuned_model_id: str = Field(description="its name, for `finetuned_model_id` or `model`")


Bounds = Annotated[
    dict[str, list[float | None]] | None,
    Field(description="`lo-80`, `hi-80`; null for steps without an interval"),
]


class Forecast(BaseModel):
    """Forecasts of all series, one after the other."""

    mean: list[float]
    intervals: Bounds
    weights_x: None = None
    feature_contributions: None = None
    version: str = Field(description="that answered: NAME@N")
    skill: float | None = Field(description="as in `POST /predict`")
    baseline: str
    warnings: list[str] = Field(description="what weakens a forecast, and of which series")
    prediction_ids: list[str]


class CrossValidation(Forecast):
    """Forecasts from all origins of all series."""

    sizes: list[int] = Field(description="how many forecasts belong to each series")
    idxs: list[int] = Field(description="the place in `y` of what each forecasts")


class Parameters(BaseModel):
    """What a model reads and forecasts."""

    input_size: int
    horizon: int


class ParametersAnswer(BaseModel):
    """What a model reads and forecasts."""

    detail: Parameters


class ModelName(BaseModel):
    """A model that forecasts series."""

    name: str


class ModelNames(BaseModel):
    """The models that forecast series."""

    models: list[ModelName]


class Validity(BaseModel):
    """The answer to a valid key."""

    detail: str


class NixtlaError(BaseModel):
    """An error, as this protocol has it."""

    detail: str
