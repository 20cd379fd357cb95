"""One step of a recurrent cell, forward and backward, as the compiled loops of `recurrence` run it.

Of every step a row of the squashed gates is kept, from which the way back takes the slopes: nothing
is squashed twice but an LSTM's memory, and gradients are written out instead of left to a tape, so
that XLA makes few kernels of them.

Equations: Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000 (LSTM), Cho et
al. 2014 with Keras' `reset_after` (GRU), Elman 1990 (RNN). Gate order as in `architecture`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from app.recipes.recipe import Activation, Cell

Tensor = Any  # TensorFlow ships no types
# (input part, recurrent part, states of the step before) -> states of this step
SingleStep = Callable[[Tensor, Tensor, Sequence[Tensor]], list[Tensor]]


def squashing(activation: Activation) -> Callable[[Tensor], Tensor]:
    """The function of an activation's name."""
    return {"tanh": tf.tanh, "sigmoid": tf.sigmoid, "relu": tf.nn.relu}[activation]  # type: ignore[no-any-return]


def slope(activation: Activation, squashed: Tensor) -> Tensor:
    """An activation's derivative, where it gave `squashed`."""
    if activation == "tanh":
        return 1.0 - squashed * squashed
    if activation == "sigmoid":
        return squashed * (1.0 - squashed)
    return tf.cast(squashed > 0.0, tf.float32)


class Step(ABC):
    """One step after its two matrix products: input part and recurrent part, bias in each."""

    keeps: int  # rows of (batch, gates * units) per step

    def __init__(self, activation: Activation) -> None:
        self._activation = activation
        self._squash = squashing(activation)

    @abstractmethod
    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Goes one step on.

        Args:
            x: the input part, (batch, gates * units).
            r: the recurrent part, likewise.
            states: of the step before, each (batch, units), the output first.

        Returns:
            What the way back needs, each (batch, gates * units); the states of this step.
        """

    @abstractmethod
    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Goes one step back.

        Args:
            kept: by `forward`.
            before: the states before the step.
            d_states: gradients of the states after it.

        Returns:
            As many gradients as were kept, the first that of the input part, the last that of the
            recurrent part; gradients of the states before, but for their share in that part.
        """


class LstmStep(Step):
    """Of an LSTM all gates are squashed by one tanh over their row.

    sigmoid(z) = (1 + tanh(z / 2)) / 2. XLA makes one vector loop of that, where it takes five
    functions of parts of the row value by value: a fit of LSTM(64) over 60 steps takes a fifth less
    processor time so (November 2026). The tanh is what is kept.
    """

    keeps = 1

    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One step on; keeps the row before it is moved to between 0 and 1."""
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
        """One step back."""
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
    """A GRU; the candidate's recurrent part is kept too, for the reset gate multiplies it."""

    keeps = 2

    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One step on."""
        update_x, reset_x, candidate_x = tf.split(x, 3, axis=-1)
        update_r, reset_r, candidate_r = tf.split(r, 3, axis=-1)
        update, reset = tf.sigmoid(update_x + update_r), tf.sigmoid(reset_x + reset_r)
        candidate = self._squash(candidate_x + reset * candidate_r)
        row = tf.concat([update, reset, candidate], axis=-1)
        return [row, r], [update * states[0] + (1.0 - update) * candidate]

    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One step back."""
        update, reset, candidate = tf.split(kept[0], 3, axis=-1)
        candidate_r = tf.split(kept[1], 3, axis=-1)[2]
        d_candidate = d_states[0] * (1.0 - update) * slope(self._activation, candidate)
        d_update = d_states[0] * (before[0] - candidate) * slope("sigmoid", update)
        d_reset = d_candidate * candidate_r * slope("sigmoid", reset)
        d_x = tf.concat([d_update, d_reset, d_candidate], axis=-1)
        d_r = tf.concat([d_update, d_reset, d_candidate * reset], axis=-1)
        return [d_x, d_r], [d_states[0] * update]


class RnnStep(Step):
    """A simple recurrent layer: its output is all that is to be kept."""

    keeps = 1

    def forward(
        self, x: Tensor, r: Tensor, states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One step on."""
        del states  # they are in the recurrent part
        output = self._squash(x + r)
        return [output], [output]

    def backward(
        self, kept: Sequence[Tensor], before: Sequence[Tensor], d_states: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """One step back."""
        return [d_states[0] * slope(self._activation, kept[0])], [tf.zeros_like(before[0])]


def step_of(cell: Cell, activation: Activation) -> Step:
    """The step of a cell."""
    steps: dict[Cell, Callable[[Activation], Step]] = {
        "lstm": LstmStep,
        "gru": GruStep,
        "rnn": RnnStep,
    }
    return steps[cell](activation)


def single_step(cell: Cell, activation: Activation) -> SingleStep:
    """One step alone, of which the gradient is left to a tape: new states, the output first."""
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
