"""What the calls on actuals take and answer with."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.monitoring.actuals.moments import step_of
from app.predictions.schemas import MAX_STEPS, Number
from app.storage.monitoring_tables import Actual

MAX_ACTUALS = 10_000
MAX_NAME_CHARACTERS = 200  # of a series, as predictions have it

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


class ActualItem(BaseModel):
    """One value that came, by prediction, or by model, series and timestamp."""

    model_config = ConfigDict(extra="forbid")

    prediction: Annotated[UUID | None, Field(description="id of the prediction it is of")] = None
    step: Annotated[
        int | None,
        Field(ge=1, le=MAX_STEPS, strict=True, description="of the prediction; 1 if left out"),
    ] = None
    model: Annotated[
        str | None, Field(max_length=100, description="name of the model, for a timestamp")
    ] = None
    series: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=MAX_NAME_CHARACTERS,
            pattern=r"^[^\x00]+$",
            description="as the predictions named it; left out: those that named none",
        ),
    ] = None
    timestamp: Annotated[
        str | None, Field(max_length=40, description="when the value was, in ISO form")
    ] = None
    value: Annotated[Number, Field(strict=True, description="of the model's target")]


class ActualsRequest(BaseModel):
    """Values that came."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[ActualItem], Field(min_length=1, max_length=MAX_ACTUALS)]


class ActualsKept(BaseModel):
    """What became of the values."""

    new: int
    changed: Annotated[int, Field(description="another value, or an implied one, stood there")]
    unchanged: int
    matching: Annotated[
        int, Field(description="forecasts answered so far that these are the actuals of")
    ]


class ActualAnswer(BaseModel):
    """One value as it is kept."""

    id: UUID
    model: str
    series: str | None
    timestamp: Annotated[str | None, Field(description="null: given for a prediction without any")]
    step: Annotated[
        int | None,
        Field(
            description="of the prediction that was asked for; where none was, of the one it was "
            "given for, and null where there is a timestamp"
        ),
    ]
    value: float
    source: Annotated[
        Literal["explicit", "implied"], Field(description="implied: by a later request's history")
    ]
    prediction: Annotated[
        UUID | None, Field(description="given for it; or its history implied the value")
    ]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, actual: Actual, *, step: int | None) -> Self:
        """From a row; `step` of the prediction that was asked for, None: none was."""
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
