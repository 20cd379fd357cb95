"""One step of a recurrent cell, forward and backward, for RNN, LSTM and GRU.

A step takes two products, both (batch, gates * units), with the gates in Keras' order: the drive x
W + b from the input, and the product h U (for GRU plus its own bias) from the state. The equations
are for one unit at time t; σ is the sigmoid, φ the activation of the recipe, · element-wise.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from app.cells.activations import Activation, sigmoid, sigmoid_slope

Floats = NDArray[np.float64]
CellName = Literal["rnn", "lstm", "gru"]
Parts = tuple[Floats, ...]


class Cell(Protocol):
    """What the cells have in common; arrays are (batch, units) unless stated otherwise."""

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates, in the order of the weights."""
        ...

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states; the first is the output."""
        ...

    def step(
        self, drive: Floats, product: Floats, before: Parts, activation: Activation
    ) -> tuple[Parts, Parts]:
        """Advance one step.

        Args:
            drive: x W + b, (batch, gates * units).
            product: h U, (batch, gates * units).
            before: states before the step.
            activation: of the layer.

        Returns:
            The gates of the step, and the states after it.
        """
        ...

    def back(
        self,
        *,
        gates: Parts,
        product: Floats,
        before: Parts,
        after: Parts,
        d_after: Parts,
        activation: Activation,
    ) -> tuple[Floats, Floats, Parts, Parts]:
        """Return the gradients of one step.

        Args:
            gates: of the step.
            product: of the step, (batch, gates * units).
            before: states before the step.
            after: states after it.
            d_after: gradient by the states after it, from later steps and from outputs.
            activation: of the layer.

        Returns:
            Gradients by the drive and by the product, (batch, gates * units) each; by the states
            before the step, except through the product; and by the states after it, now complete
            (an LSTM's cell state also acts through the output of its own step).
        """
        ...


class Rnn:
    """The plain recurrent cell (Elman 1990), the chapter's first network.

    h_t = φ(x_t W + b + h_{t-1} U)
    """

    gates = ("candidate",)
    states = ("hidden",)

    def step(
        self, drive: Floats, product: Floats, before: Parts, activation: Activation
    ) -> tuple[Parts, Parts]:
        """See `Cell.step`."""
        del before  # it acts only through the product
        hidden = activation.squash(drive + product)  # (batch, units)
        return (hidden,), (hidden,)

    def back(
        self,
        *,
        gates: Parts,
        product: Floats,
        before: Parts,
        after: Parts,
        d_after: Parts,
        activation: Activation,
    ) -> tuple[Floats, Floats, Parts, Parts]:
        """See `Cell.back`: d(x W + b) = dh φ'."""
        del product, after
        d_sum = d_after[0] * activation.slope(gates[0])  # (batch, units)
        return d_sum, d_sum, (np.zeros_like(before[0]),), d_after


class Lstm:
    """The long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000).

    The chapter's four equations, and the states that they update:

    i_t = σ(x_t W_i + b_i + h_{t-1} U_i)    input gate: what enters the state
    f_t = σ(x_t W_f + b_f + h_{t-1} U_f)    forget gate: what stays
    g_t = φ(x_t W_c + b_c + h_{t-1} U_c)    candidate
    o_t = σ(x_t W_o + b_o + h_{t-1} U_o)    output gate: what is output
    c_t = f_t · c_{t-1} + i_t · g_t
    h_t = o_t · φ(c_t)
    """

    gates = ("input", "forget", "candidate", "output")
    states = ("hidden", "cell")

    def step(
        self, drive: Floats, product: Floats, before: Parts, activation: Activation
    ) -> tuple[Parts, Parts]:
        """See `Cell.step`."""
        i, f, g, o = np.split(drive + product, 4, axis=-1)  # (batch, units) each
        i, f, g, o = sigmoid(i), sigmoid(f), activation.squash(g), sigmoid(o)
        cell = f * before[1] + i * g  # (batch, units)
        hidden = o * activation.squash(cell)  # (batch, units)
        return (i, f, g, o), (hidden, cell)

    def back(
        self,
        *,
        gates: Parts,
        product: Floats,
        before: Parts,
        after: Parts,
        d_after: Parts,
        activation: Activation,
    ) -> tuple[Floats, Floats, Parts, Parts]:
        """Return the gradients of one step; see `Cell.back`.

        dc_t gains dh_t · o_t φ'(c_t), and then dc_{t-1} = dc_t · f_t. This is the chapter's
        conveyor belt: only the forget gate shrinks the gradient.
        """
        del product
        i, f, g, o = gates
        shown = activation.squash(after[1])  # (batch, units), φ(c)
        d_hidden = d_after[0]
        d_cell = d_after[1] + d_hidden * o * activation.slope(shown)  # (batch, units)
        d_sum = np.concatenate(
            (
                d_cell * g * sigmoid_slope(i),
                d_cell * before[1] * sigmoid_slope(f),
                d_cell * i * activation.slope(g),
                d_hidden * shown * sigmoid_slope(o),
            ),
            axis=-1,
        )  # (batch, 4 * units)
        return d_sum, d_sum, (np.zeros_like(before[0]), d_cell * f), (d_hidden, d_cell)


class Gru:
    """The gated recurrent unit (Cho et al. 2014), as in Keras (`reset_after`).

    z_t = σ(x_t W_z + b_z + h_{t-1} U_z + b'_z)              update gate: what stays
    r_t = σ(x_t W_r + b_r + h_{t-1} U_r + b'_r)              reset gate
    n_t = φ(x_t W_h + b_h + r_t · (h_{t-1} U_h + b'_h))      candidate
    h_t = z_t · h_{t-1} + (1 - z_t) · n_t
    """

    gates = ("update", "reset", "candidate")
    states = ("hidden",)

    def step(
        self, drive: Floats, product: Floats, before: Parts, activation: Activation
    ) -> tuple[Parts, Parts]:
        """See `Cell.step`."""
        x_z, x_r, x_n = np.split(drive, 3, axis=-1)  # (batch, units) each
        p_z, p_r, p_n = np.split(product, 3, axis=-1)  # (batch, units) each
        z, r = sigmoid(x_z + p_z), sigmoid(x_r + p_r)
        n = activation.squash(x_n + r * p_n)
        return (z, r, n), (z * before[0] + (1.0 - z) * n,)

    def back(
        self,
        *,
        gates: Parts,
        product: Floats,
        before: Parts,
        after: Parts,
        d_after: Parts,
        activation: Activation,
    ) -> tuple[Floats, Floats, Parts, Parts]:
        """See `Cell.back`."""
        del after
        z, r, n = gates
        p_n = product[:, 2 * z.shape[-1] :]  # (batch, units)
        d_hidden = d_after[0]
        d_z = d_hidden * (before[0] - n) * sigmoid_slope(z)  # (batch, units)
        d_n = d_hidden * (1.0 - z) * activation.slope(n)
        d_r = d_n * p_n * sigmoid_slope(r)
        d_drive = np.concatenate((d_z, d_r, d_n), axis=-1)  # (batch, 3 * units)
        d_product = np.concatenate((d_z, d_r, d_n * r), axis=-1)  # (batch, 3 * units)
        return d_drive, d_product, (d_hidden * z,), d_after


CELLS: Mapping[CellName, Cell] = {"rnn": Rnn(), "lstm": Lstm(), "gru": Gru()}
