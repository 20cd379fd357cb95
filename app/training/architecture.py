"""What a network looks like, and the names and shapes of its weights. No TensorFlow.

`weights.safetensors` holds these names in Keras' layout and gate order, float32:

| name | shape | |
| --- | --- | --- |
| `embedding` | (vocabulary, size) | only for text with a trained embedding |
| `layerI.kernel` | (inputs, gates * units) | what comes in; I counts from 0, from the input up |
| `layerI.recurrent` | (units, gates * units) | what the layer remembers |
| `layerI.bias` | (gates * units,) | for GRU (2, gates * units): input's bias, then recurrent's |
| `output.kernel` | (units, outputs) | |
| `output.bias` | (outputs,) | |

Gates stand side by side on the last axis: LSTM input, forget, candidate, output; GRU update, reset,
candidate (with `reset_after`: the reset gate multiplies the recurrent product, its bias included);
RNN the candidate alone. One-hot text reads row `id` of `layer0.kernel`.

A series version anchored on more than persistence has its anchor's arrays beside them, in double:
`anchor.weights` (window, horizon), `anchor.intercept` and `anchor.level` (horizon,) and
`anchor.center` (1,), as `app.forecasting.anchors` uses them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.recipes.recipe import Activation, Cell, Recipe

Weights = Mapping[str, npt.NDArray[np.float32]]

GATES: Mapping[Cell, int] = {"lstm": 4, "gru": 3, "rnn": 1}
STATES: Mapping[Cell, tuple[str, ...]] = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The form of a network; networks of equal form share one compiled program."""

    cell: Cell
    activation: Activation
    layers: tuple[int, ...]  # units of each layer, from the input up
    inputs: int  # number of input columns, or for text the size of the vocabulary
    outputs: int  # horizon, or for text the size of the vocabulary
    tokens: bool  # the input is token ids, the output a distribution over tokens
    embedding: int | None = None  # size of a trained embedding; None: one-hot
    # the output layer starts at zero, so that the untrained network adds nothing
    zero_output: bool = False

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by name, in the order of Keras."""
        shapes: dict[str, tuple[int, ...]] = {}
        width = self.inputs
        if self.embedding is not None:
            shapes["embedding"] = (self.inputs, self.embedding)
            width = self.embedding
        gates = GATES[self.cell]
        for index, units in enumerate(self.layers):
            columns = gates * units
            shapes[f"layer{index}.kernel"] = (width, columns)
            shapes[f"layer{index}.recurrent"] = (units, columns)
            shapes[f"layer{index}.bias"] = (2, columns) if self.cell == "gru" else (columns,)
            width = units
        shapes["output.kernel"] = (width, self.outputs)
        shapes["output.bias"] = (self.outputs,)
        return shapes

    def states(self) -> tuple[tuple[str, int], ...]:
        """Return name and units of every recurrent state that a stream carries."""
        return tuple(
            (f"layer{index}.{name}", units)
            for index, units in enumerate(self.layers)
            for name in STATES[self.cell]
        )


def with_share(weights: Weights, share: float) -> Weights:
    """Return the weights with the output layer scaled to this share."""
    if share == 1.0:
        return weights
    kept = np.float32(share)
    output = ("output.kernel", "output.bias")
    return {name: kept * array if name in output else array for name, array in weights.items()}


def architecture_of(
    recipe: Recipe, *, inputs: int, outputs: int, embedding: int | None = None, anchored: bool
) -> Architecture:
    """Return the form of a recipe's network.

    Args:
        recipe: decides cell, activation and layers.
        inputs: number of input columns, or vocabulary size.
        outputs: horizon, or vocabulary size.
        embedding: size of a trained embedding; None: one-hot.
        anchored: the network adds to an anchor, so its output layer starts at zero.
    """
    return Architecture(
        cell=recipe.cell,
        activation=recipe.activation,
        layers=recipe.layers,
        inputs=inputs,
        outputs=outputs,
        tokens=recipe.model_dump()["kind"] == "text",
        embedding=embedding,
        zero_output=anchored,
    )
