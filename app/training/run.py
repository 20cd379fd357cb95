"""A training run from the dataset to the artifact: load, fit, judge, fit again, export.

Which rows are fitted on and which judged on:

- a test set is given: the run fits on all rows and is judged on the test set. Where a part was
  kept for validation, it first finds the number of epochs with it, then fits again on all rows.
- none is given: the last `test_fraction` is held out, the rest fitted on, the held-out part judged
  once; then, unless `refit` is false, the network is fitted again on all rows, for as many epochs
  as were kept. What was judged stays beside it as `judged.onnx`.
- nothing is held out: fitted on all rows and measured on them, which the verdict says.
"""

import time
from dataclasses import replace
from typing import Any

from app.artifact.files import read_artifact
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Memory, Scorecard
from app.errors import Internal, Unprocessable
from app.jobs.messages import Progress, TrainingRequest
from app.judging.judgement import JudgedOn, Judgement
from app.judging.notes import share_notes
from app.reading.content import content_from_bytes
from app.recipes.recipe import SeriesRecipe
from app.training.architecture import Weights, with_share
from app.training.checkpoints import Arrays, Saved, read_checkpoint, run_key, write_checkpoint
from app.training.control import Control, StopRequestedError
from app.training.export.artifact import (
    library_versions,
    now,
    read_weights,
    thinned,
    write_artifact,
)
from app.training.fit import Fit, Fitted, Position, steadied
from app.training.keras_network import initial_weights
from app.training.series.calibration import Calibrated, SeriesCalibration, Source
from app.training.series.task import SeriesTask
from app.training.task import LARGEST_PARITY_GAP, Phase, Task
from app.training.text.task import TextTask

CHECKPOINT_SECONDS = 8.0  # 10 are allowed, and a compiled call may take 2
# Judging and exporting together, for the time left; measured on the chapter's models.
CLOSING_SECONDS = 1.0


def run_training(request: TrainingRequest, control: Control) -> None:
    """Trains one version and leaves its artifact in the request's `output_dir`.

    Raises:
        StopRequestedError: told to stop; a checkpoint was handed over first if it was asked for.
        Unprocessable: the run cannot succeed with this data and recipe.
        Internal: the exported graph does not compute what the network computes.
    """
    run = _Run(request, control)
    try:
        run.execute()
    except StopRequestedError as stop:
        if stop.checkpoint:
            run.save()
        raise


