"""Compile one update of the universal network and its loss."""

from functools import lru_cache
from typing import Any, NamedTuple

import tensorflow as tf

from app.training.optimizers import clip, update
from app.training.universal.features import features
from app.training.universal.form import Form
from app.training.universal.known import known
from app.training.universal.network import answer, hidden_states, weight_shapes
from app.training.universal.objective import weighted_loss
from app.training.universal.tensorflow_network import OPS, run_recurrent

Tensor = Any
CLIP_NORM = 1.0
XLA = True  # compiling takes ten seconds per function: worth it from a hundred updates on
# The bias of the output layer determines mixture and spread for all series alike. It is learned
# first, faster than the rest by this factor.
BIAS_RATE = 10.0
FAST = "output.bias"


class State(NamedTuple):
    """The variables that an update changes."""

    weights: list[Tensor]  # in the order of `weight_shapes`
    slots: list[list[Tensor]]  # of Adam
    averaged: list[Tensor]  # exponential moving average of the weights
    step: Tensor  # updates so far, float


class Rates(NamedTuple):
    """The settings of an update."""

    learning: Tensor
    averaging: Tensor  # share of the average that an update keeps


class Program:
    """The compiled update for series of one layout, at every n-th origin."""

    def __init__(self, form: Form, every: int) -> None:
        self.form, self.chosen = form, slice(every - 1, form.steps, every)
        self.names = tuple(weight_shapes(form))
        self.train = tf.function(self._train, jit_compile=XLA, autograph=False)
        self.loss = tf.function(self._loss, jit_compile=XLA, autograph=False)

    def _train(
        self, state: State, values: Tensor, periods: Tensor, rates: Rates
    ) -> tuple[State, Tensor]:
        """Update on one batch; also return loss and norm of the gradient, (2,)."""
        with tf.GradientTape() as tape:
            tape.watch(state.weights)
            total, weight = self._loss(state.weights, values, periods)
            mean = total / weight
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(mean, state.weights)]
        gradients, norm = clip(gradients, CLIP_NORM)
        step = state.step + 1.0
        weights, slots = update(
            "adam",
            weights=state.weights,
            gradients=gradients,
            slots=state.slots,
            step=step,
            learning_rate=rates.learning,
        )
        weights = [
            before + (w - before) * (BIAS_RATE if name == FAST else 1.0)
            for name, before, w in zip(self.names, state.weights, weights, strict=True)
        ]
        averaged = [
            w + (a - w) * rates.averaging for w, a in zip(weights, state.averaged, strict=True)
        ]
        return State(weights, slots, averaged, step), tf.stack([mean, norm])

    def _loss(
        self, weights: list[Tensor], values: Tensor, periods: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the summed loss of a batch and its weight."""
        form = self.form
        series = tf.cast(values, tf.float64)  # (batch, context + HORIZON)
        given = known(OPS, series[:, : form.context], periods)
        found = features(OPS, given, form)
        named = dict(zip(self.names, weights, strict=True))
        hidden = hidden_states(OPS, named, found, run_recurrent, form)
        quantiles = answer(OPS, named, found, hidden, chosen=self.chosen, form=form)
        scaled = tf.cast((series - given.center) / given.scale, tf.float32)
        return weighted_loss(
            quantiles,
            found.counts,
            scaled[:, : form.context],
            scaled[:, form.context :],
            chosen=self.chosen,
            form=form,
        )


@lru_cache(maxsize=4)
def program_of(form: Form, every: int) -> Program:
    """Return the program of a layout; it is compiled once per process."""
    return Program(form, every)
