"""Train on a series of the accuracy table in this process, and compare simple forecasts."""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from app.artifact.files import read_artifact
from app.artifact.manifest import SeriesInput
from app.artifact.scorecard import Scorecard, SeriesScore
from app.artifact.series_records import SeriesAnchor
from app.forecasting.metrics import rmse
from app.forecasting.windows import windows
from app.jobs.messages import Progress, TrainingRequest
from app.judging.forecasts import JudgedSeries
from app.judging.simple_forecasts import (
    AUTOREGRESSION,
    DRIFT,
    PERSISTENCE,
    SEASONAL,
    simple_forecasts,
)
from app.recipes.recipe import SeriesRecipe
from app.training.run import run_training  # noqa: TID251 - measures the training itself
from app.training.series.data import SeriesData, read_series  # noqa: TID251 - see above
from benchmarks.series import Series

NAIVE = (PERSISTENCE, DRIFT, SEASONAL)
SIMPLE = (*NAIVE, AUTOREGRESSION)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A simple forecast compared with the model."""

    name: str
    ratio: float  # RMSE of the model divided by its RMSE
    verdict: str  # about the model, by the Diebold-Mariano test
    skill: float  # 1 - ratio


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table."""

    series: str
    rows: int
    structure: bool
    foreseeable: bool
    anchor: str
    epochs: int  # share of the network that was kept
    rmse: float
    chosen: Beside  # the simple forecast that is best on validation rows
    hindsight: Beside  # the one that is best on the judged rows
    naive: Beside  # the best without fitted parameters, on the judged rows
    seconds: float  # processor time, which does not depend on how busy the machine is
    calibrated: int  # forecasts on which the judged network's intervals were calibrated
    scorecard: Scorecard

    def coverage(self, level: int) -> tuple[float, int]:
        """Return the share of the judged rows inside a level's intervals, and the rows' number."""
        intervals = self.scorecard.series.intervals if self.scorecard.series else ()
        found = [each for each in intervals if each.level == level]
        return (found[0].coverage, found[0].rows) if found else (float("nan"), 0)


class Unwatched:
    """A control that never interferes."""

    def progress(self, progress: Progress) -> None:
        """Ignore progress."""

    def checkpoint(self, path: Path) -> None:
        """Ignore checkpoints."""

    def check(self) -> None:
        """Never stop."""


def judged(series: Series, recipe: SeriesRecipe) -> Row:
    """Train on a series and read the scorecard."""
    started = time.process_time()
    with TemporaryDirectory() as folder:
        manifest, card = read_artifact(trained(Path(folder), series, recipe))
    seconds = time.process_time() - started
    score = card.series
    if score is None or manifest.series is None:
        raise TypeError(f"{series.name} was judged as a text")
    anchor = manifest.series.anchor
    return Row(
        series=series.name,
        rows=len(series.content),
        structure=series.structure,
        foreseeable=series.foreseeable,
        anchor="none" if anchor is None else _anchor_name(anchor),
        epochs=card.best_epoch or 0,
        rmse=_known(score.model.rmse),
        chosen=_beside(score, best_on_validation(series, recipe, there=tuple(score.baselines))),
        hindsight=_beside(score, _best(score, SIMPLE)),
        naive=_beside(score, _best(score, NAIVE)),
        seconds=seconds,
        calibrated=_calibrated(manifest.series, score),
        scorecard=card,
    )


def _calibrated(described: SeriesInput, score: SeriesScore) -> int:
    if described.intervals is None:
        return 0
    # The served network's intervals are also calibrated on the held-out rows, after judging.
    held_out = described.intervals.calibrated_on == "validation and held-out"
    return described.intervals.forecasts - (score.rows if held_out else 0)


def best_on_validation(series: Series, recipe: SeriesRecipe, *, there: tuple[str, ...]) -> str:
    """Return the simple forecast with the lowest RMSE on validation rows, fitted before them.

    Args:
        series: that is forecast.
        recipe: decides where validation begins and ends.
        there: simple forecasts that have figures in the scorecard.
    """
    data = read_series(
        series.content, recipe, target=series.target, has_test=series.test is not None
    )
    before = _validation_rows(data)
    told = simple_forecasts(
        before, horizon=1, frequency=series.content.frequency, window=data.window
    ).forecasts
    actual = before.actual(1)[:, 0]
    errors = {
        name: rmse(actual, told[name][:, 0]) for name in SIMPLE if name in told and name in there
    }
    return min(errors, key=lambda name: (not np.isfinite(errors[name]), errors[name]))


def _validation_rows(data: SeriesData) -> JudgedSeries:
    (group,) = data.groups
    values = group.target[: group.split.test_start]
    every = windows(group.inputs[: len(values)], values, window=data.window, horizon=1)
    rows = every.where(group.split.validation(every))
    return JudgedSeries(
        label=group.label,
        inputs=rows.inputs,
        values=values,
        first=rows.first,
        training=values[: group.split.validation_start],
        times=tuple(group.times(rows.first)),
    )


def trained(folder: Path, series: Series, recipe: SeriesRecipe) -> Path:
    """Train on a series within an empty folder, and return the artifact's folder."""
    request = _request(folder, series, recipe)
    run_training(request, Unwatched())
    return request.output_dir


def _request(folder: Path, series: Series, recipe: SeriesRecipe) -> TrainingRequest:
    for name in ("output", "checkpoints"):
        (folder / name).mkdir()
    (folder / "dataset").write_bytes(series.content.to_bytes())
    if series.test is not None:
        (folder / "test").write_bytes(series.test.to_bytes())
    return TrainingRequest(
        model="accuracy",
        recipe=recipe,
        dataset=folder / "dataset",
        dataset_id=None,
        dataset_sha256="0" * 64,
        target=series.target,
        output_dir=folder / "output",
        checkpoint_dir=folder / "checkpoints",
        test=folder / "test" if series.test is not None else None,
    )


def _best(score: SeriesScore, names: tuple[str, ...]) -> str:
    return min(
        (name for name in names if name in score.baselines),
        key=lambda name: _known(score.baselines[name].rmse),
    )


def _beside(score: SeriesScore, name: str) -> Beside:
    """Compare on the rows that both forecast."""
    against = score.against[name]
    skill = _known(against.skill)
    return Beside(name=name, ratio=1 - skill, verdict=against.verdict, skill=skill)


def _known(figure: float | None) -> float:
    return float("nan") if figure is None else figure


def _anchor_name(anchor: SeriesAnchor) -> str:
    return f"{anchor.name} {anchor.season}" if anchor.season else anchor.name
