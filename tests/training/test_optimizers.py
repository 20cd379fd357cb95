"""Compare the update rules with Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.training.optimizers import SLOTS, Optimizer, clip, update

OPTIMIZERS: dict[Optimizer, str] = {"adam": "Adam", "rmsprop": "RMSprop", "sgd": "SGD"}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_five_updates_equal_those_of_keras(name: Optimizer) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2)).astype(np.float32)
    gradients = [rng.normal(size=(3, 2)).astype(np.float32) for _ in range(5)]

    variable = keras.Variable(start)
    reference = getattr(keras.optimizers, OPTIMIZERS[name])(learning_rate=0.01)
    reference.build([variable])
    weights = [tf.constant(start)]
    slots = [[tf.zeros((3, 2))] for _ in SLOTS[name]]
    for number, gradient in enumerate(gradients, start=1):
        reference.apply([tf.constant(gradient)], [variable])
        weights, slots = update(
            name,
            weights=weights,
            gradients=[tf.constant(gradient)],
            slots=slots,
            step=tf.constant(float(number)),
            learning_rate=tf.constant(0.01),
        )
    np.testing.assert_allclose(weights[0], variable.numpy(), atol=1e-6)


def test_clipping_shrinks_the_common_norm_and_leaves_small_gradients_alone() -> None:
    gradients = [tf.constant([3.0]), tf.constant([4.0])]
    clipped, norm = clip(gradients, 1.0)
    assert float(norm) == pytest.approx(5.0)
    np.testing.assert_allclose([float(g[0]) for g in clipped], [0.6, 0.8], atol=1e-6)
    same, _ = clip(gradients, 10.0)
    np.testing.assert_allclose([float(g[0]) for g in same], [3.0, 4.0])