class _Run:
    """A run and how far it has come."""

    def __init__(self, request: TrainingRequest, control: Control) -> None:
        self.request = request
        self.control = control
        self.key = run_key(request)
        self.started = time.monotonic()
        self.last_save = self.started
        self.positions: dict[Phase, Position] = {}
        self.saved: Saved | None = None

    def execute(self) -> None:
        """The run from top to bottom."""
        self._enter("loading")
        recipe = self.request.recipe
        task = prepare_task(self.request)
        self.saved = read_checkpoint(self.request.checkpoint_dir, run=self.key)
        refit = recipe.refit and task.rows_left_for_refit
        judged_first = refit and task.judged_on == "held-out"

        calibration = task.calibration()
        alone = calibration is not None and not calibration.has_validation
        first = self._fit(task, "training", later=refit + alone)
        first = steadied(first, task.share(first.weights))
        plain = task.graph("training", first.weights)
        scores = self._scores(task, first, plain, calibration)
        plain = task.graph("judging", first.weights)
        known = self._calibrated(calibration, plain, scores, refitted=False)
        first_graph = known.graph
        if judged_first:
            judgement = self._judge(task, "judging", first, first_graph)
        phase: Phase = "refitting" if refit else "judging"
        served = self._fit(task, "refitting", epochs=first) if refit else first
        if refit:
            if calibration is not None:
                scores = calibration.for_refitted(scores, plain, self._between)
            plain = task.graph(phase, served.weights)
            known = self._calibrated(calibration, plain, scores, refitted=True)
        graph = known.graph
        if not judged_first:
            judgement = self._judge(task, phase, served, graph)

        self._enter("exporting")
        parity = self._parity(task, phase, served, graph)
        if judged_first:
            self._parity(task, "judging", first, first_graph)
        self.control.check()
        write_artifact(
            self.request.output_dir,
            manifest=self._manifest(
                task, phase, refitted=judged_first, parity=parity, intervals=known
            ),
            scorecard=self._scorecard(
                task,
                judgement,
                first,
                judged_first=judged_first,
                memory=task.memory(phase, served.weights),
            ),
            weights={**served.weights, **task.constants(phase)},
            graph=graph,
            judged_graph=first_graph if judged_first else None,
        )

    def save(self) -> None:
        """Leaves a checkpoint of what was fitted so far, and hands it over."""
        if not self.positions:
            return
        values: dict[str, Any] = {"seconds": self._seconds(), "fits": {}}
        arrays: Arrays = {}
        # What an earlier attempt had begun, and this one has not come to yet, is kept as well.
        earlier = self.saved.values["fits"] if self.saved else ()
        fits = {phase: begun for phase in earlier if (begun := self._saved_fit(phase))}
        fits |= {phase: position.save() for phase, position in self.positions.items()}
        for phase, (values["fits"][phase], own) in fits.items():
            arrays |= {f"{phase}/{name}": array for name, array in own.items()}
        saved = Saved(run=self.key, values=values, arrays=arrays)
        self.control.checkpoint(write_checkpoint(self.request.checkpoint_dir, saved))
        self.last_save = time.monotonic()

    def _fit(
        self, task: Task, phase: Phase, *, epochs: Fitted | None = None, later: int = 0
    ) -> Fitted:
        """One fit; with `epochs`, as many as that one kept; `later`: fits to come after it."""
        start = self._start(task, phase)
        if epochs is not None and epochs.best_epoch == 0:
            return replace(epochs, weights=with_share(start, epochs.share))
        self._enter("compiling")
        plan = task.plan(phase, epochs=None if epochs is None else epochs.best_epoch)
        fit = Fit(
            plan,
            start,
            saved=self._saved_fit(phase),
            between=self._between,
            report=lambda progress: self._report(phase, progress),
        )
        # The fits after this one have as many epochs at most, a little longer or shorter each.
        fit.later_batches = later * plan.epochs * fit.batches
        self.positions[phase] = fit.position
        fitted, share = fit.run(), 1.0 if epochs is None else epochs.share
        return replace(fitted, weights=with_share(fitted.weights, share), share=share)

    def _scores(
        self, task: Task, first: Fitted, graph: bytes, calibration: SeriesCalibration | None
    ) -> Source | str:
        """Errors to calibrate intervals on, or why there are none."""
        if calibration is None:
            return "a text's answer is probabilities already"
        if calibration.has_validation:
            anchor = _anchor_alone(task, first)
            return calibration.on_validation(graph, self._between, anchor=anchor)
        try:
            if not task.plan("calibrating").training.count:
                return "no rows were kept for validation, and there are too few to leave some out"
            own = self._fit(task, "calibrating", epochs=first)
        except Unprocessable as error:
            return f"on the first rows alone the training fails: {error}"
        return calibration.on_last_training(task.graph("calibrating", own.weights), self._between)

    def _calibrated(
        self,
        calibration: SeriesCalibration | None,
        graph: bytes,
        scores: Source | str,
        *,
        refitted: bool,
    ) -> Calibrated:
        if calibration is None:
            return Calibrated(graph=graph)
        return calibration.calibrated(
            graph, scores, refitted=refitted, start_from=self.request.start_from_name
        )

    def _start(self, task: Task, phase: Phase) -> Weights:
        folder = self.request.start_from
        weights = initial_weights(task.architecture(phase), seed=self.request.recipe.seed)
        if folder is None:
            return weights
        manifest, _ = read_artifact(folder)
        vocabulary = manifest.text.vocabulary if manifest.text else ()
        return task.warm_start(phase, weights, read_weights(folder), vocabulary)

    def _saved_fit(self, phase: Phase) -> tuple[dict[str, Any], Arrays] | None:
        if self.saved is None or phase not in self.saved.values["fits"]:
            return None
        prefix = f"{phase}/"
        arrays = {
            name.removeprefix(prefix): array
            for name, array in self.saved.arrays.items()
            if name.startswith(prefix)
        }
        return self.saved.values["fits"][phase], arrays

    def _judge(self, task: Task, phase: Phase, fitted: Fitted, graph: bytes) -> Judgement:
        self._enter("judging")
        return task.judge(phase, fitted.weights, graph, self._between)

    def _parity(self, task: Task, phase: Phase, fitted: Fitted, graph: bytes) -> float:
        """How far ONNX and Keras lie apart.

        Raises:
            Internal: too far.
        """
        gap = task.parity_gap(phase, fitted.weights, graph)
        if not gap <= LARGEST_PARITY_GAP:  # NaN is refused too
            raise Internal(
                f"the exported graph differs from the trained network by {gap:.2g} (of the "
                f"target's standard deviation, or in probability); at most {LARGEST_PARITY_GAP:g} "
                "is allowed, so the version was not registered"
            )
        return gap

    def _between(self) -> None:
        """Between two compiled calls: stop if told to, leave a checkpoint when it is time."""
        self.control.check()
        if time.monotonic() - self.last_save >= CHECKPOINT_SECONDS:
            self.save()

    def _enter(self, stage: str) -> None:
        self.control.progress(Progress(stage=stage))
        self.control.check()

    def _report(self, phase: Phase, progress: Progress) -> None:
        eta = progress.eta_seconds
        self.control.progress(
            replace(
                progress,
                stage=phase,
                eta_seconds=None if eta is None else eta + CLOSING_SECONDS,
            )
        )

    def _seconds(self) -> float:
        earlier = self.saved.values["seconds"] if self.saved else 0.0
        return float(earlier + time.monotonic() - self.started)

    def _manifest(
        self, task: Task, phase: Phase, *, refitted: bool, parity: float, intervals: Calibrated
    ) -> Manifest:
        request, described = self.request, task.describe(phase)
        series = described.series
        if series is not None:
            told = {"intervals": intervals.record, "intervals_missing": intervals.missing}
            series = series.model_copy(update=told)
        return Manifest(
            kind=request.recipe.kind,
            recipe=request.recipe,
            window=described.window,
            min_history=described.min_history,
            horizon=described.horizon,
            series=series,
            text=described.text,
            refitted=refitted,
            parity=parity,
            dataset_sha256=request.dataset_sha256,
            dataset_id=request.dataset_id,
            test_dataset_id=request.test_dataset_id,
            start_from=request.start_from_name,
            libraries=library_versions(),
            seed=request.recipe.seed,
            trained_at=now(),
            training_seconds=round(self._seconds(), 3),
        )

    def _scorecard(
        self,
        task: Task,
        judgement: Judgement,
        first: Fitted,
        *,
        judged_first: bool,
        memory: Memory | None,
    ) -> Scorecard:
        return Scorecard(
            judged_on=task.judged_on,
            network="judged" if judged_first else "served",
            verdict=judgement.verdict,
            skill=judgement.skill,
            skill_missing=judgement.skill_missing,
            notes=(
                *_start_notes(self.request.start_from_name, task.judged_on),
                *judgement.notes,
                *share_notes(first.share),
            ),
            final_loss=first.final_loss,
            best_epoch=first.best_epoch,
            series=judgement.series,
            text=judgement.text,
            memory=memory,
            epochs=thinned(first.epochs),
        )


