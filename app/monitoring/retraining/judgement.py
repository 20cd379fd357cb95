"""Compare live figures with the thresholds of a schedule."""

from dataclasses import dataclass
from typing import Any, Self

from app.monitoring.aggregates import Coverage, ErrorSums, figures_of
from app.monitoring.schemas import Thresholds
from app.monitoring.texts.sums import TextSums, text_figures


@dataclass(frozen=True, kw_only=True)
class Live:
    """The live skill of a version."""

    settled: int  # forecasts or texts with a known actual
    compared: int  # those that the skill is over
    skill: float | None
    skill_missing: str | None
    unit: str  # what is settled, in the plural

    @classmethod
    def of_series(cls, errors: ErrorSums) -> Self:
        """Return that of a version for series."""
        live = figures_of(errors)
        return cls(
            settled=live.forecasts,
            compared=errors.compared,
            skill=live.skill,
            skill_missing=live.skill_missing,
            unit="forecasts",
        )

    @classmethod
    def of_texts(cls, sums: TextSums) -> Self:
        """Return that of a version for texts."""
        live = text_figures(sums)
        return cls(
            settled=live.texts,
            compared=live.texts,
            skill=live.skill,
            skill_missing=live.skill_missing,
            unit="texts",
        )


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Live figures compared with thresholds."""

    passed: bool
    reason: str
    figures: dict[str, Any]


def judge(live: Live, coverage: dict[int, Coverage], thresholds: Thresholds) -> Judgement:
    """Return whether a threshold is passed.

    Args:
        live: skill of the champion over the days of the thresholds.
        coverage: of the same forecasts' intervals, by level.
        thresholds: as scheduled.
    """
    figures: dict[str, Any] = {
        live.unit: live.settled,
        "skill": live.skill,
        "coverage": {
            str(level): 100 * one.covered / one.forecasts for level, one in coverage.items()
        },
        "days": thresholds.days,
    }
    reasons = []
    enough = thresholds.forecasts
    lowest, most_off = thresholds.skill_below, thresholds.coverage_off_by
    skill = live.skill if live.compared >= enough else None
    if lowest is not None and skill is not None and skill < lowest:
        reasons.append(f"live skill {skill:.3g} is below {lowest:g}")
    for level, one in coverage.items():
        observed = 100 * one.covered / one.forecasts
        is_off = most_off is not None and abs(observed - level) > most_off
        if one.forecasts >= enough and is_off:
            reasons.append(f"intervals of {level} % covered {observed:.3g} %")
    if reasons:
        told = f"{'; '.join(reasons)} (over {live.settled} {live.unit})"
        return Judgement(passed=True, reason=told, figures=figures)
    most = max([live.settled, *(one.forecasts for one in coverage.values())])
    if most < enough:
        told = f"{most} settled {live.unit} are too few to decide; {enough} are needed"
    elif lowest is not None and live.skill is None and most_off is None:
        told = f"no live skill to compare: {live.skill_missing}"
    else:
        told = f"no threshold is passed (over {live.settled} {live.unit})"
    return Judgement(passed=False, reason=told, figures=figures)
