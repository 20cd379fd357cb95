"""Sums over settled forecasts, and the figures computed from them. No database."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

# Larger errors count as this one, so that the square can still be summed.
LARGEST_ERROR = 1e100


@dataclass(frozen=True, kw_only=True)
class ErrorSums:
    """Sums over settled forecasts."""

    forecasts: int = 0
    signed: float = 0.0  # forecast - actual
    absolute: float = 0.0
    squared: float = 0.0
    compared: int = 0  # those with a persistence forecast
    compared_squared: float = 0.0  # squared errors of the version, over these
    persistence_squared: float = 0.0

    def __add__(self, other: Self) -> Self:
        return self._combined(other, 1)

    def __sub__(self, other: Self) -> Self:
        return self._combined(other, -1)

    def _combined(self, other: Self, sign: int) -> Self:
        return type(self)(
            **{
                field.name: getattr(self, field.name) + sign * getattr(other, field.name)
                for field in fields(self)
            }
        )


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How often the actual was inside the interval of a level."""

    forecasts: int = 0
    covered: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(
            forecasts=self.forecasts + other.forecasts, covered=self.covered + other.covered
        )


@dataclass(frozen=True, kw_only=True)
class ErrorFigures:
    """Figures in the target's unit; None where nothing was measured."""

    forecasts: int
    rmse: float | None
    mae: float | None
    bias: float | None
    persistence_rmse: float | None
    skill: float | None  # 1 - RMSE / RMSE of persistence, over the same forecasts
    skill_missing: str | None


def errors_of(value: float, persistence: float | None, actual: float) -> ErrorSums:
    """Return the sums for one forecast.

    Args:
        value: the forecast.
        persistence: the last known value, which persistence would forecast.
        actual: the observed value.
    """
    error = _bounded(value - actual)
    if persistence is None:
        return ErrorSums(forecasts=1, signed=error, absolute=abs(error), squared=error**2)
    return ErrorSums(
        forecasts=1,
        signed=error,
        absolute=abs(error),
        squared=error**2,
        compared=1,
        compared_squared=error**2,
        persistence_squared=_bounded(persistence - actual) ** 2,
    )


def coverage_of(
    intervals: Sequence[Mapping[str, Any]] | None, actual: float
) -> dict[int, Coverage]:
    """Return, by level, whether the actual is inside the forecast's interval."""
    return {
        int(interval["level"]): Coverage(
            forecasts=1, covered=int(interval["low"] <= actual <= interval["high"])
        )
        for interval in intervals or ()
    }


def figures_of(sums: ErrorSums) -> ErrorFigures:
    """Compute root mean squared error and the other figures; unmeasured ones are None, never 0."""
    count = sums.forecasts
    if not count:
        return ErrorFigures(
            forecasts=0,
            rmse=None,
            mae=None,
            bias=None,
            persistence_rmse=None,
            skill=None,
            skill_missing="no forecast of these days has its actual yet",
        )
    persistence, skill, missing = _skill(sums)
    return ErrorFigures(
        forecasts=count,
        # Corrected actuals are subtracted, and rounding may leave a sum slightly below 0.
        rmse=math.sqrt(max(sums.squared, 0.0) / count),
        mae=max(sums.absolute, 0.0) / count,
        bias=sums.signed / count,
        persistence_rmse=persistence,
        skill=skill,
        skill_missing=missing,
    )


def total(sums: Iterable[ErrorSums]) -> ErrorSums:
    """Return the sum of all."""
    return sum(sums, start=ErrorSums())


def _skill(sums: ErrorSums) -> tuple[float | None, float | None, str | None]:
    if not sums.compared:
        return None, None, "the target is not an input, so there is no last value to repeat"
    own = math.sqrt(max(sums.compared_squared, 0.0) / sums.compared)
    persistence = math.sqrt(max(sums.persistence_squared, 0.0) / sums.compared)
    if persistence == 0:
        return 0.0, None, "repeating the last value made no error at all"
    return persistence, 1 - own / persistence, None


def _bounded(error: float) -> float:
    return max(-LARGEST_ERROR, min(LARGEST_ERROR, error))
