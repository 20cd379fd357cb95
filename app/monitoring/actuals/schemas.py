"""Requests and answers of the calls on actuals."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.monitoring.actuals.moments import step_of
from app.predictions.schemas import MAX_STEPS, Number
from app.storage.monitoring_tables import Actual, TextActual

MAX_ACTUALS = 10_000
MAX_NAME_CHARACTERS = 200  # of a series, as in predictions
# A version reads a text token by token, in the process that monitors.
MAX_TEXT_CHARACTERS = 4_000

SERIES_EXAMPLE = {
    "items": [
        {"model": "google-stock", "timestamp": "2017-01-06", "value": 795.26},
        {
            "model": "google-stock",
            "series": "GOOG",
            "timestamp": "2017-01-09",
            "value": 806.4,
        },
    ]
}
PREDICTION_EXAMPLE = {
    "items": [
        {"prediction": "0199f1f0-5a6b-7c3d-8e4f-0123456789ab", "step": 1, "value": 795.26},
    ]
}
TEXT_EXAMPLE = {
    "items": [
        {"prediction": "0199f1f0-5a6b-7c3d-8e4f-0123456789ab", "text": " mice had a council"},
    ]
}


class ActualItem(BaseModel):
    """One observed value by prediction, or by model, series and timestamp; or a text."""

    model_config = ConfigDict(extra="forbid")

    prediction: Annotated[UUID | None, Field(description="id of its prediction")] = None
    step: Annotated[
        int | None,
        Field(ge=1, le=MAX_STEPS, strict=True, description="of the prediction; by default 1"),
    ] = None
    model: Annotated[
        str | None, Field(max_length=100, description="name of the model, with a timestamp")
    ] = None
    series: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_NAME_CHARACTERS,
            pattern=r"^[^\x00]+$",
            description="as in the predictions; leave it out for those without a series",
        ),
    ] = None
    timestamp: Annotated[
        str | None, Field(max_length=40, description="time of the value, in ISO form")
    ] = None
    value: Annotated[
        Number | None, Field(strict=True, description="series: of the model's target")
    ] = None
    text: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_TEXT_CHARACTERS,
            pattern=r"^[^\x00]+$",
            description="texts: what really followed the prompt of a prediction, with the space "
            "or line break that it begins with",
        ),
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.value is None) == (self.text is None):
            raise ValueError("give a value, or for a prediction of a text the text that followed")
        return self


class ActualsRequest(BaseModel):
    """Observed values and texts."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[ActualItem], Field(min_length=1, max_length=MAX_ACTUALS)]


class ActualsKept(BaseModel):
    """What happened to the values."""

    new: int
    changed: Annotated[int, Field(description="replaced another value, or an implied one")]
    unchanged: int
    matching: Annotated[
        int, Field(description="forecasts and texts answered so far that these belong to")
    ]


class ActualAnswer(BaseModel):
    """One value or text as it is stored."""

    id: UUID
    model: str
    series: str | None
    timestamp: Annotated[
        str | None, Field(description=("null if it was given for a prediction without timestamps"))
    ]
    step: Annotated[
        int | None,
        Field(
            description=(
                "of the prediction in the query; without one, of the prediction it was "
                "given for, or null if there is a timestamp"
            )
        ),
    ]
    value: Annotated[float | None, Field(description="null for a text")]
    text: Annotated[
        str | None, Field(description="what followed the prompt; null for a series")
    ] = None
    source: Annotated[
        Literal["explicit", "implied"],
        Field(description=("implied: from the history of a later request")),
    ]
    prediction: Annotated[
        UUID | None,
        Field(description=("the prediction it was given for, or whose history implied it")),
    ]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, actual: Actual, *, step: int | None) -> Self:
        """Build it from a row and the step of the prediction in the query, if there was one."""
        if step is None and actual.timestamp is None:
            step = step_of(actual.moment)
        return cls(
            id=actual.id,
            model=actual.model,
            series=actual.series or None,
            timestamp=actual.timestamp,
            step=step,
            value=actual.value,
            source="explicit" if actual.source == "explicit" else "implied",
            prediction=actual.prediction_id,
            created_at=actual.created_at,
            updated_at=actual.updated_at,
        )

    @classmethod
    def of_text(cls, actual: TextActual) -> Self:
        """Build it from the text that followed a prompt."""
        return cls(
            id=actual.prediction_id,
            model=actual.model,
            series=None,
            timestamp=None,
            step=None,
            value=None,
            text=actual.text,
            source="explicit",
            prediction=actual.prediction_id,
            created_at=actual.created_at,
            updated_at=actual.updated_at,
        )
