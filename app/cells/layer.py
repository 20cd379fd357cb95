"""A recurrent layer: a cell applied to the steps of a batch, and backward through time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cells.activations import ACTIVATIONS, ActivationName
from app.cells.cell import CELLS, CellName

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class LayerTrace:
    """Everything that happened in a layer."""

    inputs: Floats | Ids  # (batch, steps, inputs), or ids (batch, steps) of one-hot inputs
    products: Floats  # (batch, steps, gates * units), h_{t-1} U and its bias
    gates: dict[str, Floats]  # by name, (batch, steps, units)
    # By name, (batch, steps + 1, units): index 0 is the initial state, t + 1 the state after step
    # t.
    states: dict[str, Floats]

    @property
    def outputs(self) -> Floats:
        """The hidden state after every step, (batch, steps, units)."""
        return self.states["hidden"][:, 1:]

    @property
    def final(self) -> tuple[Floats, ...]:
        """The states after the last step, (batch, units) each, hidden first."""
        return tuple(state[:, -1] for state in self.states.values())


@dataclass(frozen=True, kw_only=True)
class LayerGradients:
    """The gradient of a loss by everything in a layer."""

    # Like the trace's inputs; for ids by the selected rows of the kernel, (batch, steps, columns).
    inputs: Floats
    kernel: Floats  # (inputs, gates * units)
    recurrent: Floats  # (units, gates * units)
    bias: Floats  # (gates * units,), for GRU (2, gates * units)
    initial: tuple[Floats, ...]  # by the initial states, (batch, units) each, hidden first
    states: dict[str, Floats]  # by the state after each step, (batch, steps, units)
    drive: Floats  # by x W + b, (batch, steps, gates * units)
    product: Floats  # by h U, (batch, steps, gates * units)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The weights of a recurrent layer, in Keras' layout.

    Raises:
        ValueError: the shapes do not fit together.
    """

    cell: CellName
    activation: ActivationName = "tanh"
    kernel: Floats  # (inputs, gates * units)
    recurrent: Floats  # (units, gates * units)
    bias: Floats  # (gates * units,), for GRU (2, gates * units): input's, product's

    def __post_init__(self) -> None:
        units = self.recurrent.shape[0]
        columns = len(CELLS[self.cell].gates) * units
        bias = (2, columns) if self.cell == "gru" else (columns,)
        expected = ((self.kernel.shape[0], columns), (units, columns), bias)
        given = (self.kernel.shape, self.recurrent.shape, self.bias.shape)
        if given != expected:
            raise ValueError(
                f"{self.cell} weights (kernel, recurrent, bias) have shapes {given}, but {units} "
                f"units need {expected}"
            )

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return int(self.recurrent.shape[0])

    def zero_states(self, batch: int) -> tuple[Floats, ...]:
        """Return initial states of zero, (batch, units) each."""
        return tuple(np.zeros((batch, self.units)) for _ in CELLS[self.cell].states)

    def forward(self, inputs: Floats | Ids, initial: Sequence[Floats] | None = None) -> LayerTrace:
        """Run the layer.

        Args:
            inputs: (batch, steps, inputs), or integer ids (batch, steps), which stand for one-hot
                vectors and select rows of the kernel.
            initial: states before the first step, (batch, units) each, hidden first; zero if None.
        """
        cell, activation = CELLS[self.cell], ACTIVATIONS[self.activation]
        drive_bias, product_bias = self._biases()
        drive = self._drive(inputs) + drive_bias  # (batch, steps, gates * units)
        batch, steps, columns = drive.shape
        before = tuple(self.zero_states(batch) if initial is None else initial)
        products = np.empty((batch, steps, columns))
        gates = np.empty((len(cell.gates), batch, steps, self.units))
        states = np.empty((len(cell.states), batch, steps + 1, self.units))
        states[:, :, 0] = before
        for t in range(steps):
            products[:, t] = before[0] @ self.recurrent + product_bias  # (batch, gates * units)
            opened, before = cell.step(drive[:, t], products[:, t], before, activation)
            gates[:, :, t] = opened  # (gates, batch, units)
            states[:, :, t + 1] = before  # (states, batch, units)
        return LayerTrace(
            inputs=inputs,
            products=products,
            gates=dict(zip(cell.gates, gates, strict=True)),
            states=dict(zip(cell.states, states, strict=True)),
        )

    def backward(
        self,
        trace: LayerTrace,
        d_outputs: Floats,
        d_final: Sequence[Floats] | None = None,
    ) -> LayerGradients:
        """Backpropagate through time (Werbos 1990), over all steps of a trace.

        Args:
            trace: of the forward run with these weights.
            d_outputs: gradient of the loss by the output of each step, (batch, steps, units).
            d_final: additional gradient by the states after the last step.
        """
        cell, activation = CELLS[self.cell], ACTIVATIONS[self.activation]
        gates = np.stack(list(trace.gates.values()))  # (gates, batch, steps, units)
        states = np.stack(list(trace.states.values()))  # (states, batch, steps + 1, units)
        batch, steps, _ = d_outputs.shape
        d_drive, d_product = np.empty_like(trace.products), np.empty_like(trace.products)
        d_states = np.empty((len(states), batch, steps, self.units))
        d_after = tuple(self.zero_states(batch) if d_final is None else d_final)
        for t in reversed(range(steps)):
            d_drive[:, t], d_product[:, t], d_before, d_whole = cell.back(
                gates=tuple(gates[:, :, t]),
                product=trace.products[:, t],
                before=tuple(states[:, :, t]),
                after=tuple(states[:, :, t + 1]),
                d_after=(d_after[0] + d_outputs[:, t], *d_after[1:]),
                activation=activation,
            )
            d_states[:, :, t] = d_whole  # (states, batch, units)
            through = d_product[:, t] @ self.recurrent.T  # (batch, units)
            d_after = (d_before[0] + through, *d_before[1:])
        return self._gathered(trace, d_drive, d_product, d_states, d_after)

    def _gathered(
        self,
        trace: LayerTrace,
        d_drive: Floats,
        d_product: Floats,
        d_states: Floats,
        d_initial: tuple[Floats, ...],
    ) -> LayerGradients:
        """Sum over batch and steps, because all steps share the weights."""
        before = trace.states["hidden"][:, :-1]  # (batch, steps, units)
        d_bias = d_drive.sum(axis=(0, 1))  # (gates * units,)
        if self.cell == "gru":
            d_bias = np.stack((d_bias, d_product.sum(axis=(0, 1))))  # (2, gates * units)
        if trace.inputs.dtype.kind in "iu":
            d_inputs, d_kernel = d_drive, np.zeros_like(self.kernel)
            rows = trace.inputs.astype(np.int64)  # (batch, steps)
            np.add.at(d_kernel, rows, d_drive)  # adds up rows that were selected twice
        else:
            d_inputs = d_drive @ self.kernel.T  # (batch, steps, inputs)
            d_kernel = np.tensordot(trace.inputs, d_drive, axes=((0, 1), (0, 1)))
        return LayerGradients(
            inputs=d_inputs,
            kernel=d_kernel,  # (inputs, gates * units)
            recurrent=np.tensordot(before, d_product, axes=((0, 1), (0, 1))),
            bias=d_bias,
            initial=d_initial,
            states=dict(zip(CELLS[self.cell].states, d_states, strict=True)),
            drive=d_drive,
            product=d_product,
        )

    def _drive(self, inputs: Floats | Ids) -> Floats:
        if inputs.dtype.kind in "iu":
            rows: Floats = self.kernel[inputs]  # (batch, steps, gates * units)
            return rows
        product: Floats = inputs @ self.kernel  # (batch, steps, gates * units)
        return product

    def _biases(self) -> tuple[Floats, Floats]:
        """Return the biases of drive and product, (gates * units,) each."""
        if self.cell == "gru":
            return self.bias[0], self.bias[1]
        return self.bias, np.zeros_like(self.bias)
