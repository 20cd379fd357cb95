"""The base of everything that is read back from an artifact."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """Base of what is read back: nothing missing, nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")
