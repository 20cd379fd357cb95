"""Compile an epoch in which the weights of `universal` go on being trained."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from app.training.optimizers import Optimizer
from app.training.program import Course, Data, Span, State, Stretch, Tally, updated
from app.training.universal.features import features
from app.training.universal.form import PERIODS, Form
from app.training.universal.known import known
from app.training.universal.network import answer, hidden_states, weight_shapes
from app.training.universal.objective import losses_by_series
from app.training.universal.tensorflow_network import OPS, run_recurrent

Tensor = Any
KEPT_PROGRAMS = 4
WARM_UP = 16.0  # updates


@dataclass(frozen=True, kw_only=True)
class TuningForm:
    """Everything that a compiled program depends on; a `TrainableForm`."""

    network: Form
    horizon: int  # steps ahead that count
    every: int  # one of this many origins counts, because adjacent ones are nearly the same
    batch_size: int
    clip_norm: float | None
    capacity: int
    optimizer: Optimizer = "adam"
    activation: Literal["tanh"] = "tanh"

    @property
    def chosen(self) -> slice:
        """Return the origins that count."""
        return slice(self.every - 1, self.network.steps, self.every)

    def compiled(self) -> "TuningProgram":
        """Return the program of this form."""
        return tuning_program_of(self)


class Batch(NamedTuple):
    """A batch of histories; entries past the end of the data have weight 0."""

    series: Tensor  # (batch, context + HORIZON) double, NaN where missing
    periods: Tensor  # (batch, PERIODS)
    counted: Tensor  # (batch, 1), the first place whose value counts as a target
    weight: Tensor  # (batch,)


class TuningProgram:
    """The compiled epoch of one form; a `Trainable`."""

    def __init__(self, form: TuningForm) -> None:
        self.form = form
        self.names = tuple(weight_shapes(form.network))
        self.train = tf.function(self._train, jit_compile=True, autograph=False)
        self.evaluate = tf.function(self._evaluate, jit_compile=True, autograph=False)

    def initial_carry(self) -> list[Tensor]:
        """Return no states: every history starts at zero."""
        return []

    def batches(self, count: int) -> int:
        """Return the number of batches in an epoch of `count` histories."""
        return -(-count // self.form.batch_size)

    def _train(
        self, state: State, data: Data, stretch: Stretch, span: Span, course: Course
    ) -> State:
        """Train on the batches of a span, one update for each."""

        def body(index: Tensor, state: State) -> tuple[Tensor, State]:
            with tf.GradientTape() as tape:
                tape.watch(state.weights)
                total, weight = self._loss(state.weights, self._batch(index, data, stretch))
                mean = total / tf.maximum(weight, 1.0)
            gradients = tape.gradient(mean, state.weights)
            rate = course.learning_rate * _warm(state.step)
            return index + 1, updated(
                state, gradients, form=self.form, learning_rate=rate, sums=(total, weight)
            )

        _, state = tf.while_loop(lambda index, _: index < span.end, body, (span.first, state))
        return state

    def _evaluate(
        self, weights: list[Tensor], tally: Tally, data: Data, stretch: Stretch, span: Span
    ) -> Tally:
        """Sum the loss over the batches of a span."""

        def body(index: Tensor, tally: Tally) -> tuple[Tensor, Tally]:
            both = tf.stack(self._loss(weights, self._batch(index, data, stretch)))
            return index + 1, Tally(tally.carry, tally.sums + tf.cast(both, tf.float64))

        _, tally = tf.while_loop(lambda index, _: index < span.end, body, (span.first, tally))
        return tally

    def _batch(self, index: Tensor, data: Data, stretch: Stretch) -> Batch:
        size = self.form.batch_size
        place = index * size + tf.range(size)  # (batch,)
        rows = tf.gather(stretch.order, tf.minimum(place, stretch.count - 1))
        told = tf.gather(data.targets, rows)
        return Batch(
            series=tf.gather(data.inputs, rows),
            periods=told[:, :PERIODS],
            counted=told[:, PERIODS:],
            weight=tf.cast(place < stretch.count, tf.float32),
        )

    def _loss(self, weights: list[Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the summed loss of a batch and its weight."""
        form = self.form.network
        given = known(OPS, batch.series[:, : form.context], batch.periods)
        found = features(OPS, given, form)
        named = dict(zip(self.names, weights, strict=True))
        hidden = hidden_states(OPS, named, found, run_recurrent, form)
        quantiles = answer(OPS, named, found, hidden, chosen=self.form.chosen, form=form)
        scaled = tf.cast((batch.series - given.center) / given.scale, tf.float32)
        places = tf.range(scaled.shape[1], dtype=tf.float32)[None]
        scaled = tf.where(places >= batch.counted, scaled, float("nan"))
        losses, shares = losses_by_series(
            quantiles,
            found.counts,
            scaled[:, : form.context],
            scaled[:, form.context :],
            chosen=self.form.chosen,
            form=form,
            horizon=self.form.horizon,
        )
        return tf.reduce_sum(losses * batch.weight), tf.reduce_sum(shares * batch.weight)


def _warm(step: Tensor) -> Tensor:
    """Return the share of the learning rate of an update, by the number of updates before it.

    Adam's first steps have full size in every direction, before it knows their signs.
    """
    return tf.minimum(1.0, (tf.cast(step, tf.float32) + 1.0) / WARM_UP)


@lru_cache(maxsize=KEPT_PROGRAMS)
def tuning_program_of(form: TuningForm) -> TuningProgram:
    """Return the program of a form; it is compiled at its first call and cached."""
    return TuningProgram(form)
