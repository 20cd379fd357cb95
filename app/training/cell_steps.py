"""Compute one step of a recurrent cell, forward and backward, for the loops in `recurrence`.

A row of the activated gates is kept for every step, and the backward pass takes the derivatives
from it. So no activation is computed twice, except on an LSTM's cell state. The gradients are
written out instead of left to a tape, so that XLA makes few kernels of them.

Equations: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000 (LSTM), Cho et
al. 2014 with Keras's `reset_after` (GRU), Elman 1990 (RNN). Gate order as in `architecture`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from app.recipes.recipe import Activation, Cell

Tensor = Any  # TensorFlow ships no types
# (input part, recurrent part, states of the previous step) -> states of this step
SingleStep = Callable[[Tensor, Tensor, Sequence[Tensor]], list[Tensor]]


def squashing(activation: Activation) -> Callable[[Tensor], Tensor]:
    """Return the activation function of a name."""
    return {"tanh": tf.tanh, "sigmoid": tf.sigmoid, "relu": tf.nn.relu}[activation]  # type: ignore[no-any-return]


def slope(activation: Activation, squashed: Tensor) -> Tensor:
    """Return an activation's derivative where its value is `squashed`."""
    if activation == "tanh":
        return 1.0 - squashed * squashed
    if activation == "sigmoid":
        return squashed * (1.0 - squashed)
    return tf.cast(squashed > 0.0, tf.float32)


class Step(ABC):
    """A step after its two matrix products: input part and recurrent part, including biases."""

    keeps: int  # number of (batch, gates * units) rows that a step keeps

    def __init__(self, activation: Activation) -> None:
        self._activation = activation
        self._squash = squashing(activation)

    @abstractmethod
    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Advance one step.

        Args:
            x: the input part, (batch, gates * units).
            r: the recurrent part, (batch, gates * units).
            states: of the previous step, each (batch, units), the output first.

        Returns:
            What the backward pass needs, each (batch, gates * units); the states of this step.
        """

    @abstractmethod
    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Go back one step.

        Args:
            kept: by `forward`.
            before: the states before the step.
            d_states: gradients for the states after it.

        Returns:
            As many gradients as were kept, the first for the input part, the last for the recurrent
            part; gradients for the states before, without their share through the recurrent part.
        """


class LstmStep(Step):
    """A step of an LSTM; one tanh over the row activates all gates.

    sigmoid(z) = (1 + tanh(z / 2)) / 2. XLA turns this into one vector loop, whereas five functions
    of parts of the row are computed value by value. A fit of LSTM(64) over 60 steps takes a fifth
    less processor time this way (November 2026). The tanh is what is kept.
    """

    keeps = 1

    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Advance one step; keep the row before it is mapped to between 0 and 1."""
        units = int(x.shape[-1]) // 4
        halved = 0.5 if self._activation == "sigmoid" else 1.0
        row = tf.tanh(tf.repeat(tf.constant([0.5, 0.5, halved, 0.5]), units) * (x + r))
        if self._activation == "relu":
            is_candidate = tf.repeat(tf.constant([False, False, True, False]), units)
            row = tf.where(is_candidate, tf.nn.relu(x + r), row)
        inp, forget, candidate, output = self._gates(row)
        kept = forget * states[1] + inp * candidate
        return [row], [output * self._squash(kept), kept]

    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Go back one step."""
        inp, forget, candidate, output = self._gates(kept[0])
        of_inp, of_forget, of_candidate, of_output = self._slopes(kept[0])
        squashed = self._squash(forget * before[1] + inp * candidate)
        d_memory = d_states[0] * output * slope(self._activation, squashed) + d_states[1]
        d_row = [
            d_memory * candidate * of_inp,
            d_memory * before[1] * of_forget,
            d_memory * inp * of_candidate,
            d_states[0] * squashed * of_output,
        ]
        return [tf.concat(d_row, axis=-1)], [tf.zeros_like(before[0]), d_memory * forget]

    def _gates(self, row: Tensor) -> list[Tensor]:
        inp, forget, candidate, output = tf.split(row, 4, axis=-1)
        if self._activation == "sigmoid":
            candidate = 0.5 * candidate + 0.5
        return [0.5 * inp + 0.5, 0.5 * forget + 0.5, candidate, 0.5 * output + 0.5]

    def _slopes(self, row: Tensor) -> list[Tensor]:
        inp, forget, candidate, output = tf.split(row, 4, axis=-1)
        if self._activation == "sigmoid":
            of_candidate = 0.25 * (1.0 - candidate * candidate)
        else:
            of_candidate = slope(self._activation, candidate)
        return [
            0.25 * (1.0 - inp * inp),
            0.25 * (1.0 - forget * forget),
            of_candidate,
            0.25 * (1.0 - output * output),
        ]


