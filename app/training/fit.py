"""Fit a network: epochs of compiled calls, early stopping, and a state that can be saved.

`between` is called between two compiled calls. There a run can be stopped and checkpoints are
written; the state is complete at that point, even in the middle of an epoch.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from app.artifact.scorecard import Epoch
from app.errors import Unprocessable
from app.jobs.messages import Progress
from app.training.architecture import Weights, with_share
from app.training.checkpoints import Arrays
from app.training.optimizers import SLOTS
from app.training.pace import Pace
from app.training.program import (
    Course,
    Data,
    Span,
    State,
    Stretch,
    Tally,
    Trainable,
    TrainableForm,
)

Rows = npt.NDArray[np.int32]

# A loss this many times that of the first epoch will not recover, even if it is finite.
EXPLOSION = 1e6
LEAST_LOSS = 1e-6
LEAST_SQUARE = 1e-30  # smaller than the norm of any network's weights


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Rows for training or validation."""

    rows: Rows | None = None  # series: numbers of windows; windows of a text: first positions
    begin: int = 0  # stream: first position read
    # number of rows in an epoch, at most all of them; stream: number of tokens to be predicted
    count: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Everything that decides a fit."""

    form: TrainableForm
    inputs: npt.NDArray[Any]  # as `program.Data`, not yet padded to the capacity
    targets: npt.NDArray[np.float32] | None
    training: Part
    validation: Part | None  # None: run every epoch and keep the last one
    epochs: int
    # stop after this many epochs without a better validation loss; None: run all
    patience: int | None
    keep_best: bool  # keep the epoch with the best validation loss; otherwise the last one
    keep_initial: bool  # epoch 0, the untrained network, may be the best one
    learning_rate: float
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """The result of a fit."""

    weights: Weights
    epochs: tuple[Epoch, ...]
    best_epoch: int  # the epoch of these weights
    final_loss: float  # training loss of that epoch
    share: float = 1.0  # of the output layer that was kept; already in the weights


def steadied(fitted: Fitted, share: float) -> Fitted:
    """Return the network with this share of its output; with a share of 0, epoch 0 is the best."""
    kept = replace(fitted, weights=with_share(fitted.weights, share), share=share)
    if share > 0:
        return kept
    losses = {epoch.epoch: epoch.loss for epoch in fitted.epochs}
    return replace(kept, best_epoch=0, final_loss=losses.get(0, fitted.final_loss))


@dataclass(kw_only=True, eq=False)
class Position:
    """The position of a fit."""

    state: State
    epoch: int = 1  # the current epoch
    batch: int = 0  # batches of the epoch that are done
    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int | None = None
    best_loss: float = math.inf  # of the validation rows
    best_weights: list[Any] | None = None
    epoch_start: list[Any]  # the weights before the current epoch

    @classmethod
    def start(cls, program: Trainable, weights: Weights) -> Self:
        """Return the position before the first epoch."""
        tensors = [tf.constant(weights[name], tf.float32) for name in program.names]
        slots = [
            [tf.zeros_like(weight) for weight in tensors] for _ in SLOTS[program.form.optimizer]
        ]
        return cls(
            state=State(
                weights=tensors,
                slots=slots,
                step=tf.constant(0, tf.int64),
                carry=program.initial_carry(),
                sums=tf.zeros(4, tf.float64),
            ),
            epoch_start=tensors,
        )

    def save(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON values and arrays from which `restore` recreates the position."""
        values = {
            "epoch": self.epoch,
            "batch": self.batch,
            "epochs": [epoch.model_dump() for epoch in self.epochs],
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
        }
        arrays: Arrays = {"step": self.state.step.numpy(), "sums": self.state.sums.numpy()}
        lists = {"weights": self.state.weights, "carry": self.state.carry}
        lists |= {f"slot{index}": slot for index, slot in enumerate(self.state.slots)}
        lists["best"] = self.best_weights or []
        lists["epoch_start"] = self.epoch_start
        for name, tensors in lists.items():
            arrays |= {f"{name}.{index}": tensor.numpy() for index, tensor in enumerate(tensors)}
        return values, arrays

    @classmethod
    def restore(cls, program: Trainable, values: dict[str, Any], arrays: Arrays) -> Self:
        """Recreate a saved position."""

        def tensors(name: str, count: int) -> list[Any]:
            return [tf.constant(arrays[f"{name}.{index}"]) for index in range(count)]

        count = len(program.names)
        best_loss = values["best_loss"]
        return cls(
            state=State(
                weights=tensors("weights", count),
                slots=[
                    tensors(f"slot{index}", count)
                    for index in range(len(SLOTS[program.form.optimizer]))
                ],
                step=tf.constant(arrays["step"]),
                carry=tensors("carry", len(program.initial_carry())),
                sums=tf.constant(arrays["sums"]),
            ),
            epoch=values["epoch"],
            batch=values["batch"],
            epochs=[Epoch.model_validate(epoch) for epoch in values["epochs"]],
            best_epoch=values["best_epoch"],
            best_loss=math.inf if best_loss is None else best_loss,
            best_weights=tensors("best", count) if values["best_epoch"] is not None else None,
            epoch_start=tensors("epoch_start", count),
        )


