"""Requests and answers of the calls that forecast all series of a dataset."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.http.openapi import json_or_file
from app.predictions.schemas import MAX_STEPS
from app.reading.read_options import ReadOptions

MOST_SERIES = 100_000
MOST_JSON_ROWS = 50_000
DATASET_EXAMPLE = {
    "dataset": "0197d6a0-4a8e-7c3f-9d55-0f6f0c1f7a11",
    "horizon": 14,
    "levels": [80],
}


class ForecastRequest(BaseModel):
    """What to forecast of a dataset."""

    model_config = ConfigDict(extra="forbid")

    dataset: Annotated[UUID | None, Field(description="that was uploaded before")] = None
    series: Annotated[
        list[Annotated[str, Field(max_length=500)]] | None,
        Field(min_length=1, max_length=MOST_SERIES, description="these alone; left out: all"),
    ] = None
    target: Annotated[
        str | None,
        Field(
            max_length=500,
            description="for `universal`: the column to forecast; left out: as the report suggests",
        ),
    ] = None
    horizon: Annotated[
        int | None,
        Field(ge=1, le=MAX_STEPS, description="steps ahead; left out: as `POST /predict` answers"),
    ] = None
    levels: Annotated[
        list[Annotated[int, Field(ge=50, le=99)]],
        Field(max_length=50, description="of the intervals, in percent"),
    ] = []


class ToldAnswer(BaseModel):
    """A warning or an error, and for how many series."""

    model_config = ConfigDict(from_attributes=True)

    message: str
    series: Annotated[int, Field(description="for how many series")]
    example: Annotated[str, Field(description="one of them")]


class ForecastStep(BaseModel):
    """A step of a series, or why the series has none."""

    unique_id: str
    step: Annotated[int | None, Field(description="null: the series could not be forecast")]
    ds: Annotated[str | None, Field(description="its time, if the rows have times")]
    value: float | None
    intervals: list[dict[str, float]]
    error: str | None


class RunCounts(BaseModel):
    """What became of the series of a run."""

    model_config = ConfigDict(from_attributes=True)

    series: int
    failed: Annotated[int, Field(description="series that could not be forecast")]
    rows: int
    horizon: Annotated[int, Field(description="the most steps that any series got")]
    warnings: list[ToldAnswer]
    errors: list[ToldAnswer]


class ForecastAnswer(RunCounts):
    """The forecasts of all series, as JSON."""

    id: UUID
    model: str
    version: int
    forecasts: list[ForecastStep]


class RunAnswer(RunCounts):
    """A run in the log."""

    id: UUID
    model: str
    version: int
    dataset: Annotated[
        UUID | None, Field(validation_alias="dataset_id", description="null: it was deleted")
    ]
    form: str
    levels: list[int]
    key: Annotated[str | None, Field(description="name of the caller's key")]
    created_at: datetime


BODY = json_or_file(
    ForecastRequest,
    example=DATASET_EXAMPLE,
    form={
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "a table of one or more series over time",
        },
        "read": ReadOptions.model_json_schema()
        | {"description": "how to read the file, if a guess is wrong"},
        "order": ForecastRequest.model_json_schema()
        | {"description": "as in the JSON, without dataset"},
    },
    objects=["read", "order"],
)
