"""A training epoch as one compiled function, its batches looped inside.

`model.fit` spends most of a small network's time between batches; one XLA program per epoch took
2.2 to 2.9 s where `model.fit` took 25.9 s. The program takes everything as arguments (weights,
optimizer state, data), so that one compilation serves every job of the same form: judging and
refitting, the next upload for the same model. Long epochs are cut into several calls by the caller;
how many batches a call runs is an argument too.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from app.training.architecture import Architecture
from app.training.optimizers import Optimizer, clip, update
from app.training.recurrence import run_network

Tensor = Any
Loss = Literal["mse", "mae", "huber", "cross-entropy"]
# How a batch is cut from the data: see `_series_batch`, `_window_batch`, `_stream_batch`.
Reading = Literal["series", "window", "stream"]
KEPT_PROGRAMS = 16


@dataclass(frozen=True, kw_only=True)
class Form:
    """All that a compiled program depends on."""

    architecture: Architecture
    reading: Reading
    steps: int  # window, or for a stream the steps of backpropagation
    batch_size: int
    loss: Loss
    optimizer: Optimizer
    clip_norm: float | None
    capacity: int  # rows the data arguments have room for


class Data(NamedTuple):
    """What a program reads, on its device. The unused one of a reading has one element."""

    inputs: Tensor  # series: (capacity, window, inputs) float32; text: (capacity,) int32 ids
    targets: Tensor  # series: (capacity, outputs) float32; text: unused


class Stretch(NamedTuple):
    """The part of the data that an epoch goes over."""

    order: Tensor  # (capacity,) int32 rows in the order they are taken; stream: unused
    begin: Tensor  # stream: first position, int32
    count: Tensor  # how many of `order` are real; stream: how many tokens are to be predicted


class Span(NamedTuple):
    """The batches of one call."""

    first: Tensor  # int32
    end: Tensor  # int32, not included


class State(NamedTuple):
    """What a training call changes."""

    weights: list[Tensor]  # in the order of Architecture.weight_shapes
    slots: list[list[Tensor]]  # of the optimizer
    step: Tensor  # updates so far, int64
    carry: list[Tensor]  # stream: recurrent states, (batch, units)
    sums: Tensor  # since the epoch's start: loss, its weight, gradient norm, batches; float64


class Tally(NamedTuple):
    """What an evaluating call changes; taken up by the next, so that cuts leave no trace."""

    carry: list[Tensor]  # stream: recurrent states, (batch, units)
    sums: Tensor  # loss and its weight, float64


class Batch(NamedTuple):
    """One batch; entries past the end of the data weigh 0."""

    x: Tensor
    target: Tensor
    weight: Tensor  # 1.0 or 0.0, one per loss


class Program:
    """The compiled epoch of one form.

    Raises nothing of its own; a loss that is no number comes back in the sums.
    """

    def __init__(self, form: Form) -> None:
        self.form = form
        self.names = tuple(form.architecture.weight_shapes())
        self.train = tf.function(self._train, jit_compile=True, autograph=False)
        self.evaluate = tf.function(self._evaluate, jit_compile=True, autograph=False)

    def initial_carry(self) -> list[Tensor]:
        """States at the start of a stream; nothing for windows, which start at zero each."""
        if self.form.reading != "stream":
            return []
        return self._zero_states()

    def batches(self, count: int) -> int:
        """Batches in an epoch over `count` rows (stream: tokens to be predicted)."""
        share = math.ceil(count / self.form.batch_size)
        return math.ceil(share / self.form.steps) if self.form.reading == "stream" else share

    def _train(
        self, state: State, data: Data, stretch: Stretch, span: Span, learning_rate: Tensor
    ) -> State:
        """Trains on the batches of a span, one update each."""

        def body(index: Tensor, state: State) -> tuple[Tensor, State]:
            batch = self._batch(index, data, stretch)
            with tf.GradientTape() as tape:
                tape.watch(state.weights)
                losses, carry = self._losses(state.weights, batch, state.carry)
                total, weight = tf.reduce_sum(losses), tf.reduce_sum(batch.weight)
                mean = total / tf.maximum(weight, 1.0)
            gradients = [tf.convert_to_tensor(g) for g in tape.gradient(mean, state.weights)]
            gradients, norm = clip(gradients, self.form.clip_norm)
            step = state.step + 1
            weights, slots = update(
                self.form.optimizer,
                weights=state.weights,
                gradients=gradients,
                slots=state.slots,
                step=tf.cast(step, tf.float32),
                learning_rate=learning_rate,
            )
            sums = state.sums + tf.cast(tf.stack([total, weight, norm, 1.0]), tf.float64)
            return index + 1, State(weights, slots, step, carry, sums)

        _, state = tf.while_loop(lambda index, _: index < span.end, body, (span.first, state))
        return state

    def _evaluate(
        self, weights: list[Tensor], tally: Tally, data: Data, stretch: Stretch, span: Span
    ) -> Tally:
        """Adds up the loss over the batches of a span."""

        def body(index: Tensor, tally: Tally) -> tuple[Tensor, Tally]:
            batch = self._batch(index, data, stretch)
            losses, carry = self._losses(weights, batch, tally.carry)
            both = tf.stack([tf.reduce_sum(losses), tf.reduce_sum(batch.weight)])
            return index + 1, Tally(carry, tally.sums + tf.cast(both, tf.float64))

        _, tally = tf.while_loop(lambda index, _: index < span.end, body, (span.first, tally))
        return tally

    def _losses(
        self, weights: list[Tensor], batch: Batch, carry: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Weighted loss of every entry of a batch, and the states after it."""
        stream = self.form.reading == "stream"
        outputs, ends = run_network(
            self.form.architecture,
            dict(zip(self.names, weights, strict=True)),
            batch.x,
            carry if stream else self._zero_states(),
            every_step=stream,
        )
        if self.form.loss == "cross-entropy":
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch.target, outputs)
        else:
            losses = tf.reduce_mean(_regression_loss(self.form.loss, outputs - batch.target), -1)
        return losses * batch.weight, ends if stream else carry

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
        # A row of a text is where its window starts.
        window = rows[:, None] + tf.range(self.form.steps)  # (batch, window)
        target = tf.gather(data.inputs, rows + self.form.steps)
        return Batch(tf.gather(data.inputs, window), target, weight)

    def _stream_batch(self, index: Tensor, data: Data, stretch: Stretch) -> Batch:
        """Piece `index` of each of `batch_size` streams, into which the text is cut evenly."""
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


@lru_cache(maxsize=KEPT_PROGRAMS)
def program_of(form: Form) -> Program:
    """The program of a form, compiled at its first call and kept."""
    return Program(form)


def capacity_of(rows: int) -> int:
    """Room for so many rows: a power of two, above 65,536 a multiple of that.

    A program is compiled for the shapes of its data; rounded up, it serves the rows before the
    cut, all rows, and next month's file alike.
    """
    step = 1 << 16
    return -(-rows // step) * step if rows > step else max(64, 1 << (rows - 1).bit_length())


def _regression_loss(loss: Loss, error: Tensor) -> Tensor:
    if loss == "mse":
        return tf.square(error)
    size = tf.abs(error)
    if loss == "mae":
        return size
    # Huber 1964 with the knee at 1: squares for small errors, so that no jump rules the fit
    return tf.where(size <= 1.0, 0.5 * tf.square(error), size - 0.5)
