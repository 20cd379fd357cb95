"""Define the answers of the calls on datasets."""

import json
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from app.reading.report import Report
from app.recipes.recipe import Kind
from app.storage.tables import Dataset

# By the ending of the file's name; other files are served as bytes.
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".gz": "application/gzip",
    ".parquet": "application/vnd.apache.parquet",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
}


def media_type_of(filename: str) -> str:
    """Return the media type for an uploaded file; never one that a browser would run."""
    return MEDIA_TYPES.get(PurePath(filename).suffix.lower(), "application/octet-stream")


class DatasetAnswer(BaseModel):
    """A dataset with the report about how it was read."""

    id: UUID
    kind: Kind
    filename: Annotated[str | None, Field(description="the client's name for the file")]
    size_bytes: int
    sha256: Annotated[str, Field(description="of the uploaded bytes")]
    read: Annotated[dict[str, Any], Field(description="reading options that the upload set")]
    rows_used: Annotated[int | None, Field(description="of a series; null: a text")]
    target: Annotated[str | None, Field(description="the suggested target column")]
    start: Annotated[str | None, Field(description="first time, as in the file")]
    end: Annotated[str | None, Field(description="last time")]
    frequency: Annotated[str | None, Field(description="step of the series: D, B, W, MS, 15min …")]
    extends: Annotated[
        UUID | None,
        Field(
            description="the dataset that this one includes and continues; `sha256` is then of "
            "the joined rows"
        ),
    ]
    extended_by: Annotated[UUID | None, Field(description="the upload that was joined to it")]
    created_at: datetime
    report: Report

    @classmethod
    def of(cls, dataset: Dataset) -> Self:
        """Return the answer for a row."""
        report = Report.model_validate(dataset.report)
        return cls(
            id=dataset.id,
            kind=dataset.kind,
            filename=dataset.filename or None,
            size_bytes=dataset.size_bytes,
            sha256=dataset.sha256,
            read=json.loads(dataset.read_options),
            rows_used=report.rows_used if dataset.kind == "series" else None,
            target=report.target,
            start=report.start,
            end=report.end,
            frequency=report.frequency,
            extends=dataset.extends_id,
            extended_by=dataset.extended_by_id,
            created_at=dataset.created_at,
            report=report,
        )
