"""Compare backpropagation through time with finite differences of the forward pass."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.cells.activations import ACTIVATIONS, ActivationName
from app.cells.cell import CELLS, CellName
from app.cells.losses import cross_entropy, mean_squared_error
from app.cells.network import Network

Floats = NDArray[np.float64]
STEP = 1e-6

every_cell = pytest.mark.parametrize("cell", list(CELLS))
every_activation = pytest.mark.parametrize("activation", list(ACTIVATIONS))


def network(cell: CellName, activation: ActivationName, *, seed: int = 0) -> Network:
    """Return a network with three inputs, layers of 4 and 3 units, 5 outputs and nonzero biases."""
    generator = np.random.default_rng(seed)
    made = Network.random(
        generator, cell=cell, inputs=3, layers=(4, 3), outputs=5, activation=activation
    )
    for bias in (array for name, array in made.weights().items() if name.endswith("bias")):
        np.add(bias, generator.normal(0, 0.3, bias.shape), out=bias)
    return made


def start(made: Network, batch: int) -> list[Floats]:
    generator = np.random.default_rng(7)
    return [
        generator.normal(size=state.shape)
        for layer in made.layers
        for state in layer.zero_states(batch)
    ]


def numerical(loss: Callable[[], float], array: Floats) -> Floats:
    """Return the gradient for an array by central differences; restore the array."""
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + STEP
        above = loss()
        array[place] = kept - STEP
        below = loss()
        array[place] = kept
        gradient[place] = (above - below) / (2 * STEP)
    return gradient


@every_cell
@every_activation
def test_weights_inputs_and_initial_states(cell: CellName, activation: ActivationName) -> None:
    made = network(cell, activation)
    inputs = np.random.default_rng(1).normal(size=(2, 6, 3))
    targets = np.random.default_rng(2).integers(0, 5, (2, 6))
    initial = start(made, 2)

    def loss() -> float:
        return cross_entropy(made.forward(inputs, initial).outputs, targets)[0]

    trace = made.forward(inputs, initial)
    gradients = made.backward(trace, cross_entropy(trace.outputs, targets)[1])
    for name, weights in made.weights().items():
        np.testing.assert_allclose(
            gradients.weights[name], numerical(loss, weights), atol=1e-6, err_msg=name
        )
    np.testing.assert_allclose(gradients.inputs, numerical(loss, inputs), atol=1e-6)
    for analytic, state in zip(gradients.initial, initial, strict=True):
        np.testing.assert_allclose(analytic, numerical(loss, state), atol=1e-6)


@every_cell
def test_outputs_at_the_last_step_only(cell: CellName) -> None:
    made = network(cell, "tanh")
    inputs = np.random.default_rng(1).normal(size=(3, 4, 3))
    targets = np.random.default_rng(2).normal(size=(3, 5))

    def loss() -> float:
        return mean_squared_error(made.forward(inputs, every_step=False).outputs, targets)[0]

    trace = made.forward(inputs, every_step=False)
    np.testing.assert_array_equal(trace.outputs, made.forward(inputs).outputs[:, -1])
    gradients = made.backward(trace, mean_squared_error(trace.outputs, targets)[1])
    for name, weights in made.weights().items():
        np.testing.assert_allclose(
            gradients.weights[name], numerical(loss, weights), atol=1e-7, err_msg=name
        )


@every_cell
def test_tokens_read_from_the_kernel_or_from_an_embedding(cell: CellName) -> None:
    made = network(cell, "tanh")
    embedded = replace(made, embedding=np.random.default_rng(3).normal(size=(6, 3)))
    targets = np.random.default_rng(2).integers(0, 5, (2, 4))
    # Each id more than once: its gradients must add up.
    for net, ids in (
        (made, np.array([[0, 1, 0, 2], [2, 2, 1, 0]])),
        (embedded, np.array([[5, 0, 5, 3], [1, 1, 1, 4]])),
    ):

        def loss(net: Network = net, ids: NDArray[np.int64] = ids) -> float:
            return cross_entropy(net.forward(ids).outputs, targets)[0]

        trace = net.forward(ids)
        gradients = net.backward(trace, cross_entropy(trace.outputs, targets)[1])
        assert set(gradients.weights) == set(net.weights())
        for name, weights in net.weights().items():
            np.testing.assert_allclose(
                gradients.weights[name], numerical(loss, weights), atol=1e-6, err_msg=name
            )


@every_cell
def test_one_hot_ids_and_one_hot_vectors_are_the_same(cell: CellName) -> None:
    made = network(cell, "tanh")
    ids = np.array([[0, 2, 1, 1]])
    by_id, by_vector = made.forward(ids), made.forward(np.eye(3)[ids])
    np.testing.assert_allclose(by_id.outputs, by_vector.outputs, rtol=1e-12)
    d_outputs = np.random.default_rng(0).normal(size=by_id.outputs.shape)
    one, other = made.backward(by_id, d_outputs), made.backward(by_vector, d_outputs)
    for name in one.weights:
        np.testing.assert_allclose(one.weights[name], other.weights[name], rtol=1e-12)
    # From the gradient for a chosen row follows that for the one-hot vector.
    np.testing.assert_allclose(one.inputs @ made.layers[0].kernel.T, other.inputs, rtol=1e-12)


@every_cell
def test_the_state_of_each_step(cell: CellName) -> None:
    # The gradient for the state after step t is that for the initial state of a run from there.
    made = network(cell, "tanh")
    layer = made.layers[0]
    inputs = np.random.default_rng(1).normal(size=(2, 7, 3))
    d_outputs = np.random.default_rng(2).normal(size=(2, 7, layer.units))
    whole = layer.forward(inputs)
    gradients = layer.backward(whole, d_outputs)
    for t in range(6):
        after = [state[:, t + 1] for state in whole.states.values()]
        rest = layer.forward(inputs[:, t + 1 :], after)
        later = layer.backward(rest, d_outputs[:, t + 1 :]).initial
        # The gradient for the hidden state includes its own output, which the later run does not
        # see.
        hidden = later[0] + d_outputs[:, t]
        np.testing.assert_allclose(gradients.states["hidden"][:, t], hidden, rtol=1e-9)
        if cell == "lstm":
            shown = np.tanh(after[1])
            through = hidden * whole.gates["output"][:, t] * (1 - shown**2)
            np.testing.assert_allclose(
                gradients.states["cell"][:, t], later[1] + through, rtol=1e-9
            )


@every_cell
def test_the_states_at_the_end_may_carry_a_gradient_of_their_own(cell: CellName) -> None:
    layer = network(cell, "tanh").layers[0]
    inputs = np.random.default_rng(1).normal(size=(2, 5, 3))
    weights = [np.random.default_rng(i).normal(size=(2, 4)) for i in range(len(CELLS[cell].states))]

    def loss() -> float:
        pairs = zip(weights, layer.forward(inputs).final, strict=True)
        return float(sum((weight * state).sum() for weight, state in pairs))

    gradients = layer.backward(layer.forward(inputs), np.zeros((2, 5, 4)), weights)
    np.testing.assert_allclose(gradients.kernel, numerical(loss, layer.kernel), atol=1e-7)


@every_cell
def test_a_text_in_pieces_with_carried_state_is_the_text_at_once(cell: CellName) -> None:
    made = network(cell, "tanh")
    inputs = np.random.default_rng(1).normal(size=(2, 9, 3))
    whole = made.forward(inputs)
    first = made.forward(inputs[:, :4])
    second = made.forward(inputs[:, 4:], first.final)
    np.testing.assert_allclose(
        np.concatenate((first.outputs, second.outputs), axis=1), whole.outputs, rtol=1e-12
    )
