"""A version in a few words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What a list shows of a version; manifest and scorecard can be large."""

    model: str
    number: int
    verdict: str
    skill: float | None
    judged_on: Literal["test", "held-out", "training"]
    decision: Mapping[str, Any]
    created_at: datetime
    deleted_at: datetime | None
