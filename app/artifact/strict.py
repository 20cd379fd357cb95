"""Define the base of all records in an artifact."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Base of records that are read back; refuses missing and unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