class GruStep(Step):
    """A step of a GRU; also keeps the candidate's recurrent part, which the reset gate scales."""

    keeps = 2

    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Advance one step."""
        update_x, reset_x, candidate_x = tf.split(x, 3, axis=-1)
        update_r, reset_r, candidate_r = tf.split(r, 3, axis=-1)
        update, reset = tf.sigmoid(update_x + update_r), tf.sigmoid(reset_x + reset_r)
        candidate = self._squash(candidate_x + reset * candidate_r)
        row = tf.concat([update, reset, candidate], axis=-1)
        return [row, r], [update * states[0] + (1.0 - update) * candidate]

    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Go back one step."""
        update, reset, candidate = tf.split(kept[0], 3, axis=-1)
        candidate_r = tf.split(kept[1], 3, axis=-1)[2]
        d_candidate = d_states[0] * (1.0 - update) * slope(self._activation, candidate)
        d_update = d_states[0] * (before[0] - candidate) * slope("sigmoid", update)
        d_reset = d_candidate * candidate_r * slope("sigmoid", reset)
        d_x = tf.concat([d_update, d_reset, d_candidate], axis=-1)
        d_r = tf.concat([d_update, d_reset, d_candidate * reset], axis=-1)
        return [d_x, d_r], [d_states[0] * update]


class RnnStep(Step):
    """A step of a simple recurrent layer; only its output is kept."""

    keeps = 1

    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Advance one step."""
        del states  # they are already in the recurrent part
        output = self._squash(x + r)
        return [output], [output]

    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Go back one step."""
        return [d_states[0] * slope(self._activation, kept[0])], [tf.zeros_like(before[0])]


def step_of(cell: Cell, activation: Activation) -> Step:
    """Return the step of a cell."""
    steps: dict[Cell, Callable[[Activation], Step]] = {
        "lstm": LstmStep,
        "gru": GruStep,
        "rnn": RnnStep,
    }
    return steps[cell](activation)


def single_step(cell: Cell, activation: Activation) -> SingleStep:
    """Compute one step with a gradient by tape; return the new states, the output first."""
    squash = squashing(activation)

    def lstm(x: Tensor, r: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        inp, forget, candidate, output = tf.split(x + r, 4, axis=-1)
        kept = tf.sigmoid(forget) * states[1] + tf.sigmoid(inp) * squash(candidate)
        return [tf.sigmoid(output) * squash(kept), kept]

    def gru(x: Tensor, r: Tensor, states: Sequence[Tensor]) -> list[Tensor]:
        update_x, reset_x, candidate_x = tf.split(x, 3, axis=-1)
        update_r, reset_r, candidate_r = tf.split(r, 3, axis=-1)
        update = tf.sigmoid(update_x + update_r)
        candidate = squash(candidate_x + tf.sigmoid(reset_x + reset_r) * candidate_r)
        return [update * states[0] + (1.0 - update) * candidate]

    def rnn(x: Tensor, r: Tensor, _: Sequence[Tensor]) -> list[Tensor]:
        return [squash(x + r)]

    steps: dict[Cell, SingleStep] = {"lstm": lstm, "gru": gru, "rnn": rnn}
    return steps[cell]
