"""Requests and answers of KServe's time series protocol."""

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from app.predictions.schemas import MAX_HISTORY, MAX_ITEMS, MAX_STEPS

Letter = Literal["S", "T", "H", "D", "W", "M", "Q", "Y"]
Word = Literal["second", "minute", "hour", "day", "week", "month", "quarter", "year"]
LETTERS: dict[str, str] = dict(zip(get_args(Word), get_args(Letter), strict=True))
UNIVARIATE: Final = "univariate_time_series"
MULTIVARIATE: Final = "multivariate_time_series"
Status = Literal["completed", "error", "pending", "partial"]


class SeriesGiven(BaseModel):
    """A series to forecast; unknown members are ignored."""

    model_config = ConfigDict(strict=True)

    type: Literal["univariate_time_series", "multivariate_time_series"]
    name: str
    # The elements are checked later, so that a wrong one fails only this series.
    series: list[Any] = Field(
        min_length=1,
        max_length=MAX_HISTORY,
        description="numbers, oldest first; multivariate: a list of numbers for each time",
    )
    frequency: Letter | Word
    start_timestamp: str | None = Field(None, description="of the first value, in ISO form")

    @property
    def letter(self) -> str:
        """Return the frequency's letter."""
        return LETTERS.get(self.frequency, self.frequency)


class Options(BaseModel):
    """The options for all series."""

    model_config = ConfigDict(strict=True)

    horizon: Annotated[int, Field(ge=1, le=MAX_STEPS)]
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] | None = None


class ForecastRequest(BaseModel):
    """Several series and one model."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "google-stock",
                "inputs": [
                    {
                        "type": "univariate_time_series",
                        "name": "GOOG",
                        "series": [778.81, 788.36, 786.08],
                        "frequency": "D",
                    }
                ],
                "options": {"horizon": 1},
            }
        }
    )

    model: str
    inputs: Annotated[list[SeriesGiven], Field(min_length=1, max_length=MAX_ITEMS)]
    options: Options


class TimeSeriesError(BaseModel):
    """What was wrong."""

    code: str | None = Field(description="the HTTP status")
    message: str
    param: str | None
    type: str


class TimeSeriesErrorAnswer(BaseModel):
    """An error, as this protocol has it."""

    error: TimeSeriesError


class Forecast(BaseModel):
    """The forecast of one series."""

    type: Literal["univariate_time_series"] = UNIVARIATE
    name: str
    mean_forecast: list[float]
    frequency: Letter | Word
    start_timestamp: str = Field(description="of the first step; empty if the series had none")
    quantiles: dict[str, list[float]] | None
    column: str = Field(description="the column that is forecast")


class ForecastOutput(BaseModel):
    """The result for one input."""

    type: Literal["time_series_forecast"] = "time_series_forecast"
    id: str = Field(description="id of the logged prediction; where it failed, the series' name")
    status: Status
    content: list[Forecast]
    error: TimeSeriesError | None = None
    warnings: list[str] = []


class Usage(BaseModel):
    """How many values were read and forecast."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ForecastAnswer(BaseModel):
    """The forecasts in the order of the inputs."""

    id: str = Field(description="the request id")
    created_at: int = Field(description="Unix time in seconds")
    status: Status = Field(description="partial: some inputs failed; error: all did")
    error: TimeSeriesError | None = None
    model: str
    outputs: list[ForecastOutput]
    usage: Usage
