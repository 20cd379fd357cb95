"""A series prepared for training: windows, scaling, and what the network learns from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from app.artifact.files import UNIVERSAL_FORECAST
from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.onnx_session import forecasts
from app.artifact.scorecard import Memory
from app.artifact.series_records import CalendarInput, CategoryInput
from app.errors import Unprocessable
from app.forecasting.shrinkage import kept_share
from app.forecasting.windows import complete_runs
from app.judging.judgement import JudgedOn, Judgement
from app.judging.notes import anchor_note, not_trained_on
from app.judging.series_judge import Judged, judge_series
from app.reading.content import DatasetContent
from app.recipes.recipe import SeriesRecipe
from app.training.architecture import Architecture, Weights, architecture_of, with_share
from app.training.export.anchor_graph import UniversalPart
from app.training.export.graph import series_graph
from app.training.fit import Part, Plan
from app.training.keras_network import build_network, with_weights
from app.training.program import Form, capacity_of
from app.training.reach import MOST_EXAMPLES, forecast_memory
from app.training.series.anchors import SeriesAnchors
from app.training.series.calibration import SeriesCalibration
from app.training.series.column_choice import columns_note
from app.training.series.data import Floats, SeriesData
from app.training.series.examples import SeriesExamples, feature_of
from app.training.series.inputs import prepare_inputs
from app.training.series.judged_rows import held_out_rows, test_rows, training_rows
from app.training.task import Description, Phase
from app.training.warm_start import same_form

PARITY_WINDOWS = 256
MOST_SHARE_WINDOWS = 10_000


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesTask:
    """A series and its recipe; implements `task.Task`."""

    recipe: SeriesRecipe
    data: SeriesData
    test: DatasetContent | None
    anchors: SeriesAnchors | None  # what the network's output is added to
    # of the `universal` that is served, if they were trained further; by names of the artifact
    tuned_weights: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def prepare(
        cls,
        content: DatasetContent,
        recipe: SeriesRecipe,
        *,
        target: str | None,
        test: DatasetContent | None,
        start_from: Manifest | None = None,
    ) -> "SeriesTask":
        """Read the dataset for the recipe and settle the anchor.

        Args:
            content: the dataset.
            recipe: what to train.
            target: column to forecast; None for the first.
            test: rows to judge on, if not the last part.
            start_from: the manifest of the version whose weights are the start, if any.

        Raises:
            Unprocessable: the dataset cannot be trained on like this; the message says why and what
                would be right.
        """
        recipe, data, anchors = prepare_inputs(
            content, recipe, target=target, test=test, start_from=start_from
        )
        task = cls(recipe=recipe, data=data, test=test, anchors=anchors)
        task._check_enough()
        _ = task._judged  # a test set that cannot be judged on is refused before training
        return task

    @property
    def judged_on(self) -> JudgedOn:
        """Say what the scorecard's figures are measured on."""
        if self.test is not None:
            return "training" if self._judged.seen else "test"
        return "held-out" if self.recipe.test_fraction > 0 else "training"

    @property
    def rows_left_for_refit(self) -> bool:
        """Return whether phase `training` leaves rows out that `refitting` takes in."""
        return any(group.split.validation_start < group.split.rows for group in self.data.groups)

    def architecture(self, phase: Phase) -> Architecture:
        """Return the shape of the network."""
        del phase  # the same in all phases
        return architecture_of(
            self.recipe,
            inputs=len(self.data.features),
            outputs=self.recipe.steps_ahead,
            anchored=self.anchors is not None,
        )

    def plan(self, phase: Phase, *, epochs: int | None = None) -> Plan:
        """Plan the fit of a phase; `epochs` fixes their number and switches validation off."""
        inputs, targets = self._examples.scaled(phase)
        training, validation = self._examples.parts(phase)
        validating = phase == "training" and len(validation) > 0 and epochs is None
        most = self.recipe.epoch_examples or len(self._examples)
        validation = validation[:: max(1, -(-len(validation) // most))]
        return Plan(
            form=Form(
                architecture=self.architecture(phase),
                reading="series",
                steps=self.data.network_window,
                batch_size=self.recipe.batch_size,
                loss=self.recipe.loss,
                optimizer=self.recipe.optimizer,
                clip_norm=self.recipe.clip_norm,
                capacity=capacity_of(len(self._examples)),
            ),
            inputs=inputs,
            targets=targets,
            training=Part(rows=training, count=min(len(training), most)),
            validation=Part(rows=validation, count=len(validation)) if validating else None,
            epochs=self.recipe.epochs if epochs is None else epochs,
            patience=self.recipe.early_stopping if validating else None,
            keep_best=validating and self.recipe.early_stopping is not None,
            keep_initial=self.anchors is not None,
            learning_rate=self.recipe.learning_rate,
            seed=self.recipe.seed,
        )

    def warm_start(
        self, phase: Phase, fresh: Weights, weights: Weights, vocabulary: tuple[str, ...]
    ) -> Weights:
        """Return the weights of another version of the same shape unchanged."""
        del fresh, vocabulary  # only text needs them
        return same_form(self.architecture(phase), weights)

    def share(self, weights: Weights, check: Callable[[], None]) -> float:
        """Return how much of the trained network's output to keep on top of its anchor.

        This is judged on validation windows, thinned if there are many, in the target's unit; for
        several series in units of each one's mean change, as on the scorecard. Without an anchor or
        without validation rows all of it is kept.
        """
        _, validation = self._examples.parts("training")
        if self.anchors is None or self.recipe.early_stopping is None or not len(validation):
            return 1.0
        chosen = validation[:: -(-len(validation) // MOST_SHARE_WINDOWS)].astype(np.int64)
        inputs, targets, numbers, future = self._examples.chosen(chosen)
        with_network = forecasts(
            self.graph("training", weights), inputs, numbers=numbers, future=future, check=check
        )  # (n, horizon)
        plain = self.graph("training", with_share(weights, 0.0))
        without = forecasts(plain, inputs, numbers=numbers, future=future, check=check)
        units = self.data.units if len(self.data.groups) > 1 else np.ones(1)
        units = np.where(np.isfinite(units), units, np.inf)
        unit = units[self._examples.series[chosen]][:, None]  # (n, 1)
        return kept_share((targets - without) / unit, (with_network - without) / unit)

    def graph(self, phase: Phase, weights: Weights) -> bytes:
        """Return the ONNX file of a phase's network."""
        scaling = self._examples.scaling(phase)
        member = None if self.anchors is None else self.anchors.member(phase)
        return series_graph(
            self.architecture(phase),
            weights,
            window=self.data.window,
            network_window=self.data.network_window,
            scaling=scaling[0] if scaling else None,
            target=self.data.target_index or 0,
            target_scaling=scaling[1] if scaling else None,
            anchor=self._examples.anchor(phase),
            known=self.data.known,
            expected=tuple(feature for feature, _ in self.data.expected),
            at_least=self._examples.at_least(phase),
            universal=None
            if member is None
            else UniversalPart(graph=member.graph, periods=member.periods),
        )

    def constants(self, phase: Phase) -> dict[str, npt.NDArray[Any]]:
        """Return the anchor's arrays, which are kept beside the network's weights."""
        anchor = self._examples.anchor(phase)
        return {**({} if anchor is None else anchor.arrays()), **self.tuned_weights}

    def parity_gap(self, phase: Phase, weights: Weights, graph: bytes) -> float:
        """Compare on held-out windows, or on the last training windows if none are held out."""
        inputs = self._judged.inputs[-PARITY_WINDOWS:]  # (n, window, features)
        numbers = self._judged.numbers[-PARITY_WINDOWS:]
        future = self._judged.future
        future = None if future is None else future[-PARITY_WINDOWS:]
        network = with_weights(
            build_network(
                self.architecture(phase), steps=self.data.network_window, every_step=False
            ),
            weights,
        )
        scaled, _ = self._examples.scale(inputs, np.zeros((len(inputs), 1)), phase, numbers)
        outputs = network(scaled).numpy().astype(np.float64)  # (n, horizon)
        part = None
        if self.anchors is not None and self.anchors.universal is not None:
            part = forecasts(
                graph, inputs, numbers=numbers, future=future, output=UNIVERSAL_FORECAST
            )
        expected = self._examples.unscale(outputs, inputs, phase, numbers, future, universal=part)
        if (least := self._examples.at_least(phase)) is not None:
            expected = np.maximum(expected, least)
        values = np.concatenate([group.target for group in self.data.groups])
        largest = float(np.nanmax(np.abs(values))) or 1.0  # squares of 1e200 are infinite
        deviation = float(np.nanstd(values / largest)) * largest or 1.0
        given = forecasts(graph, inputs, numbers=numbers, future=future)
        return float(np.abs(given - expected).max() / deviation)

    def judge(
        self, phase: Phase, weights: Weights, graph: bytes, check: Callable[[], None]
    ) -> Judgement:
        """Measure the network beside persistence; `check` may raise to stop."""
        del phase, weights  # the graph is the whole network
        return judge_series(
            graph,
            self._judged,
            frequency=self.data.content.frequency,
            window=self.data.window,
            judged_on=self.judged_on,
            check=check,
            notes=self._notes(),
        )

    def memory(self, phase: Phase, weights: Weights) -> Memory | None:
        """Return how far back a phase's network remembers on the judged rows, or None."""
        inputs = self._judged.inputs[-MOST_EXAMPLES:]  # (n, window, features)
        numbers = self._judged.numbers[-MOST_EXAMPLES:]
        scaled, _ = self._examples.scale(inputs, np.zeros((len(inputs), 1)), phase, numbers)
        return forecast_memory(self.recipe, weights, scaled.astype(np.float64))

    def calibration(self) -> SeriesCalibration:
        """Return how a network of this series gets its intervals."""
        return SeriesCalibration(
            data=self.data, horizon=self.recipe.steps_ahead, held_out=self.judged_on == "held-out"
        )

    def describe(self, phase: Phase) -> Description:
        """Return what serving needs to know about a phase's network."""
        groups = self.data.groups
        stops = [self._examples.stop(group, phase) for group in groups]
        inputs = np.concatenate(
            [
                group.inputs[:stop]
                for group, stop in zip(groups, stops, strict=True)
                if group.label not in self._not_trained_on
            ]
        )
        target = np.concatenate(
            [group.target[:stop] for group, stop in zip(groups, stops, strict=True)]
        )
        return Description(
            window=self.data.window,
            min_history=self.data.reach.least,
            horizon=self.recipe.steps_ahead,
            series=SeriesInput(
                features=tuple(map(feature_of, self.data.given, inputs.T)),
                target=self.data.target,
                known=self.data.planned,
                calendar_inputs=_computed(self.data, inputs),
                expected=tuple(self.data.features[place] for place, _ in self.data.expected),
                columns=self.data.uses,
                categories=tuple(map(CategoryInput.of, self.data.encodings_used)),
                frequency=self.data.content.frequency,
                calendar=self.data.calendar,
                closed_on_grid=self.data.closed_on_grid,
                time_form=self.data.content.time_form,
                network_window=self.data.network_window,
                season=self.data.reach.season,
                longest_hole=self.data.reach.longest_hole,
                labels=self._labels,
                never_negative=bool(np.nanmin(target) >= 0),
                at_least=self._examples.at_least(phase),
                scaling=self._examples.told_scaling(phase),
                anchor=None if self.anchors is None else self.anchors.record,
            ),
        )

    @property
    def _labels(self) -> tuple[str, ...]:
        """Return the labels of the series that the graph tells apart."""
        is_told = self._examples.number(0) > 0
        return tuple(group.label for group in self.data.groups) if is_told else ()

    @cached_property
    def _examples(self) -> SeriesExamples:
        return SeriesExamples(recipe=self.recipe, data=self.data, anchors=self.anchors)

    @cached_property
    def _judged(self) -> Judged:
        if self.test is not None:
            return test_rows(self.data, self.test, self.recipe.steps_ahead)
        if self.recipe.test_fraction > 0:
            return held_out_rows(self.data, self.recipe.steps_ahead)
        return training_rows(self.data, self.recipe.steps_ahead)

    @cached_property
    def _not_trained_on(self) -> dict[str, int]:
        """Return the complete consecutive rows, by label, of series too short for any example.

        A series that is too short only before the cut is trained on when the network is fitted
        again.
        """
        last: Phase = "refitting" if self.recipe.refit else "judging"
        found = {}
        for group, first in zip(self.data.groups, self._examples.first, strict=True):
            stop = self._examples.known_until(group, last)
            if not (first + self.recipe.steps_ahead <= stop).any():
                complete = np.isfinite(group.inputs).all(axis=1) & np.isfinite(group.target)
                found[group.label] = max(complete_runs(complete[:stop]))
        return found

    def _check_enough(self) -> None:
        rows = sum(group.split.validation_start for group in self.data.groups)
        needed = self.data.reach.least + self.recipe.steps_ahead
        of_all = sum(group.split.rows for group in self.data.groups)
        training, validation = self._examples.parts("training")
        if not len(training):
            raise Unprocessable(
                f"too short: the {rows} training rows (of {of_all}) hold no complete window of "
                f"{self.data.reach.least} values followed by {self.recipe.steps_ahead}, all of "
                f"them numbers and not all equal; at least {needed} such consecutive rows are "
                "needed, or a smaller recipe.window"
            )
        if self.recipe.early_stopping is not None and not len(validation):
            raise Unprocessable.at(
                "recipe.validation_fraction",
                f"the validation part of the {of_all} rows holds no complete window "
                "in which anything changes; send more rows, raise it, set a smaller "
                "recipe.window, or set early_stopping to null",
            )

    def _notes(self) -> tuple[str, ...]:
        notes = [*self._judged.notes]
        if (every := self.data.all_series) > len(self.data.groups):
            notes.append(
                f"trained and judged on {len(self.data.groups):,} of {every:,} series, evenly "
                "spread over the file; all are forecast by what these have in common"
            )
        if self._not_trained_on:
            notes.append(
                not_trained_on(
                    self._not_trained_on,
                    of=len(self.data.groups),
                    window=self.data.reach.least,
                    needed=self.data.reach.least + self.recipe.steps_ahead,
                    before_cut=not self.recipe.refit and self.judged_on == "held-out",
                )
            )
        possible = sum(
            max(0, group.split.rows - self.data.reach.least - self.recipe.steps_ahead + 1)
            for group in self.data.groups
        )
        if missing := possible - len(self._examples):
            notes.append(f"{missing} of {possible} windows hold a missing value and were left out")
        if flat := int((~self._examples.usable).sum()):
            notes.append(f"{flat} windows in which nothing changes were left out of training")
        if self.anchors is not None:
            notes.append(f"the network is {anchor_note(self.anchors.record)}")
        notes += columns_note(self.data.uses)
        return tuple(notes)


def _computed(data: SeriesData, inputs: Floats) -> tuple[CalendarInput, ...]:
    """Return the calendar inputs with the means of their columns; inputs are (rows, features)."""
    found, at = [], len(data.given)
    for each in data.calendar_inputs:
        usual = np.nanmean(inputs[:, at : at + len(each.columns)], axis=0)
        found.append(CalendarInput.of(each, usual.tolist()))
        at += len(each.columns)
    return tuple(found)
