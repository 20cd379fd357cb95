"""Compile a training epoch into one function, with a loop over its batches inside.

`model.fit` spends most of a small network's time between batches: one XLA program per epoch took
2.2 to 2.9 s where `model.fit` took 25.9 s. The program takes everything as arguments (weights,
optimizer state, data), so that one compilation serves every job of the same form: judging,
refitting, and the next upload for the same model. The caller divides long epochs into several
calls; the number of batches per call is also an argument.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, Protocol

import tensorflow as tf

from app.training.architecture import Architecture
from app.training.optimizers import Optimizer, clip, update
from app.training.recurrence import Drop, run_network

Tensor = Any
Loss = Literal["mse", "mae", "huber", "cross-entropy"]
Schedule = Literal["constant", "cosine"]  # of the learning rate
# How a batch is taken from the data: see `_series_batch`, `_window_batch`, `_stream_batch`.
Reading = Literal["series", "window", "stream"]
KEPT_PROGRAMS = 16


@dataclass(frozen=True, kw_only=True)
class Form:
    """Everything that a compiled program depends on."""

    architecture: Architecture
    reading: Reading
    steps: int  # window, or for a stream the steps of backpropagation
    batch_size: int
    loss: Loss
    optimizer: Optimizer
    clip_norm: float | None
    capacity: int  # number of rows for which the data arguments have room
    schedule: Schedule = "constant"
    dropout: float = 0.0  # share of each layer's outputs that an update leaves out

    @property
    def activation(self) -> str:
        """Return the activation of candidate and output."""
        return self.architecture.activation

    def compiled(self) -> "Program":
        """Return the program of this form."""
        return program_of(self)


class Data(NamedTuple):
    """What a program reads, on its device. Fields that a reading does not use have one element."""

    inputs: Tensor  # series: (capacity, window, inputs) float32; text: (capacity,) int32 ids
    targets: Tensor  # series: (capacity, outputs) float32; text: unused


class Stretch(NamedTuple):
    """The part of the data that an epoch covers."""

    order: Tensor  # (capacity,) int32 rows in order; stream: unused
    begin: Tensor  # stream: first position, int32
    count: Tensor  # number of real entries of `order`; stream: number of tokens to be predicted


class Span(NamedTuple):
    """The batches of one call."""

    first: Tensor  # int32
    end: Tensor  # int32, not included


class Course(NamedTuple):
    """What decides the updates of a whole fit; the same for all of its calls."""

    learning_rate: Tensor  # float32, of the first update
    updates: Tensor  # int64, in the whole fit
    seed: Tensor  # int32, of dropout


class State(NamedTuple):
    """The variables that a training call changes."""

    weights: list[Tensor]  # in the order of Architecture.weight_shapes
    slots: list[list[Tensor]]  # of the optimizer
    step: Tensor  # number of updates so far, int64
    carry: list[Tensor]  # stream: recurrent states, (batch, units)
    sums: Tensor  # since the epoch's start: loss, its weight, gradient norm, batches; float64


class Tally(NamedTuple):
    """The sums that an evaluating call changes; the next call continues them."""

    carry: list[Tensor]  # stream: recurrent states, (batch, units)
    sums: Tensor  # loss and its weight, float64


class Batch(NamedTuple):
    """A batch; entries past the end of the data have weight 0."""

    x: Tensor
    target: Tensor
    weight: Tensor  # 1.0 or 0.0, one per loss


class Program:
    """The compiled epoch of one form.

    Raises nothing itself; a loss that is not finite shows in the sums.
    """

    def __init__(self, form: Form) -> None:
        self.form = form
        self.names = tuple(form.architecture.weight_shapes())
        self.train = tf.function(self._train, jit_compile=True, autograph=False)
        self.evaluate = tf.function(self._evaluate, jit_compile=True, autograph=False)

    def initial_carry(self) -> list[Tensor]:
        """Return the states at the start of a stream; none for windows, which start at zero."""
        if self.form.reading != "stream":
            return []
        return self._zero_states()

    def batches(self, count: int) -> int:
        """Return the number of batches in an epoch of `count` rows (stream: predicted tokens)."""
        share = math.ceil(count / self.form.batch_size)
        return math.ceil(share / self.form.steps) if self.form.reading == "stream" else share

    def _train(
        self, state: State, data: Data, stretch: Stretch, span: Span, course: Course
    ) -> State:
        """Train on the batches of a span, one update for each."""

        def body(index: Tensor, state: State) -> tuple[Tensor, State]:
            batch = self._batch(index, data, stretch)
            with tf.GradientTape() as tape:
                tape.watch(state.weights)
                drop = self._dropping(state.step, course.seed) if self.form.dropout else None
                losses, carry = self._losses(state.weights, batch, state.carry, drop)
                total, weight = tf.reduce_sum(losses), tf.reduce_sum(batch.weight)
                mean = total / tf.maximum(weight, 1.0)
            gradients = tape.gradient(mean, state.weights)
            rate = self._rate(state.step, course)
            state = updated(
                state, gradients, form=self.form, learning_rate=rate, sums=(total, weight)
            )
            return index + 1, state._replace(carry=carry)

        _, state = tf.while_loop(lambda index, _: index < span.end, body, (span.first, state))
        return state

    def _evaluate(
        self, weights: list[Tensor], tally: Tally, data: Data, stretch: Stretch, span: Span
    ) -> Tally:
        """Sum the loss over the batches of a span."""

        def body(index: Tensor, tally: Tally) -> tuple[Tensor, Tally]:
            batch = self._batch(index, data, stretch)
            losses, carry = self._losses(weights, batch, tally.carry)
            both = tf.stack([tf.reduce_sum(losses), tf.reduce_sum(batch.weight)])
            return index + 1, Tally(carry, tally.sums + tf.cast(both, tf.float64))

        _, tally = tf.while_loop(lambda index, _: index < span.end, body, (span.first, tally))
        return tally

    def _losses(
        self,
        weights: list[Tensor],
        batch: Batch,
        carry: list[Tensor],
        drop: Drop | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the weighted loss of every entry of a batch, and the states after it."""
        stream = self.form.reading == "stream"
        outputs, ends = run_network(
            self.form.architecture,
            dict(zip(self.names, weights, strict=True)),
            batch.x,
            carry if stream else self._zero_states(),
            every_step=stream,
            drop=drop,
        )
        if self.form.loss == "cross-entropy":
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch.target, outputs)
        else:
            losses = tf.reduce_mean(_regression_loss(self.form.loss, outputs - batch.target), -1)
        return losses * batch.weight, ends if stream else carry

    def _rate(self, step: Tensor, course: Course) -> Tensor:
        """Return the learning rate of an update, by the number of updates before it."""
        if self.form.schedule == "constant":
            return course.learning_rate
        # Half a cosine from the full rate to zero (Loshchilov & Hutter 2017, without restarts).
        done = tf.cast(step, tf.float32) / tf.cast(course.updates, tf.float32)
        return course.learning_rate * 0.5 * (1.0 + tf.cos(math.pi * tf.minimum(done, 1.0)))

    def _dropping(self, step: Tensor, seed: Tensor) -> Drop:
        """Return dropout for one update, with the same mask for all its steps.

        The masks follow from seed and update, so a checkpoint need not contain them (Gal &
        Ghahramani 2016; only a layer's outputs are masked here, not its state).
        """
        kept = 1.0 - self.form.dropout

        def drop(outputs: Tensor, layer: int) -> Tensor:
            place = tf.cast(step, tf.int32) * len(self.form.architecture.layers) + layer
            drawn = tf.random.stateless_uniform(outputs.shape[1:], tf.stack([seed, place]))
            return outputs * tf.cast(drawn < kept, tf.float32) / kept  # (steps, batch, units)

        return drop

    def _zero_states(self) -> list[Tensor]:
        states = self.form.architecture.states()
        return [tf.zeros((self.form.batch_size, units)) for _, units in states]

    def _batch(self, index: Tensor, data: Data, stretch: Stretch) -> Batch:
        if self.form.reading == "stream":
            return self._stream_batch(index, data, stretch)
        size = self.form.batch_size
        place = index * size + tf.range(size)  # (batch,)
        weight = tf.cast(place < stretch.count, tf.float32)
        rows = tf.gather(stretch.order, tf.minimum(place, stretch.count - 1))
        if self.form.reading == "series":
            return Batch(tf.gather(data.inputs, rows), tf.gather(data.targets, rows), weight)
        # A row of a text is the position at which its window starts.
        window = rows[:, None] + tf.range(self.form.steps)  # (batch, window)
        target = tf.gather(data.inputs, rows + self.form.steps)
        return Batch(tf.gather(data.inputs, window), target, weight)

    def _stream_batch(self, index: Tensor, data: Data, stretch: Stretch) -> Batch:
        """Return piece `index` of each of `batch_size` streams that the text is divided into."""
        streams = self.form.batch_size
        length = (stretch.count + streams - 1) // streams
        within = index * self.form.steps + tf.range(self.form.steps)  # (steps,)
        place = tf.range(streams)[:, None] * length + within  # (batch, steps)
        real = tf.logical_and(within < length, place < stretch.count)
        rows = stretch.begin + tf.minimum(place, stretch.count - 1)
        target = tf.gather(data.inputs, rows + 1)
        return Batch(
            tf.gather(data.inputs, rows),
            tf.transpose(target),  # (steps, batch), as the outputs
            tf.transpose(tf.cast(real, tf.float32)),
        )