class Fit:
    """A running fit.

    Args:
        plan: decides the fit.
        weights: initial weights by name.
        saved: values and arrays of an earlier `Position.save` to continue from.
        between: called between compiled calls; may raise to end the fit.
        report: receives progress without a stage, which the caller adds.
    """

    def __init__(
        self,
        plan: Plan,
        weights: Weights,
        *,
        saved: tuple[dict[str, Any], Arrays] | None,
        between: Callable[[], None],
        report: Callable[[Progress], None],
    ) -> None:
        self.plan = plan
        self.program = plan.form.compiled()
        self.position = (
            Position.start(self.program, weights)
            if saved is None
            else Position.restore(self.program, *saved)
        )
        self._between = between
        self._report = report
        self.later_batches = 0  # to be trained on after this fit, for the remaining time
        self.batches = self.program.batches(plan.training.count)
        self._pace = Pace()
        self._validation_pace = Pace()
        self._data = _device_data(plan)

    def run(self) -> Fitted:
        """Run the rest of the fit.

        Raises:
            Unprocessable: the loss became infinite or NaN; says what to change.
        """
        position = self.position
        if self.plan.keep_best and self.plan.keep_initial and not position.epochs:
            self._judge_initial()
        while position.epoch <= self.plan.epochs and not self._out_of_patience():
            self._run_epoch()
            self._end_epoch()
        if position.best_weights is None or position.best_epoch is None:
            best_epoch, best = position.epochs[-1].epoch, position.state.weights
        else:
            best_epoch, best = position.best_epoch, position.best_weights
        losses = {epoch.epoch: epoch.loss for epoch in position.epochs}
        return Fitted(
            weights={
                name: tensor.numpy() for name, tensor in zip(self.program.names, best, strict=True)
            },
            epochs=tuple(position.epochs),
            best_epoch=best_epoch,
            final_loss=losses[best_epoch],
        )

    def _run_epoch(self) -> None:
        position, part = self.position, self.plan.training
        order = None
        if part.rows is not None:
            # The order follows from seed and epoch, so a checkpoint need not contain it.
            generator = np.random.default_rng([self.plan.seed, position.epoch])
            order = generator.permutation(part.rows)[: part.count]
        stretch = self._stretch(part, order)
        course = Course(
            learning_rate=tf.constant(self.plan.learning_rate, tf.float32),
            updates=tf.constant(self.plan.epochs * self.batches, tf.int64),
            seed=tf.constant(self.plan.seed, tf.int32),
        )
        while position.batch < self.batches:
            count = self._pace.next_batches(self.batches - position.batch)
            started = time.perf_counter()
            state = self.program.train(
                position.state, self._data, stretch, _span(position.batch, count), course
            )
            sums = state.sums.numpy()  # waits for the call to end
            self._pace.took(count, time.perf_counter() - started)
            if not np.isfinite(sums).all():
                raise self._exploded("the loss was not finite any more")
            position.state = state
            position.batch += count
            self._tell()
            self._between()

    def _end_epoch(self) -> None:
        position = self.position
        loss, weight, norm, batches = position.state.sums.numpy().tolist()
        loss, norm = loss / max(weight, 1.0), norm / max(batches, 1.0)
        if position.epochs and loss > EXPLOSION * max(position.epochs[0].loss, LEAST_LOSS):
            raise self._exploded(
                f"the loss was {loss:.3g}, after {position.epochs[0].loss:.3g} at first"
            )
        validation_loss = None
        if self.plan.validation is not None:
            validation_loss = self._evaluate(self.plan.validation, position.state.weights)
            if not math.isfinite(validation_loss):
                raise self._exploded("the validation loss was not finite any more")
            self._keep_if_best(position.epoch, validation_loss)
        position.epochs.append(
            Epoch(
                epoch=position.epoch,
                loss=loss,
                validation_loss=validation_loss,
                gradient_norm=norm,
                update_ratio=_moved(position.epoch_start, position.state.weights),
            )
        )
        position.epoch += 1
        position.batch = 0
        position.epoch_start = position.state.weights
        position.state = position.state._replace(
            sums=tf.zeros(4, tf.float64), carry=self.program.initial_carry()
        )
        self._tell()

    def _judge_initial(self) -> None:
        weights = self.position.state.weights
        validation = self.plan.validation
        if validation is None:
            return
        loss = self._evaluate(self.plan.training, weights)
        validation_loss = self._evaluate(validation, weights)
        self._keep_if_best(0, validation_loss)
        self.position.epochs.append(Epoch(epoch=0, loss=loss, validation_loss=validation_loss))

    def _keep_if_best(self, epoch: int, validation_loss: float) -> None:
        if self.plan.keep_best and validation_loss < self.position.best_loss:
            self.position.best_epoch = epoch
            self.position.best_loss = validation_loss
            self.position.best_weights = self.position.state.weights

    def _out_of_patience(self) -> bool:
        best, patience = self.position.best_epoch, self.plan.patience
        if best is None or patience is None:
            return False
        return self.position.epoch - 1 - best >= patience

    def _evaluate(self, part: Part, weights: list[Any]) -> float:
        """Return the mean loss over a part, or over an even selection as large as an epoch."""
        rows = part.rows
        if rows is not None and len(rows) > part.count:
            rows = rows[np.linspace(0, len(rows) - 1, part.count).astype(int)]
        stretch = self._stretch(part, rows)
        tally = Tally(self.program.initial_carry(), tf.zeros(2, tf.float64))
        total, done = self.program.batches(part.count), 0
        while done < total:
            count = self._validation_pace.next_batches(total - done)
            started = time.perf_counter()
            tally = self.program.evaluate(weights, tally, self._data, stretch, _span(done, count))
            tally.sums.numpy()  # waits for the call to end
            self._validation_pace.took(count, time.perf_counter() - started)
            done += count
            self._between()
        loss, weight = tally.sums.numpy().tolist()
        return float(loss / max(weight, 1.0))

    def _stretch(self, part: Part, order: Rows | None) -> Stretch:
        filled = np.zeros(1 if order is None else self.plan.form.capacity, np.int32)
        if order is not None:
            filled[: len(order)] = order
        return Stretch(
            order=tf.constant(filled),
            begin=tf.constant(part.begin, tf.int32),
            count=tf.constant(part.count, tf.int32),
        )

    def _tell(self) -> None:
        position = self.position
        last = position.epochs[-1] if position.epochs else None
        left = (self.plan.epochs - position.epoch + 1) * self.batches - position.batch
        self._report(
            Progress(
                stage="",
                epoch=position.epoch - 1,
                epochs=self.plan.epochs,
                loss=None if last is None else last.loss,
                validation_loss=None if last is None else last.validation_loss,
                eta_seconds=self._pace.seconds(left + self.later_batches),
            )
        )

    def _exploded(self, what: str) -> Unprocessable:
        form, rate = self.plan.form, self.plan.learning_rate
        norms = [
            f"{entry.gradient_norm:.3g} in epoch {entry.epoch}"
            for entry in self.position.epochs[-2:]
            if entry.gradient_norm is not None
        ]
        before = f" (gradient norm before: {', '.join(norms)})" if norms else ""
        clip = form.clip_norm
        advice = "set clip_norm (1.0 for instance)" if clip is None else f"clip_norm below {clip}"
        if form.activation == "relu":
            advice += ", or activation tanh, which has a limit"
        return Unprocessable.at(
            "recipe.learning_rate",
            f"in epoch {self.position.epoch} {what}: the gradients exploded{before}. "
            f"Choose a learning_rate below {rate:g}, or {advice}",
        )


def _moved(before: list[Any], after: list[Any]) -> float:
    """Return how far the weights moved, relative to the norm of the weights before."""
    change = size = 0.0
    for old, new in zip(before, after, strict=True):
        start = old.numpy().ravel().astype(np.float64)  # squares overflow a float
        step = new.numpy().ravel() - start
        change += float(step @ step)
        size += float(start @ start)
    return math.sqrt(change / max(size, LEAST_SQUARE))


def _span(first: int, count: int) -> Span:
    return Span(tf.constant(first, tf.int32), tf.constant(first + count, tf.int32))


def _device_data(plan: Plan) -> Data:
    capacity = plan.form.capacity
    inputs = np.zeros((capacity, *plan.inputs.shape[1:]), plan.inputs.dtype)
    inputs[: len(plan.inputs)] = plan.inputs
    if plan.targets is None:
        return Data(tf.constant(inputs), tf.zeros(1))
    targets = np.zeros((capacity, *plan.targets.shape[1:]), np.float32)
    targets[: len(plan.targets)] = plan.targets
    return Data(tf.constant(inputs), tf.constant(targets))
