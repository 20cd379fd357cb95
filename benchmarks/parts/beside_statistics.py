"""Compare forecasts of the public series from three origins with a statistician's models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.figures import number
from benchmarks.parts.public_series import PublicSeries
from benchmarks.parts.statsforecast import AUTOMATIC, MODELS, Task, reference_forecasts

Floats = npt.NDArray[np.float64]

ORIGINS = 3  # the last three horizons before a series' end
MOST_VALUES = 1000  # to which a reference is fitted
COLUMNS = (
    f"{'series':40}",
    f"{'rows':>6}",
    f"{'RMSE':>8}",
    *(f"{name:>13}" for name in MODELS),
    " best",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """The errors of forecasts of one series, over the horizon at its origins."""

    series: PublicSeries
    error: float  # RMSE
    ratios: Mapping[str, float]  # of the RMSE to that of each reference

    @classmethod
    def of(
        cls,
        series: PublicSeries,
        forecasts: Sequence[Floats],
        references: Sequence[Mapping[str, Floats]],
        actual: Sequence[Floats],
    ) -> "Comparison":
        """Compare forecasts (horizon,) from some origins with those of the references."""
        error = rmse(forecasts, actual)
        others = {name: rmse([each[name] for each in references], actual) for name in MODELS}
        return cls(
            series=series,
            error=error,
            ratios={name: error / other for name, other in others.items()},
        )

    @property
    def best(self) -> float:
        """The ratio to the best automatic model in hindsight."""
        return max(self.ratios[name] for name in AUTOMATIC)

    @property
    def cells(self) -> tuple[str, ...]:
        """The table's row, below `COLUMNS`."""
        return (
            f"{self.series.name:40}",
            f"{len(self.series.values):>6}",
            f"{number(self.error):>8}",
            *(f"{self.ratios[name]:>13.2f}" for name in MODELS),
            f"{self.best:>5.2f}",
        )


def ends(series: PublicSeries) -> list[int]:
    """Return how many rows are known at each origin."""
    return [len(series.values) - back * series.source.horizon for back in range(ORIGINS, 0, -1)]


def references_of(chosen: Sequence[PublicSeries]) -> list[list[dict[str, Floats]]] | None:
    """Return each reference's forecasts by series and origin; None if they cannot be had."""
    tasks = [
        Task(
            values=series.values[:end][-MOST_VALUES:],
            season=series.source.season,
            horizon=series.source.horizon,
        )
        for series in chosen
        for end in ends(series)
    ]
    found = reference_forecasts(tasks) if tasks else None
    if found is None:
        return None
    return [found[start : start + ORIGINS] for start in range(0, len(found), ORIGINS)]


def rmse(forecasts: Sequence[Floats], actual: Sequence[Floats]) -> float:
    """Return the error over all steps of all forecasts."""
    errors = np.concatenate(forecasts) - np.concatenate(actual)
    return float(np.sqrt(np.mean(errors**2)))


def geometric_mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.mean(np.log(ratios))))
