"""Compare outputs, states and gradients with Keras for the same weights."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from app.cells.activations import ACTIVATIONS, ActivationName
from app.cells.cell import CELLS, CellName
from app.cells.layer import Layer
from app.cells.losses import cross_entropy, softmax
from app.cells.network import Network

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]


@pytest.fixture(scope="module")
def tf() -> ModuleType:
    # Imported here because it takes up to 10 seconds, which collecting the tests should not.
    import tensorflow  # noqa: ICN001, PLC0415, TID251

    return tensorflow  # type: ignore[no-any-return]


def keras_layer(tf: ModuleType, layer: Layer) -> Any:  # noqa: ANN401
    kind = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[layer.cell]
    made = getattr(tf.keras.layers, kind)(
        layer.units,
        activation=layer.activation,
        return_sequences=True,
        return_state=True,
        dtype="float64",
    )
    made.build((None, None, layer.kernel.shape[0]))
    made.set_weights([layer.kernel, layer.recurrent, layer.bias])
    return made


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_a_layer_equals_keras(tf: ModuleType, cell: CellName, activation: ActivationName) -> None:
    generator = np.random.default_rng(0)
    units, columns = 6, 6 * len(CELLS[cell].gates)
    layer = Layer(
        cell=cell,
        activation=activation,
        kernel=generator.normal(0, 0.5, (4, columns)),
        recurrent=generator.normal(0, 0.4, (units, columns)),
        bias=generator.normal(0, 0.5, (2, columns) if cell == "gru" else columns),
    )
    inputs = generator.normal(size=(3, 11, 4))
    initial = [generator.normal(size=(3, units)) for _ in CELLS[cell].states]
    weights_of_loss = generator.normal(size=(3, 11, units))

    trace = layer.forward(inputs, initial)
    gradients = layer.backward(trace, weights_of_loss)

    reference = keras_layer(tf, layer)
    variables = [tf.constant(inputs), *(tf.constant(state) for state in initial)]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        outputs, *final = reference(variables[0], initial_state=variables[1:])
        loss = tf.reduce_sum(outputs * weights_of_loss)
    expected = tape.gradient(loss, [*variables, *reference.trainable_variables])

    np.testing.assert_allclose(trace.outputs, outputs, rtol=1e-9, atol=1e-12)
    for mine, state in zip(trace.final, final, strict=True):
        np.testing.assert_allclose(mine, state, rtol=1e-9, atol=1e-12)
    by_all = [gradients.inputs, *gradients.initial]
    by_all += [gradients.kernel, gradients.recurrent, gradients.bias]
    for one, other in zip(by_all, expected, strict=True):
        np.testing.assert_allclose(one, np.reshape(other, one.shape), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("cell", list(CELLS))
def test_a_stacked_network_on_tokens_equals_keras(tf: ModuleType, cell: CellName) -> None:
    keras = tf.keras
    kind = getattr(keras.layers, {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}[cell])
    reference = keras.Sequential(
        [
            keras.layers.Embedding(9, 5),
            kind(7, return_sequences=True),
            kind(4, return_sequences=True),
            keras.layers.Dense(9, activation="softmax"),
        ]
    )
    ids = np.random.default_rng(0).integers(0, 9, (2, 8))
    expected = reference(ids).numpy()
    parts = ["kernel", "recurrent", "bias"]
    names = ["embedding", *(f"layer{i}.{part}" for i in range(2) for part in parts)]
    names += ["output.kernel", "output.bias"]
    made = Network.from_weights(dict(zip(names, reference.get_weights(), strict=True)), cell=cell)
    trace = made.forward(ids)
    np.testing.assert_allclose(softmax(trace.outputs), expected, atol=1e-6)

    targets = np.random.default_rng(1).integers(0, 9, (2, 8))
    gradients = made.backward(trace, cross_entropy(trace.outputs, targets)[1])
    with tf.GradientTape() as tape:
        losses = keras.losses.sparse_categorical_crossentropy(targets, reference(ids))
        loss = tf.reduce_sum(losses)
    assert float(loss) == pytest.approx(cross_entropy(trace.outputs, targets)[0], rel=1e-5)
    for name, other in zip(names, tape.gradient(loss, reference.trainable_variables), strict=True):
        dense = tf.convert_to_tensor(other).numpy()
        np.testing.assert_allclose(gradients.weights[name], dense, atol=2e-5, err_msg=name)
