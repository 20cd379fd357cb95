"""Build the network in Keras: its initial weights, and the reference for exported graphs.

Training itself runs `recurrence` on the same weights; a test shows that both compute the same.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from app.training.architecture import Architecture, Weights

Network = Any  # a keras.Model; Keras ships no types
LAYERS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}  # Keras's names


def build_network(architecture: Architecture, *, steps: int | None, every_step: bool) -> Network:
    """Build the Keras model of a form.

    Args:
        architecture: the network's form.
        steps: length of its input; None: any.
        every_step: return the output after every step, not only after the last.

    Returns:
        A `keras.Model`: (batch, steps, inputs) float32, or (batch, steps) int32 ids, to (batch,
        [steps,] outputs), for tokens as probabilities. Its weights are in the order of
        `Architecture.weight_shapes`.
    """
    if architecture.tokens:
        source = keras.Input((steps,), dtype="int32")
        if architecture.embedding is None:
            hidden = keras.ops.one_hot(source, architecture.inputs)
        else:
            hidden = keras.layers.Embedding(architecture.inputs, architecture.embedding)(source)
    else:
        source = hidden = keras.Input((steps, architecture.inputs))
    last = len(architecture.layers) - 1
    layer = getattr(keras.layers, LAYERS[architecture.cell])
    for index, units in enumerate(architecture.layers):
        hidden = layer(
            units,
            activation=architecture.activation,
            return_sequences=every_step or index < last,
        )(hidden)
    output = keras.layers.Dense(
        architecture.outputs,
        activation="softmax" if architecture.tokens else None,
        kernel_initializer="zeros" if architecture.zero_output else "glorot_uniform",
    )
    return keras.Model(source, output(hidden))


def initial_weights(architecture: Architecture, *, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return Keras's own initial weights for a seed: Glorot uniform, orthogonal, forget bias 1."""
    keras.utils.set_random_seed(seed)
    network = build_network(architecture, steps=1, every_step=False)
    names = architecture.weight_shapes()
    return dict(zip(names, network.get_weights(), strict=True))


def with_weights(network: Network, weights: Weights) -> Network:
    """Set these weights in a Keras model, and return it."""
    network.set_weights(list(weights.values()))
    return network