def _start_notes(start_from: str | None, judged_on: JudgedOn) -> tuple[str, ...]:
    """What a warm start does to the figures: a walk's network had a skill of 0.4 by it."""
    if start_from is None or judged_on == "training":
        return ()
    seen = "which may have been fitted on the judged rows: the figures may be too good"
    return (f"started from {start_from}, {seen}",)


def _anchor_alone(task: Task, first: Fitted) -> bytes | None:
    """The anchor fitted for calibration, if the network adds nothing to it and it can be fitted."""
    parts = [first.weights[name] for name in ("output.kernel", "output.bias")]
    if not task.architecture("training").zero_output or any(part.any() for part in parts):
        return None
    try:
        return task.graph("calibrating", first.weights)
    except Unprocessable:
        return None


def prepare_task(request: TrainingRequest) -> Task:
    """Reads dataset and test set for the recipe.

    Raises:
        Unprocessable: they cannot be used so; says what would be right.
    """
    content = content_from_bytes(request.dataset.read_bytes())
    test = None if request.test is None else content_from_bytes(request.test.read_bytes())
    if isinstance(request.recipe, SeriesRecipe):
        start = None if request.start_from is None else read_artifact(request.start_from)[0]
        return SeriesTask.prepare(
            content, request.recipe, target=request.target, test=test, start_from=start
        )
    return TextTask.prepare(content, request.recipe, test=test)
