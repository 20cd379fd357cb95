"""Measure how far back a trained network's memory reaches, for its scorecard."""

import numpy as np
import numpy.typing as npt

from app.artifact.scorecard import LayerMemory, Memory
from app.cells.losses import cross_entropy
from app.cells.memory import reach
from app.cells.network import Network
from app.recipes.recipe import Recipe
from app.training.architecture import GATES, Weights

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

MOST_EXAMPLES = 64
# Steps for a stream, which has no window; more than any half-life seen in trials.
STREAM_STEPS = 100
# Multiplications, about one second's worth; a large network is measured on fewer examples.
BUDGET = 1e10


def forecast_memory(recipe: Recipe, weights: Weights, inputs: Floats) -> Memory | None:
    """Measure the reach of a forecaster's memory.

    Args:
        recipe: of the network.
        weights: by name.
        inputs: (n, window, features), scaled windows of the judged rows, oldest first.

    Returns:
        The reach, or None if the gradient is not finite.
    """
    network = _network(recipe, weights)
    kept = inputs[-_examples(recipe, steps=inputs.shape[1]) :].astype(np.float64)
    outputs = network.output_bias.shape[0]
    # Gradient of the sum over all steps of the horizon.
    return _measured(network, kept, np.ones((len(kept), outputs)))


def text_memory(recipe: Recipe, weights: Weights, contexts: Ids, following: Ids) -> Memory | None:
    """Measure the reach of a text model's memory by the loss of the next token.

    Args:
        recipe: of the network.
        weights: by name.
        contexts: (n, steps) ids of the judged text.
        following: (n,), the token after each context.

    Returns:
        The reach, or None if the gradient is not finite.
    """
    network = _network(recipe, weights)
    count = _examples(recipe, steps=contexts.shape[1])
    kept = contexts[-count:]  # (n, steps)
    logits = network.forward(kept, every_step=False).outputs  # (n, vocabulary)
    return _measured(network, kept, cross_entropy(logits, following[-count:])[1])


def _network(recipe: Recipe, weights: Weights) -> Network:
    return Network.from_weights(weights, cell=recipe.cell, activation=recipe.activation)


def _examples(recipe: Recipe, *, steps: int) -> int:
    per_step = sum(2 * units * units * GATES[recipe.cell] for units in recipe.layers)
    return max(1, min(MOST_EXAMPLES, int(BUDGET / (per_step * steps))))


def _measured(network: Network, inputs: Floats | Ids, d_outputs: Floats) -> Memory | None:
    found = reach(network, inputs, d_outputs)
    if not all(np.isfinite(layer.norms).all() for layer in found):
        return None
    return Memory(
        examples=len(inputs),
        steps=inputs.shape[1],
        layers=tuple(
            LayerMemory(
                norms=tuple(layer.norms.tolist()), half_life=layer.half_life, reached=layer.reached
            )
            for layer in found
        ),
    )
