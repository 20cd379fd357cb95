"""What a scorecard says of a network."""

from dataclasses import dataclass
from typing import Literal

from app.artifact.scorecard import SeriesScore, TextScore

JudgedOn = Literal["test", "held-out", "training"]
# Why a multilayer perceptron is no baseline where only the api is installed.
WITHOUT_SCIKIT = "it takes scikit-learn, which is not installed where this was measured"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a scorecard says of a network."""

    verdict: str
    skill: float | None
    skill_missing: str | None
    notes: tuple[str, ...]
    series: SeriesScore | None = None
    text: TextScore | None = None