def updated(
    state: State,
    gradients: list[Tensor],
    *,
    form: "TrainableForm",
    learning_rate: Tensor,
    sums: tuple[Tensor, Tensor],
) -> State:
    """Return the state after an update.

    Args:
        state: before it.
        gradients: of the batch's mean loss, one for each weight.
        form: has optimizer and limit.
        learning_rate: of this update.
        sums: the batch's loss and its weight.
    """
    gradients, norm = clip([tf.convert_to_tensor(each) for each in gradients], form.clip_norm)
    step = state.step + 1
    weights, slots = update(
        form.optimizer,
        weights=state.weights,
        gradients=gradients,
        slots=state.slots,
        step=tf.cast(step, tf.float32),
        learning_rate=learning_rate,
    )
    added = tf.cast(tf.stack([*sums, norm, 1.0]), tf.float64)
    return State(weights, slots, step, state.carry, state.sums + added)


class TrainableForm(Protocol):
    """What a fit must know about the form of a program."""

    @property
    def activation(self) -> str:
        """Activation of candidate and output."""

    @property
    def optimizer(self) -> Optimizer:
        """What updates the weights."""

    @property
    def clip_norm(self) -> float | None:
        """Limit on the gradient norm."""

    @property
    def capacity(self) -> int:
        """Number of rows for which the data arguments have room."""

    def compiled(self) -> "Trainable":
        """Return the program of this form."""


