"""What the calls that delete answer with."""

from typing import Annotated

from pydantic import BaseModel, Field


class Erased(BaseModel):
    """What was deleted, or with `dry_run` what would be."""

    dry_run: bool
    counts: Annotated[
        dict[str, int],
        Field(description="rows by what they are", examples=[{"versions": 3, "jobs": 4}]),
    ]
