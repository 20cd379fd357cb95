"""Measure a version on another dataset, in the reader, away from predictions."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.scorecard import Scorecard
from app.assessments.evaluations.limits import TRAINING_ABSENT, Network
from app.assessments.evaluations.texts import judge_other_text
from app.errors import Unprocessable
from app.forecasting.histories import Reach
from app.forecasting.series_splits import split_series
from app.judging.judgement import JudgedOn, Judgement
from app.judging.other_rows import Ahead, KnownSeries, other_rows
from app.judging.series_judge import judge_series
from app.reading.calendar_inputs import with_calendar_columns
from app.reading.categories import encoded
from app.reading.content import DatasetContent, SeriesContent, TextContent, content_from_bytes
from app.reading.series.grid import gridded


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What to measure; its files are in the request's folder."""

    manifest: Manifest
    scorecard: Scorecard  # of the version, on its own data
    network: Network
    graph: Path  # of that network
    dataset: Path
    training: Path | None  # what the version was trained on; None if it is not here
    field: str  # name of the dataset in errors

    def run(self) -> Scorecard:
        """Return the version's scorecard on the dataset.

        Raises:
            Unprocessable: the dataset does not fit the version; the error names the place.
        """
        other = content_from_bytes(self.dataset.read_bytes())
        training = self._training()
        if self.manifest.series is not None:
            judged_on, judgement = self._series(self.manifest.series, other, training)
        else:
            judged_on, judgement = judge_other_text(
                self.graph.read_bytes(),
                other,
                training if isinstance(training, TextContent) else None,
                manifest=self.manifest,
                judged=self.network == "judged",
                test_fraction=self._test_fraction,
                field=self.field,
            )
        if judgement.series is not None and not math.isfinite(judgement.series.model.rmse):
            raise Unprocessable.at(self.field, "holds values too large to be measured")
        absent = () if training is not None else (TRAINING_ABSENT,)
        return Scorecard(
            judged_on=judged_on,
            network=self.network,
            verdict=judgement.verdict,
            skill=judgement.skill,
            skill_missing=judgement.skill_missing,
            notes=(*absent, *judgement.notes),
            final_loss=self.scorecard.final_loss,
            best_epoch=self.scorecard.best_epoch,
            series=judgement.series,
            text=judgement.text,
        )

    @property
    def _test_fraction(self) -> float:
        """The share of its own dataset that this network was not fitted on."""
        held_out = self.scorecard.judged_on == "held-out"
        fitted_again = self.manifest.refitted and self.network == "served"
        return self.manifest.recipe.test_fraction if held_out and not fitted_again else 0.0

    def _training(self) -> DatasetContent | None:
        """Return what the version was trained on, if it has the columns that the version reads."""
        if self.training is None:
            return None
        content = content_from_bytes(self.training.read_bytes())
        series = self.manifest.series
        if series is None:
            return content if isinstance(content, TextContent) else None
        if not isinstance(content, SeriesContent):
            return None
        content = encoded(content, series.encodings)
        needed = {series.target, *(feature.name for feature in series.features)}
        return content if needed <= set(content.columns) else None

    def _series(
        self, described: SeriesInput, other: DatasetContent, training: DatasetContent | None
    ) -> tuple[JudgedOn, Judgement]:
        known: list[KnownSeries] = []
        features = described.columns_read
        if isinstance(other, SeriesContent):
            other = encoded(other, described.encodings)
        is_own = other == training
        if isinstance(other, SeriesContent):
            other = other.with_calendar_of(described.frequency, described.grid_calendar)
        if isinstance(training, SeriesContent):
            training = training.with_calendar_of(described.frequency, described.grid_calendar)
            known = _known(
                with_calendar_columns(gridded(training), described.calendar_columns),
                features,
                described.target,
                test_fraction=self._test_fraction,
                horizon=self.manifest.horizon,
            )
        reach = Reach.of(self.manifest)
        judged = other_rows(
            known,
            other,
            features=features,
            target=described.target,
            reach=reach,
            ahead=Ahead(
                columns=tuple(features.index(name) for name in described.columns_ahead),
                horizon=self.manifest.horizon,
            ),
            calendar=described.calendar_columns,
            field=self.field,
        )
        judged_on: JudgedOn = "training" if judged.seen else "held-out" if is_own else "test"
        return judged_on, judge_series(
            self.graph.read_bytes(),
            judged,
            frequency=described.frequency,
            window=reach.window,
            judged_on=judged_on,
            check=lambda: None,
            notes=judged.notes,
        )


def _known(
    training: SeriesContent,
    features: tuple[str, ...],
    target: str,
    *,
    test_fraction: float,
    horizon: int,
) -> list[KnownSeries]:
    splits = split_series(
        training, test_fraction=test_fraction, validation_fraction=0.0, horizon=horizon
    )
    known = []
    for own, split in zip(training.every_series(), splits, strict=True):
        inputs = np.stack([own.column(name) for name in features], axis=1)
        known.append(
            KnownSeries(
                label=own.labels[0],
                inputs=np.where(np.isfinite(inputs), inputs, np.nan),
                target=np.where(np.isfinite(own.column(target)), own.column(target), np.nan),
                content=own,
                training=split.test_start,
            )
        )
    return known