class Trainable(Protocol):
    """What a fit needs of a program."""

    names: tuple[str, ...]  # of the weights
    train: Any
    evaluate: Any

    @property
    def form(self) -> TrainableForm:
        """The form that it is compiled for."""

    def initial_carry(self) -> list[Tensor]:
        """Return the states at the start of a stream."""

    def batches(self, count: int) -> int:
        """Return the number of batches in an epoch of `count` rows."""


@lru_cache(maxsize=KEPT_PROGRAMS)
def program_of(form: Form) -> Program:
    """Return the program of a form; it is compiled at its first call and cached."""
    return Program(form)


def capacity_of(rows: int) -> int:
    """Return the room for this many rows: a power of two, above 65,536 a multiple of that.

    A program is compiled for the shapes of its data. Rounded up, it serves the rows before the cut,
    all rows, and next month's file alike.
    """
    step = 1 << 16
    return -(-rows // step) * step if rows > step else max(64, 1 << (rows - 1).bit_length())


def _regression_loss(loss: Loss, error: Tensor) -> Tensor:
    if loss == "mse":
        return tf.square(error)
    size = tf.abs(error)
    if loss == "mae":
        return size
    # Huber 1964 with the knee at 1: squared only for small errors, so that a jump does not
    # dominate.
    return tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5)
