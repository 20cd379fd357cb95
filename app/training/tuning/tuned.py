"""Train the weights of `universal` further on a dataset, before the network that is added to it.

A first fit sees the rows before validation and keeps the epoch that is best on the validation rows;
epoch 0, the shipped weights, may be that. The version that is served is fitted again on all rows,
for as many epochs. Intervals that need forecasts of earlier rows come from the shipped weights,
which have not seen any row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from safetensors.numpy import load_file

from app.artifact.files import FORECAST, HISTORY, SEASON_PERIODS, WEIGHTS
from app.artifact.onnx_session import session_of
from app.artifact.series_records import Tuning, UniversalShare
from app.errors import Internal
from app.forecasting.anchors import PREFIX, Anchor
from app.forecasting.holes import filled
from app.jobs.messages import TrainingRequest
from app.training.architecture import Weights
from app.training.fit import Fit, Fitted, Part, Plan
from app.training.program import capacity_of
from app.training.run_state import RunState
from app.training.series.anchors import SeriesAnchors
from app.training.series.data import Floats
from app.training.series.task import SeriesTask
from app.training.series.universal import UniversalMember
from app.training.task import Phase
from app.training.tuning.examples import (
    Histories,
    Tunable,
    every_of,
    form_for,
    training_histories,
    validation_histories,
)
from app.training.tuning.program import TuningForm
from app.training.universal.export import universal_graph
from app.training.universal.form import Form
from app.training.universal.known import known
from app.training.universal.network import weight_shapes
from app.training.universal.tensorflow_network import OPS, run

Arrays = Mapping[str, npt.NDArray[np.float32]]

STORED = f"{PREFIX}tuned."  # before the names of the weights in an artifact
# Smaller than that of the first training (`models.pretrain`), whose weights are to be kept.
RATE = 2e-4
BATCH, HISTORIES_PER_EPOCH = 8, 64
CLIP_NORM = 1.0
PATIENCE = 6  # epochs
UNCHECKED_EPOCHS = 5  # without validation rows, which would say when to stop
PARITY_HISTORIES = 4
MOST_PARITY = 1e-2  # of a history's deviation, as when `universal` is published


def tuned(task: SeriesTask, request: TrainingRequest, state: RunState) -> SeriesTask:
    """Return the task with weights of `universal` that were trained on its data, if it wants that.

    Raises:
        StopRequestedError: the run is to end.
        Internal: a graph differs from its network.
    """
    epochs, anchors = task.recipe.tune_epochs, task.anchors
    if epochs is None or anchors is None or anchors.universal is None:
        return task
    start = _start(request, anchors.universal)
    tuner = _Tuner(task, anchors, anchors.universal, start, state)
    state.enter("compiling")
    first = tuner.fit("tuning", "training", epochs, validating=True)
    served, kept = first.weights, first.best_epoch
    if task.recipe.refit and task.rows_left_for_refit and kept:
        served = tuner.fit("tuning again", "refitting", kept, validating=False).weights
    losses = {each.epoch: each.validation_loss for each in first.epochs}
    share = anchors.record.universal or UniversalShare()
    record = anchors.record.model_copy(
        update={
            "universal": share.model_copy(
                update={"tuning": Tuning(epochs=kept, before=losses.get(0), after=losses.get(kept))}
            )
        }
    )
    members = tuner.members(first.weights, served)
    return replace(
        task,
        anchors=replace(anchors, record=record, tuned=members),
        tuned_weights={f"{STORED}{name}": array for name, array in served.items()},
    )


def _start(request: TrainingRequest, member: UniversalMember) -> Weights:
    """Return the weights to start from: the shipped ones, or those of the version to start from."""
    if request.start_from is not None:
        stored = load_file(request.start_from / WEIGHTS)
        own = {
            name.removeprefix(STORED): array
            for name, array in stored.items()
            if name.startswith(STORED)
        }
        if own:
            return own
    return load_file(member.network.folder / WEIGHTS)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Given:
    """The histories of a fit, and its series."""

    series: tuple[Tunable, ...]
    training: Histories
    validation: Histories | None


class _Tuner:
    """Fits the weights of `universal` on the series of a task."""

    def __init__(
        self,
        task: SeriesTask,
        anchors: SeriesAnchors,
        member: UniversalMember,
        start: Weights,
        state: RunState,
    ) -> None:
        self._task, self._anchors, self._member = task, anchors, member
        self._start, self._state = start, state
        longest = max(group.split.rows for group in task.data.groups)
        self._form = form_for(min(longest, task.data.window))

    def fit(self, name: str, phase: Phase, epochs: int, *, validating: bool) -> Fitted:
        """Run one fit.

        Args:
            name: under which progress is reported and saved.
            phase: decides the rows.
            epochs: at most.
            validating: whether the best epoch on validation rows is kept, if there are any.
        """
        plan = self._plan(phase, epochs, validating=validating)
        fit = Fit(
            plan,
            self._start,
            saved=self._state.saved_fit(name),
            between=self._state.between,
            report=lambda progress: self._state.report(name, progress),
        )
        self._state.begin_fit(name, fit.position)
        return fit.run()

    def members(self, first: Weights, served: Weights) -> dict[Phase, UniversalMember]:
        """Return `universal` with its trained weights, for the phases that use such."""
        own = self._exported(first)
        last = own if served is first else self._exported(served)
        return {"training": own, "judging": own, "refitting": last}

    def _plan(self, phase: Phase, epochs: int, *, validating: bool) -> Plan:
        given = self._given(phase, validating=validating)
        validation, count = given.validation, len(given.training)
        parts = [given.training] if validation is None else [given.training, validation]
        if validating and validation is None:
            epochs = min(epochs, UNCHECKED_EPOCHS)
        rows = sum(map(len, parts))
        told = np.concatenate([np.tile(self._member.periods, (len(each), 1)) for each in parts])
        counted = np.concatenate([each.counted for each in parts])
        return Plan(
            form=TuningForm(
                network=self._form,
                horizon=self._task.recipe.steps_ahead,
                every=every_of(self._form),
                batch_size=BATCH,
                clip_norm=CLIP_NORM,
                capacity=capacity_of(rows),
            ),
            inputs=np.concatenate([each.series for each in parts]),
            targets=np.column_stack((told, counted)).astype(np.float32),
            training=Part(
                rows=np.arange(count, dtype=np.int32), count=min(count, HISTORIES_PER_EPOCH)
            ),
            validation=None
            if validation is None
            else Part(rows=np.arange(count, rows, dtype=np.int32), count=len(validation)),
            epochs=epochs,
            patience=None if validation is None else PATIENCE,
            keep_best=validation is not None,
            keep_initial=True,
            learning_rate=RATE,
            seed=self._task.recipe.seed,
        )

    def _given(self, phase: Phase, *, validating: bool) -> _Given:
        groups = self._task.data.groups
        series = tuple(
            Tunable(
                values=self._values(place, phase),
                validation_start=group.split.validation_start,
                test_start=group.split.test_start,
            )
            for place, group in enumerate(groups)
        )
        whole = phase == "refitting"
        splits = [group.split for group in groups]
        stops = [each.rows if whole else each.validation_start for each in splits]
        validation = validation_histories(series, self._form) if validating else None
        return _Given(
            series=series,
            training=training_histories(series, stops, self._form),
            validation=validation if validation is not None and len(validation) else None,
        )

    def _values(self, place: int, phase: Phase) -> Floats:
        """Return a series without the effects of other columns, (rows,)."""
        data, anchor = self._task.data, self._anchors.by_phase[phase]
        group = data.groups[place]
        if not data.with_effects or not np.isfinite(group.target).any():
            return group.target
        return _without_effects(
            anchor, group.target, group.inputs[:, list(data.with_effects)], place
        )

    def _exported(self, weights: Weights) -> UniversalMember:
        """Return `universal` with other weights.

        Raises:
            Internal: the graph differs from the network.
        """
        graph = universal_graph(weights, Form())
        gap = _parity(graph, weights, self._task, self._member.periods)
        if not gap <= MOST_PARITY:  # also refuses NaN
            raise Internal(
                f"the exported graph of universal differs from its network by {gap:.2g} of a "
                f"history's deviation; at most {MOST_PARITY:g} is allowed, so the version was not "
                "registered"
            )
        return self._member.with_graph(graph)


def _without_effects(anchor: Anchor, target: Floats, columns: Floats, place: int) -> Floats:
    number = place + 1 if anchor.series > 1 else 0
    whole = np.stack([_filled(column) for column in columns.T], axis=1)
    plain = anchor.without_effects(_filled(target)[None], np.array([number]), whole[None])[0]
    return np.where(np.isfinite(target), plain, np.nan)


def _filled(column: Floats) -> Floats:
    return filled(column, season=None) if np.isfinite(column).any() else np.zeros(len(column))


def _parity(graph: bytes, weights: Arrays, task: SeriesTask, periods: Sequence[int]) -> float:
    """Return the largest difference between graph and network, in a history's deviations."""
    form = Form()
    longest = sorted(task.data.groups, key=lambda group: -group.split.rows)[:PARITY_HISTORIES]
    histories = np.full((len(longest), form.context), np.nan)
    for row, group in zip(histories, longest, strict=True):
        own = group.target[: group.split.rows][-form.context :]
        row[len(row) - len(own) :] = own
    told = np.tile(periods, (len(histories), 1))
    ahead = session_of(graph).run(
        [FORECAST], {HISTORY: histories[:, :, None], SEASON_PERIODS: told.astype(np.int64)}
    )[0]
    given = known(OPS, tf.constant(histories), tf.constant(told, tf.float32))
    named = {name: tf.constant(weights[name]) for name in weight_shapes(form)}
    found = run(named, tf.constant(histories), tf.constant(told, tf.float32), form)
    median = found.median[:, -1].numpy() * given.scale.numpy() + given.center.numpy()
    largest = np.nanmax(np.abs(histories), axis=1, keepdims=True)
    deviation = np.nanstd(histories / largest, axis=1, keepdims=True) * largest
    gaps = np.abs(median - ahead) / np.where(deviation > 0, deviation, np.inf)
    return float(gaps.max())
