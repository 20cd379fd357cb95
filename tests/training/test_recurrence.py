"""Compare the compiled recurrence with Keras: same outputs, same gradients."""

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from app.recipes.recipe import Activation, Cell
from app.training.architecture import Architecture
from app.training.keras_network import build_network, initial_weights, with_weights
from app.training.recurrence import run_network

CELLS: tuple[Cell, ...] = ("lstm", "gru", "rnn")
ACTIVATIONS: tuple[Activation, ...] = ("tanh", "sigmoid", "relu")


def random_weights(architecture: Architecture, *, seed: int = 0) -> dict[str, Any]:
    """Return weights and biases, all of them nonzero."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.normal(0.0, 0.4, shape).astype(np.float32)
        for name, shape in architecture.weight_shapes().items()
    }


def form(cell: Cell, activation: Activation = "tanh", **changes: Any) -> Architecture:  # noqa: ANN401
    return Architecture(
        **{
            "cell": cell,
            "activation": activation,
            "layers": (5, 3),
            "inputs": 2,
            "outputs": 2,
            "tokens": False,
            **changes,
        }
    )


@pytest.mark.parametrize(("cell", "activation"), list(itertools.product(CELLS, ACTIVATIONS)))
def test_outputs_and_gradients_equal_those_of_keras(cell: Cell, activation: Activation) -> None:
    architecture = form(cell, activation)
    weights = random_weights(architecture)
    x = np.random.default_rng(1).normal(size=(4, 6, 2)).astype(np.float32)
    target = np.random.default_rng(2).normal(size=(4, 2)).astype(np.float32)

    network = with_weights(build_network(architecture, steps=6, every_step=False), weights)
    with tf.GradientTape() as tape:
        expected = network(x)
        loss = tf.reduce_mean(tf.square(expected - target))
    expected_gradients = tape.gradient(loss, network.trainable_variables)

    tensors = {name: tf.constant(weight) for name, weight in weights.items()}
    states = [tf.zeros((4, units)) for _, units in architecture.states()]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        outputs, _ = run_network(architecture, tensors, tf.constant(x), states, every_step=False)
        loss = tf.reduce_mean(tf.square(outputs - target))
    gradients = tape.gradient(loss, list(tensors.values()))

    np.testing.assert_allclose(outputs, expected, atol=2e-6)
    for name, own, other in zip(weights, gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(own, other, atol=5e-6, err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", [None, 3])
def test_every_step_of_tokens_equals_keras(cell: Cell, embedding: int | None) -> None:
    architecture = form(cell, inputs=7, outputs=7, tokens=True, embedding=embedding)
    weights = random_weights(architecture)
    ids = np.random.default_rng(1).integers(0, 7, (3, 5)).astype(np.int32)
    expected = with_weights(build_network(architecture, steps=5, every_step=True), weights)(ids)
    tensors = {name: tf.constant(weight) for name, weight in weights.items()}
    states = [tf.zeros((3, units)) for _, units in architecture.states()]
    logits, _ = run_network(architecture, tensors, tf.constant(ids), states, every_step=True)
    probabilities = tf.nn.softmax(tf.transpose(logits, (1, 0, 2)))  # (batch, steps, vocabulary)
    np.testing.assert_allclose(probabilities, expected, atol=2e-6)


def test_a_sequence_in_two_pieces_with_carried_state_equals_it_in_one() -> None:
    architecture = form("gru")
    tensors = {name: tf.constant(w) for name, w in random_weights(architecture).items()}
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 8, 2)).astype(np.float32))
    zero = [tf.zeros((2, units)) for _, units in architecture.states()]
    whole, _ = run_network(architecture, tensors, x, zero, every_step=False)
    _, states = run_network(architecture, tensors, x[:, :5], zero, every_step=False)
    pieces, _ = run_network(architecture, tensors, x[:, 5:], states, every_step=False)
    np.testing.assert_allclose(pieces, whole, atol=1e-6)


def test_initial_weights_follow_the_seed_and_a_zero_output_layer_is_zero() -> None:
    architecture = form("lstm", zero_output=True)
    first, again = (initial_weights(architecture, seed=3) for _ in range(2))
    other = initial_weights(architecture, seed=4)
    for name, weight in first.items():
        assert weight.tobytes() == again[name].tobytes()
        assert weight.shape == architecture.weight_shapes()[name]
    assert not np.array_equal(first["layer0.kernel"], other["layer0.kernel"])
    assert not first["output.kernel"].any()
    assert np.array_equal(first["layer0.bias"][5:10], np.ones(5))  # the forget gates start open
