import numpy as np
import pytest

from app.cells.cell import CELLS, CellName
from app.cells.layer import Layer
from app.cells.memory import reach
from app.cells.network import Network


def one_unit(recurrent: float) -> Network:
    """Return an RNN with one unit in relu's linear range: the gradient shrinks by its weight."""
    layer = Layer(
        cell="rnn",
        activation="relu",
        kernel=np.array([[0.0]]),
        recurrent=np.array([[recurrent]]),
        bias=np.array([1.0]),
    )
    return Network(layers=(layer,), output_kernel=np.array([[2.0]]), output_bias=np.zeros(1))


@pytest.mark.parametrize("weight", [0.3, 0.5, 0.9, 1.1])
def test_the_gradient_is_a_power_of_the_recurrent_weight(weight: float) -> None:
    (measured,) = reach(one_unit(weight), np.zeros((4, 30, 1)), np.ones((4, 1)))
    np.testing.assert_allclose(measured.norms, 2 * weight ** np.arange(30))


def test_half_life_and_reach_by_hand() -> None:
    inputs, ones = np.zeros((1, 30, 1)), np.ones((1, 1))
    (fast,) = reach(one_unit(0.6), inputs, ones)
    # 0.6, 0.36: below half from two steps back; 0.6 ** 9 = 0.0101, 0.6 ** 10 = 0.006.
    assert (fast.half_life, fast.reached) == (2, 10)
    (slow,) = reach(one_unit(0.99), inputs, ones)
    assert (slow.half_life, slow.reached) == (None, 30)
    (exploding,) = reach(one_unit(1.3), inputs, ones)
    assert (exploding.half_life, exploding.reached) == (None, 30)
    assert exploding.norms[-1] > 1000 * exploding.norms[0]


def test_a_forget_gate_held_open_keeps_the_gradient_where_an_rnn_loses_it() -> None:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(8, 60, 2))
    lstm = Network.random(generator, cell="lstm", inputs=2, layers=(8,), outputs=1)
    lstm.layers[0].bias[8:16] = 6.0
    rnn = Network.random(generator, cell="rnn", inputs=2, layers=(8,), outputs=1)
    (kept,) = reach(lstm, inputs, np.ones((8, 1)))
    (lost,) = reach(rnn, inputs, np.ones((8, 1)))
    assert kept.reached == 60
    assert kept.norms[-1] > 0.1 * kept.norms[0]
    assert lost.norms[-1] < 1e-3 * lost.norms[0]


@pytest.mark.parametrize("cell", list(CELLS))
def test_every_layer_is_measured_and_starts_at_the_output_layer_s_weights(cell: CellName) -> None:
    generator = np.random.default_rng(0)
    network = Network.random(generator, cell=cell, inputs=2, layers=(3, 4), outputs=1)
    inputs = generator.normal(size=(1, 6, 2))
    lower, upper = reach(network, inputs, np.ones((1, 1)))
    assert lower.norms.shape == upper.norms.shape == (6,)
    # At the last step, only the output layer uses the upper layer's hidden state.
    hidden = network.output_kernel[:, 0]
    if cell == "lstm":
        trace = network.forward(inputs).layers[1]
        shown = np.tanh(trace.states["cell"][0, -1])
        through = hidden * trace.gates["output"][0, -1] * (1 - shown**2)
        hidden = np.concatenate((hidden, through))
    assert upper.norms[0] == pytest.approx(np.linalg.norm(hidden))


def test_a_network_that_remembers_nothing() -> None:
    (measured,) = reach(one_unit(0.0), np.zeros((1, 5, 1)), np.ones((1, 1)))
    assert measured.norms.tolist() == [2, 0, 0, 0, 0]
    assert (measured.half_life, measured.reached) == (1, 1)


def test_an_output_layer_of_zeros_is_reached_by_nothing() -> None:
    network = Network.random(
        np.random.default_rng(0), cell="lstm", inputs=1, layers=(3,), outputs=1
    )
    network.output_kernel[:] = 0.0
    (layer,) = reach(network, np.ones((2, 5, 1)), np.ones((2, 1)))
    assert (layer.half_life, layer.reached) == (None, 0)
