"""Define the answers of the calls that delete."""

from typing import Annotated

from pydantic import BaseModel, Field


class Erased(BaseModel):
    """What was deleted, or with `dry_run` what would be."""

    dry_run: bool
    counts: Annotated[
        dict[str, int],
        Field(description="rows by kind", examples=[{"versions": 3, "jobs": 4}]),
    ]
