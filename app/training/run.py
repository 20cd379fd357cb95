"""Train one version, from the dataset to the artifact: load, fit, judge, refit, export.

The steps are in `run_training` and `_Run.execute`. The request decides which rows are used how:

- With a test set, the network is fitted on all rows and judged on the test set. If rows are kept
  for validation, a first fit finds the number of epochs, and a second one uses all rows.
- Without a test set, the last `test_fraction` of the rows is held out. The network is fitted on the
  others and judged once on the held-out rows. Then, unless `refit` is false, it is fitted again on
  all rows with the same number of epochs. The judged network is kept as `judged.onnx`.
- If nothing is held out, the network is fitted on all rows and measured on them, and the verdict
  says so.
"""

from dataclasses import dataclass, replace
from typing import Literal

from app.artifact.files import read_artifact
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Memory, Scorecard
from app.errors import Internal, Unprocessable
from app.jobs.messages import TrainingRequest
from app.judging.judgement import JudgedOn, Judgement
from app.judging.notes import share_notes
from app.reading.content import content_from_bytes
from app.recipes.recipe import SeriesRecipe
from app.training.architecture import Weights, with_share
from app.training.control import Control, StopRequestedError
from app.training.export.artifact import (
    library_versions,
    now,
    read_weights,
    thinned,
    write_artifact,
)
from app.training.fit import Fit, Fitted, steadied
from app.training.keras_network import initial_weights
from app.training.run_state import RunState
from app.training.series.calibration import Calibrated, SeriesCalibration, Source
from app.training.series.task import SeriesTask
from app.training.task import LARGEST_PARITY_GAP, Phase, Task
from app.training.text.task import TextTask
from app.training.tuning.tuned import tuned


def run_training(request: TrainingRequest, control: Control) -> None:
    """Train one version and write its artifact to the request's `output_dir`.

    Args:
        request: what to train on and how.
        control: receives progress and checkpoints, and may ask the run to stop.

    Raises:
        StopRequestedError: the run was asked to stop; it saved a checkpoint first if requested.
        Unprocessable: the run cannot succeed with this data and recipe.
        Internal: the exported graph differs from the network.
    """
    state = RunState(request, control)
    try:
        state.enter("loading")
        task = prepare_task(request)
        state.resume()
        if isinstance(task, SeriesTask):
            task = tuned(task, request, state)
        _Run(request, task, state).execute()
    except StopRequestedError as stop:
        if stop.checkpoint:
            state.save()
        raise


