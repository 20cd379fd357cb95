"""Hold the result of judging a network, for its scorecard."""

from dataclasses import dataclass
from typing import Literal

from app.artifact.scorecard import SeriesScore, TextScore

JudgedOn = Literal["test", "held-out", "training"]
# Why there is no multilayer perceptron as a baseline where only the api is installed.
WITHOUT_SCIKIT = "it needs scikit-learn, which is not installed where this was measured"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The judging's part of a scorecard."""

    verdict: str
    skill: float | None
    skill_missing: str | None
    notes: tuple[str, ...]
    series: SeriesScore | None = None
    text: TextScore | None = None
