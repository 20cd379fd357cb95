"""Check the chapter's worked example: an RNN with three units reads "h", then "e"."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.cells.layer import Layer, LayerTrace
from app.cells.losses import softmax
from examples.hello import VOCABULARY, W_XH, network

Floats = NDArray[np.float64]

NETWORK = network()
ONE_HOT = np.eye(4)[None, [0, 1]]  # (1, 2, 4): "h", "e"


def digits(expected: list[float]) -> object:
    return pytest.approx(np.array(expected), abs=5e-5)


def test_hello_step_by_step() -> None:
    layer, run = NETWORK.layers[0], NETWORK.forward(ONE_HOT)
    trace: LayerTrace = run.layers[0]
    h, e = ONE_HOT[0]
    # 1: the one-hot "h" picks the first column of W_xh.
    assert h @ layer.kernel == digits([0.2870, 0.9029, 0.5375])
    # 2: the state is still zero, so W_hh h + bias is the bias.
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
    # 7: its softmax, and the letter it expects.
    probabilities = softmax(run.outputs[0, 1])
    assert probabilities == digits([0.4197, 0.1947, 0.1624, 0.2231])
    assert VOCABULARY[probabilities.argmax()] == "h"


def test_the_printed_six_digits_of_states_and_output() -> None:
    run = NETWORK.forward(ONE_HOT)
    states = run.layers[0].outputs[0]
    # Weights printed with six digits allow no more.
    np.testing.assert_allclose(states[0], [0.693168, 0.899554, 0.802119], atol=1.5e-6)
    np.testing.assert_allclose(states[1], [0.936534, 0.949104, 0.762341], atol=1.5e-6)
    np.testing.assert_allclose(
        run.outputs[0, 1], [1.906077, 1.137791, 0.956660, 1.274226], atol=5e-6
    )


def test_letters_may_be_given_as_ids() -> None:
    as_ids = NETWORK.forward(np.array([[0, 1]]))
    np.testing.assert_array_equal(as_ids.outputs, NETWORK.forward(ONE_HOT).outputs)


def unrolled(inputs: Floats, recurrent: list[Floats], biases: list[Floats]) -> Floats:
    """Run a deep network with a hidden layer per step, which also gets that step's input."""
    hidden = np.zeros((len(inputs), 3))
    for step, (weights, bias) in enumerate(zip(recurrent, biases, strict=True)):
        hidden = np.tanh(inputs[:, step] @ W_XH.T + hidden @ weights + bias)
    return hidden


def test_hidden_layers_with_equal_weights_are_a_recurrent_layer() -> None:
    generator = np.random.default_rng(0)
    inputs = np.eye(4)[generator.integers(0, 4, (5, 6))]  # (5, 6, 4)
    recurrent, bias = generator.normal(size=(3, 3)), generator.normal(size=3)
    layer = Layer(cell="rnn", kernel=W_XH.T, recurrent=recurrent, bias=bias)
    rolled = layer.forward(inputs).outputs[:, -1]
    np.testing.assert_allclose(unrolled(inputs, [recurrent] * 6, [bias] * 6), rolled)
    # Different weights or a different bias in a single layer change the result.
    other = [*[recurrent] * 5, recurrent + 0.1]
    assert np.abs(unrolled(inputs, other, [bias] * 6) - rolled).max() > 0.01
    other = [*[bias] * 5, bias + 0.1]
    assert np.abs(unrolled(inputs, [recurrent] * 6, other) - rolled).max() > 0.01
