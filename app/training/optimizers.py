"""Define the update rules as functions of their own state, which can be saved and restored.

Formulas and default constants are those of Keras 3: Adam (Kingma and Ba 2015, beta 0.9 and 0.999,
epsilon 1e-7), RMSprop (Hinton 2012, rho 0.9, epsilon 1e-7), plain SGD.
"""

from typing import Any, Literal

import tensorflow as tf

Tensor = Any
Optimizer = Literal["adam", "rmsprop", "sgd"]

SLOTS: dict[Optimizer, tuple[str, ...]] = {
    "adam": ("momentum", "velocity"),
    "rmsprop": ("velocity",),
    "sgd": (),
}
EPSILON = 1e-7


def update(
    optimizer: Optimizer,
    *,
    weights: list[Tensor],
    gradients: list[Tensor],
    slots: list[list[Tensor]],
    step: Tensor,
    learning_rate: Tensor,
) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Apply one update.

    Args:
        optimizer: the rule.
        weights: before the update.
        gradients: one per weight, of the same shape.
        slots: one list of tensors like `weights` per name in `SLOTS`.
        step: number of this update, from 1, float.
        learning_rate: float scalar.

    Returns:
        Weights and slots after the update.
    """
    if optimizer == "sgd":
        return [w - learning_rate * g for w, g in zip(weights, gradients, strict=True)], []
    if optimizer == "rmsprop":
        velocity = [0.9 * v + 0.1 * tf.square(g) for v, g in zip(slots[0], gradients, strict=True)]
        moved = [
            w - learning_rate * g / tf.sqrt(v + EPSILON)
            for w, g, v in zip(weights, gradients, velocity, strict=True)
        ]
        return moved, [velocity]
    rate = learning_rate * tf.sqrt(1.0 - tf.pow(0.999, step)) / (1.0 - tf.pow(0.9, step))
    momentum = [m + (g - m) * 0.1 for m, g in zip(slots[0], gradients, strict=True)]
    velocity = [v + (tf.square(g) - v) * 0.001 for v, g in zip(slots[1], gradients, strict=True)]
    moved = [
        w - rate * m / (tf.sqrt(v) + EPSILON)
        for w, m, v in zip(weights, momentum, velocity, strict=True)
    ]
    return moved, [momentum, velocity]


def clip(gradients: list[Tensor], limit: float | None) -> tuple[list[Tensor], Tensor]:
    """Scale gradients down if their joint norm exceeds the limit; also return that norm."""
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients]))
    if limit is None:
        return gradients, norm
    scale = limit / tf.maximum(norm, limit)
    return [g * scale for g in gradients], norm
