"""Build scorecards of cells from the errors of their forecasts."""

from typing import Any

import numpy as np

from app.artifact.scorecard import CurvePoint, Errors, Scorecard, SeriesScore
from app.assessments.comparisons.outcome import Trained
from app.judging.figures import against
from app.recipes.recipe import Cell
from tests.registry.records import series_manifest, series_scorecard

Floats = np.ndarray[Any, Any]


def scorecard(errors: Floats, baselines: dict[str, Floats], *, start: str = "1") -> Scorecard:
    """Return a scorecard judged on one row per error; every actual value is 100."""
    curve = tuple(
        CurvePoint(time=f"{start}-{row}", actual=100.0, forecast=100.0 + error, persistence=100.0)
        for row, error in enumerate(errors)
    )
    return series_scorecard(
        verdict=f"RMSE {rms(errors):.3g}",
        series=SeriesScore(
            rows=len(errors),
            start=start,
            end=None,
            model=Errors(rmse=rms(errors), mae=float(np.abs(errors).mean())),
            baselines={
                name: Errors(rmse=rms(given), mae=float(np.abs(given).mean()))
                for name, given in baselines.items()
            },
            against={
                name: against(errors[:, None], given[:, None]) for name, given in baselines.items()
            },
            curve=curve,
        ),
    )


def trained(cell: Cell, errors: Floats, baselines: dict[str, Floats], **given: Any) -> Trained:  # noqa: ANN401
    recipe = series_manifest().recipe.model_copy(update={"cell": cell})
    return Trained(
        cell=cell,
        manifest=series_manifest(recipe=recipe),
        scorecard=scorecard(errors, baselines, **given),
    )


def noise(seed: int, size: float = 1.0) -> Floats:
    """Return random errors of 120 rows."""
    return np.random.default_rng(seed).normal(0.0, size, 120)


def rms(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean()))
