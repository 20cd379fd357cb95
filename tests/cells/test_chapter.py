"""The chapter's worked example: an RNN of three units reads "h", then "e", of "hello"."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.cells.layer import Layer, LayerTrace
from app.cells.losses import softmax
from app.cells.network import Network

Floats = NDArray[np.float64]

VOCABULARY = "helo"
W_XH = np.array(
    [
        [0.287027, 0.84606, 0.572392, 0.486813],
        [0.902874, 0.871522, 0.691079, 0.18998],
        [0.537524, 0.09224, 0.558159, 0.491528],
    ]
)
W_HH, BIAS = 0.427043, 0.567001
W_HY = np.array(
    [
        [0.37168, 0.974829459, 0.830034886],
        [0.39141, 0.282585823, 0.659835709],
        [0.64985, 0.09821557, 0.334287084],
        [0.91266, 0.32581642, 0.144630018],
    ]
)
# The chapter writes matrix times column; rows times matrix is Keras' way. Its one number W_HH
# stands for every unit remembering itself.
WEIGHTS = {
    "layer0.kernel": W_XH.T,
    "layer0.recurrent": W_HH * np.eye(3),
    "layer0.bias": np.full(3, BIAS),
    "output.kernel": W_HY.T,
    "output.bias": np.zeros(4),
}
NETWORK = Network.from_weights(WEIGHTS, cell="rnn")
ONE_HOT = np.eye(4)[None, [0, 1]]  # (1, 2, 4): "h", "e"


def digits(expected: list[float]) -> object:
    return pytest.approx(np.array(expected), abs=5e-5)


def test_hello_step_by_step() -> None:
    layer, run = NETWORK.layers[0], NETWORK.forward(ONE_HOT)
    trace: LayerTrace = run.layers[0]
    h, e = ONE_HOT[0]
    # 1: the one-hot "h" picks the first column of W_xh.
    assert h @ layer.kernel == digits([0.2870, 0.9029, 0.5375])
    # 2: nothing remembered yet, so W_hh h + bias is the bias.
    assert trace.products[0, 0] + layer.bias == digits([0.5670, 0.5670, 0.5670])
    # 3: the state after "h".
    assert trace.outputs[0, 0] == digits([0.6932, 0.8996, 0.8021])
    # 4: at "e" W_hh h + bias remembers "h"; 0.427043 · 0.693168 + 0.567001 and so on.
    assert trace.products[0, 1] + layer.bias == digits([0.8630, 0.9511, 0.9095])
    assert e @ layer.kernel == digits([0.8461, 0.8715, 0.0922])
    # 5: the state after "e".
    assert trace.outputs[0, 1] == digits([0.9365, 0.9491, 0.7623])
    # 6: the output.
    assert run.outputs[0, 1] == digits([1.9061, 1.1378, 0.9567, 1.2742])
    # 7: its softmax, and the letter it says.
    probabilities = softmax(run.outputs[0, 1])
    assert probabilities == digits([0.4197, 0.1947, 0.1624, 0.2231])
    assert VOCABULARY[probabilities.argmax()] == "h"


def test_the_printed_six_digits_of_states_and_output() -> None:
    run = NETWORK.forward(ONE_HOT)
    states = run.layers[0].outputs[0]
    # As far as weights printed to six digits can tell.
    np.testing.assert_allclose(states[0], [0.693168, 0.899554, 0.802119], atol=1.5e-6)
    np.testing.assert_allclose(states[1], [0.936534, 0.949104, 0.762341], atol=1.5e-6)
    np.testing.assert_allclose(
        run.outputs[0, 1], [1.906077, 1.137791, 0.956660, 1.274226], atol=5e-6
    )


def test_letters_may_be_given_as_ids() -> None:
    as_ids = NETWORK.forward(np.array([[0, 1]]))
    np.testing.assert_array_equal(as_ids.outputs, NETWORK.forward(ONE_HOT).outputs)


def unrolled(inputs: Floats, recurrent: list[Floats], biases: list[Floats]) -> Floats:
    """A deep network with a hidden layer for each step, which also gets that step's input."""
    hidden = np.zeros((len(inputs), 3))
    for step, (weights, bias) in enumerate(zip(recurrent, biases, strict=True)):
        hidden = np.tanh(inputs[:, step] @ W_XH.T + hidden @ weights + bias)
    return hidden


def test_rolled_in_hidden_layers_of_one_weight_are_a_recurrent_layer() -> None:
    generator = np.random.default_rng(0)
    inputs = np.eye(4)[generator.integers(0, 4, (5, 6))]  # (5, 6, 4)
    recurrent, bias = generator.normal(size=(3, 3)), generator.normal(size=3)
    layer = Layer(cell="rnn", kernel=W_XH.T, recurrent=recurrent, bias=bias)
    rolled = layer.forward(inputs).outputs[:, -1]
    np.testing.assert_allclose(unrolled(inputs, [recurrent] * 6, [bias] * 6), rolled)
    # With weights or biases of its own in only one hidden layer it is another network.
    other = [*[recurrent] * 5, recurrent + 0.1]
    assert np.abs(unrolled(inputs, other, [bias] * 6) - rolled).max() > 0.01
    other = [*[bias] * 5, bias + 0.1]
    assert np.abs(unrolled(inputs, [recurrent] * 6, other) - rolled).max() > 0.01
