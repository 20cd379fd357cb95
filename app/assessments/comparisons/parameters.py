"""The number of parameters of a network."""

from collections.abc import Mapping

from app.artifact.manifest import Manifest
from app.recipes.recipe import Cell

GATES: Mapping[Cell, int] = {"lstm": 4, "gru": 3, "rnn": 1}


def parameters_of(manifest: Manifest) -> int:
    """Count the weights and biases of a version's network, as Keras does.

    Each layer has, per gate, a weight for every input and every unit, and a bias. A GRU has two
    biases, one of them within the reach of the reset gate.
    """
    recipe, width, outputs, count = manifest.recipe, 0, manifest.horizon, 0
    if manifest.series is not None:
        width = len(manifest.series.columns_read)
    elif manifest.text is not None:
        width = outputs = len(manifest.text.vocabulary)
        embedding = getattr(recipe, "embedding", "one-hot")
        if isinstance(embedding, int):
            count += width * embedding
            width = embedding
    biases = 2 if recipe.cell == "gru" else 1
    for units in recipe.layers:
        count += GATES[recipe.cell] * units * (width + units + biases)
        width = units
    return count + outputs * (width + 1)