def prepare_task(request: TrainingRequest) -> Task:
    """Read dataset and test set for the recipe.

    Raises:
        Unprocessable: they cannot be used for it; the message says what to change.
    """
    content = content_from_bytes(request.dataset.read_bytes())
    test = None if request.test is None else content_from_bytes(request.test.read_bytes())
    if isinstance(request.recipe, SeriesRecipe):
        start = None if request.start_from is None else read_artifact(request.start_from)[0]
        return SeriesTask.prepare(
            content, request.recipe, target=request.target, test=test, start_from=start
        )
    return TextTask.prepare(content, request.recipe, test=test)


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A fitted network with its graphs."""

    phase: Phase
    fitted: Fitted
    plain: bytes  # the ONNX file without intervals
    errors: Source | str  # that its intervals are calibrated on, or why there are none
    calibrated: Calibrated  # the ONNX file with intervals, and their record


class _Run:
    """A run of one request, after loading."""

    def __init__(self, request: TrainingRequest, task: Task, state: RunState) -> None:
        self._request = request
        self._task = task
        self._state = state
        self._calibration: SeriesCalibration | None = task.calibration()

    def execute(self) -> None:
        """Fit, judge, refit and export."""
        refits = self._request.recipe.refit and self._task.rows_left_for_refit
        keeps_judged = refits and self._task.judged_on == "held-out"

        first = self._first_network(refits=refits)
        if keeps_judged:
            judgement = self._judge(first)
        served = self._refitted(first) if refits else first
        if not keeps_judged:
            judgement = self._judge(served)
        self._export(served, judgement, first, keeps_judged=keeps_judged)

    def _first_network(self, *, refits: bool) -> Network:
        """Fit on the training rows, and keep what stands out from noise on the validation rows."""
        calibrates_alone = self._calibration is not None and not self._calibration.has_validation
        fitted = self._fit("training", later=refits + calibrates_alone)
        if self._request.recipe.anchor != "none":
            self._state.enter("weighing")
        share = self._task.share(fitted.weights, self._state.between)
        fitted = steadied(fitted, share)
        return self._network("judging", fitted, self._errors(fitted))

    def _refitted(self, first: Network) -> Network:
        """Fit again on all rows, with as many epochs as the first network kept."""
        fitted, errors = self._fit("refitting", epochs=first.fitted), first.errors
        if self._calibration is not None:
            errors = self._calibration.for_refitted(errors, first.plain, self._state.between)
        return self._network("refitting", fitted, errors)

    def _judge(self, network: Network) -> Judgement:
        self._state.enter("judging")
        weights, graph = network.fitted.weights, network.calibrated.graph
        return self._task.judge(network.phase, weights, graph, self._state.between)

    def _export(
        self, served: Network, judgement: Judgement, first: Network, *, keeps_judged: bool
    ) -> None:
        """Compare the graphs with the networks, and write the artifact."""
        self._state.enter("exporting")
        parity = self._parity(served)
        if keeps_judged:
            self._parity(first)
        self._state.check()
        weights = served.fitted.weights
        write_artifact(
            self._request.output_dir,
            manifest=self._manifest(served, parity=parity, refitted=keeps_judged),
            scorecard=self._scorecard(
                judgement,
                first.fitted,
                network="judged" if keeps_judged else "served",
                memory=self._task.memory(served.phase, weights),
            ),
            weights={**weights, **self._task.constants(served.phase)},
            graph=served.calibrated.graph,
            judged_graph=first.calibrated.graph if keeps_judged else None,
        )

    def _fit(self, phase: Phase, *, epochs: Fitted | None = None, later: int = 0) -> Fitted:
        """Fit the network of a phase.

        Args:
            phase: decides the rows.
            epochs: take as many epochs as this fit kept; None: as the recipe says.
            later: number of fits that follow, for the remaining time.
        """
        start = self._start(phase)
        if epochs is not None and epochs.best_epoch == 0:
            return replace(epochs, weights=with_share(start, epochs.share))
        self._state.enter("compiling")
        plan = self._task.plan(phase, epochs=None if epochs is None else epochs.best_epoch)
        fit = Fit(
            plan,
            start,
            saved=self._state.saved_fit(phase),
            between=self._state.between,
            report=lambda progress: self._state.report(phase, progress),
        )
        # Later fits take at most as many epochs, which are slightly longer or shorter.
        fit.later_batches = later * plan.epochs * fit.batches
        self._state.begin_fit(phase, fit.position)
        fitted, share = fit.run(), 1.0 if epochs is None else epochs.share
        return replace(fitted, weights=with_share(fitted.weights, share), share=share)

    def _start(self, phase: Phase) -> Weights:
        """Return initial weights: random, or those of the version to start from."""
        folder = self._request.start_from
        weights = initial_weights(self._task.architecture(phase), seed=self._request.recipe.seed)
        if folder is None:
            return weights
        manifest, _ = read_artifact(folder)
        vocabulary = manifest.text.vocabulary if manifest.text else ()
        return self._task.warm_start(phase, weights, read_weights(folder), vocabulary)

    def _network(self, phase: Phase, fitted: Fitted, errors: Source | str) -> Network:
        """Build a network's graph, with intervals if it is a series."""
        plain = self._task.graph(phase, fitted.weights)
        calibrated = Calibrated(graph=plain)
        if self._calibration is not None:
            calibrated = self._calibration.calibrated(
                plain,
                errors,
                refitted=phase == "refitting",
                start_from=self._request.start_from_name,
            )
        return Network(
            phase=phase, fitted=fitted, plain=plain, errors=errors, calibrated=calibrated
        )

    def _errors(self, fitted: Fitted) -> Source | str:
        """Return the errors to calibrate intervals on, or why there are none."""
        calibration, between = self._calibration, self._state.between
        if calibration is None:
            return "a text's answer is probabilities already"
        if calibration.has_validation:
            graph, anchor = self._task.graph("training", fitted.weights), self._anchor_alone(fitted)
            return calibration.on_validation(graph, between, anchor=anchor)
        try:
            if not self._task.plan("calibrating").training.count:
                return "no rows were kept for validation, and there are too few to leave some out"
            own = self._fit("calibrating", epochs=fitted)
        except Unprocessable as error:
            return f"on the first rows alone the training fails: {error}"
        return calibration.on_last_training(self._task.graph("calibrating", own.weights), between)

    def _anchor_alone(self, fitted: Fitted) -> bytes | None:
        """Return the graph of an anchor fitted for calibration.

        None if the network adds something to the anchor, or if the anchor cannot be fitted.
        """
        parts = [fitted.weights[name] for name in ("output.kernel", "output.bias")]
        if not self._task.architecture("training").zero_output or any(part.any() for part in parts):
            return None
        try:
            return self._task.graph("calibrating", fitted.weights)
        except Unprocessable:
            return None

    def _parity(self, network: Network) -> float:
        """Return the largest difference between ONNX and Keras.

        Raises:
            Internal: it is too large.
        """
        gap = self._task.parity_gap(network.phase, network.fitted.weights, network.calibrated.graph)
        if not gap <= LARGEST_PARITY_GAP:  # also refuses NaN
            raise Internal(
                f"the exported graph differs from the trained network by {gap:.2g} (of the "
                f"target's standard deviation, or in probability); at most {LARGEST_PARITY_GAP:g} "
                "is allowed, so the version was not registered"
            )
        return gap

    def _manifest(self, served: Network, *, parity: float, refitted: bool) -> Manifest:
        request, described = self._request, self._task.describe(served.phase)
        series = described.series
        if series is not None:
            intervals = {
                "intervals": served.calibrated.record,
                "intervals_missing": served.calibrated.missing,
            }
            series = series.model_copy(update=intervals)
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
            training_seconds=round(self._state.seconds, 3),
        )

    def _scorecard(
        self,
        judgement: Judgement,
        first: Fitted,
        *,
        network: Literal["judged", "served"],
        memory: Memory | None,
    ) -> Scorecard:
        judged_on = self._task.judged_on
        return Scorecard(
            judged_on=judged_on,
            network=network,
            verdict=judgement.verdict,
            skill=judgement.skill,
            skill_missing=judgement.skill_missing,
            notes=(
                *_start_notes(self._request.start_from_name, judged_on),
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
    """Warn that a warm start may flatter the figures: it gave a random walk a skill of 0.4."""
    if start_from is None or judged_on == "training":
        return ()
    seen = "which may have been fitted on the judged rows: the figures may be too good"
    return (f"started from {start_from}, {seen}",)
