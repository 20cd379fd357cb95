"""Define the JSON of the log."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.http.moments import Moment
from app.http.paging import DEFAULT_LIMIT, CursorParameter, LimitParameter
from app.recipes.recipe import Kind

# PostgreSQL's text accepts everything except NUL.
Plain = Field(max_length=200, pattern=r"^[^\x00]*$")


class LoggedPrediction(BaseModel):
    """An answered request, as logged."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    request_id: str
    model: str
    version: int
    alias: str | None = Field(description="what the request named; null: a version number")
    kind: Kind
    series: str | None
    key: Annotated[str | None, Field(description="name of the caller's key; null: none")]
    request: Any
    response: Any


class LogFilter(BaseModel):
    """A filter for predictions; omitted fields match everything."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    model: Annotated[str | None, Plain] = None
    version: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
    kind: Kind | None = None
    series: Annotated[str | None, Plain] = None
    request_id: Annotated[str | None, Plain] = None
    key: Annotated[str | None, Plain] = None
    since: Annotated[
        Moment | None, Field(alias="from", description="answered at this time or later")
    ] = None
    until: Annotated[Moment | None, Field(alias="to", description="answered before this time")] = (
        None
    )


class LogQuery(LogFilter):
    """A page of predictions."""

    limit: LimitParameter = DEFAULT_LIMIT
    cursor: CursorParameter = None


ExportFormat = Literal["csv", "parquet"]


class ExportQuery(LogFilter):
    """An export of predictions."""

    format: Annotated[
        ExportFormat, Field(description="csv: a line per prediction; parquet: for data frames")
    ]


class RefusedAnswer(BaseModel):
    """A call that was refused."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    created_at: datetime
    request_id: str
    path: str
    status: int
    key: Annotated[str | None, Field(description="name of the caller's key; null: none")]
    problem: Annotated[dict[str, Any], Field(description="what was answered")]
    body: Annotated[str | None, Field(description="the first 4 KB of what was sent")]
