"""A whole network: an optional embedding, stacked recurrent layers, an output layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.cells.activations import ActivationName
from app.cells.cell import CELLS, CellName
from app.cells.layer import Layer, LayerGradients, LayerTrace

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]


@dataclass(frozen=True, kw_only=True)
class NetworkTrace:
    """Everything that happened in a network."""

    layers: tuple[LayerTrace, ...]  # from the input up
    ids: Ids | None  # (batch, steps), if an embedding was looked up
    # (batch, steps, outputs), or (batch, outputs) of the last step only; logits for tokens.
    outputs: Floats

    @property
    def final(self) -> tuple[Floats, ...]:
        """The states after the last step, (batch, units) each, layer by layer, hidden first."""
        return tuple(state for layer in self.layers for state in layer.final)


@dataclass(frozen=True, kw_only=True)
class NetworkGradients:
    """The gradient of a loss by everything in a network."""

    weights: dict[str, Floats]  # by the weights' names
    # By the inputs (batch, steps, inputs), by the embedded tokens (batch, steps, size), or for
    # one-hot tokens by the selected rows of the first kernel (batch, steps, gates * units).
    inputs: Floats
    initial: tuple[Floats, ...]  # by the initial states, (batch, units), layer by layer
    layers: tuple[LayerGradients, ...]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network with the names and shapes of `weights.safetensors`.

    `embedding` (vocabulary, size), only for trained embeddings; for each layer I from the input up,
    from 0, `layerI.kernel`, `layerI.recurrent`, `layerI.bias` (see `Layer`); `output.kernel`
    (units, outputs) and `output.bias` (outputs,).
    """

    layers: tuple[Layer, ...]
    output_kernel: Floats  # (units of the last layer, outputs)
    output_bias: Floats  # (outputs,)
    embedding: Floats | None = None  # (vocabulary, size)

    def __post_init__(self) -> None:
        widths = [layer.units for layer in self.layers]
        inputs = [layer.kernel.shape[0] for layer in self.layers]
        if self.embedding is not None:
            widths.insert(0, self.embedding.shape[1])
        else:
            widths.insert(0, inputs[0])
        ends = (self.output_kernel.shape[0], self.output_bias.shape)
        if inputs != widths[:-1] or ends != (widths[-1], self.output_kernel.shape[1:]):
            raise ValueError(
                f"layers of {widths} units do not fit inputs of {inputs} and an output layer "
                f"{self.output_kernel.shape} with bias {self.output_bias.shape}"
            )

    @classmethod
    def from_weights(
        cls,
        weights: Mapping[str, NDArray[Any]],
        *,
        cell: CellName,
        activation: ActivationName = "tanh",
    ) -> Self:
        """Build the network from an artifact's weights, in double precision.

        Args:
            weights: by name, as in `app.training.architecture`.
            cell: of every layer.
            activation: of candidate and output.

        Raises:
            ValueError: a name is missing or unknown, or shapes do not fit together.
        """
        # A series' anchor is stored beside its network.
        weights = {name: each for name, each in weights.items() if not name.startswith("anchor.")}
        depth = sum(name.endswith(".recurrent") for name in weights)
        expected = {f"layer{i}.{part}" for i in range(depth) for part in _PARTS}
        expected |= {"output.kernel", "output.bias"} | ({"embedding"} & set(weights))
        if not depth or expected != set(weights):
            wrong = ", ".join(sorted(expected ^ set(weights))) or "no layer"
            raise ValueError(f"these weights do not form a network; missing or unknown: {wrong}")
        doubles = {name: np.asarray(array, dtype=np.float64) for name, array in weights.items()}
        return cls(
            layers=tuple(
                Layer(
                    cell=cell,
                    activation=activation,
                    kernel=doubles[f"layer{i}.kernel"],
                    recurrent=doubles[f"layer{i}.recurrent"],
                    bias=doubles[f"layer{i}.bias"],
                )
                for i in range(depth)
            ),
            output_kernel=doubles["output.kernel"],
            output_bias=doubles["output.bias"],
            embedding=doubles.get("embedding"),
        )

    @classmethod
    def random(
        cls,
        generator: np.random.Generator,
        *,
        cell: CellName,
        inputs: int,
        layers: Sequence[int],
        outputs: int,
        activation: ActivationName = "tanh",
    ) -> Self:
        """Initialise a network for training, as Keras does.

        Kernels are uniform after Glorot & Bengio (2010), recurrent kernels orthogonal (Saxe et al.
        2014), biases 0, except 1 for the LSTM's forget gate (Jozefowicz et al. 2015).

        Args:
            generator: source of random numbers.
            cell: of every layer.
            inputs: number of inputs, or of tokens.
            layers: units of each layer, from the input up.
            outputs: number of outputs.
            activation: of candidate and output.
        """
        weights: dict[str, Floats] = {}
        width, gates = inputs, len(CELLS[cell].gates)
        for i, units in enumerate(layers):
            columns = gates * units
            bias = np.zeros((2, columns) if cell == "gru" else columns)
            if cell == "lstm":
                bias[units : 2 * units] = 1.0
            weights[f"layer{i}.kernel"] = _glorot(generator, width, columns)
            # The columns of a tall matrix are orthogonal, so it is transposed afterwards.
            square = np.linalg.qr(generator.normal(size=(columns, units)))[0]  # (columns, units)
            weights[f"layer{i}.recurrent"] = square.T  # (units, columns)
            weights[f"layer{i}.bias"] = bias
            width = units
        weights["output.kernel"] = _glorot(generator, width, outputs)
        weights["output.bias"] = np.zeros(outputs)
        return cls.from_weights(weights, cell=cell, activation=activation)

    def weights(self) -> dict[str, Floats]:
        """Return all weights by name, as the arrays that an optimizer can change."""
        named = {} if self.embedding is None else {"embedding": self.embedding}
        for i, layer in enumerate(self.layers):
            named |= {f"layer{i}.{part}": getattr(layer, part) for part in _PARTS}
        return named | {"output.kernel": self.output_kernel, "output.bias": self.output_bias}

    def forward(
        self,
        inputs: Floats | Ids,
        initial: Sequence[Floats] | None = None,
        *,
        every_step: bool = True,
    ) -> NetworkTrace:
        """Run the network.

        Args:
            inputs: (batch, steps, inputs), or integer ids (batch, steps).
            initial: states before the first step, (batch, units) each, layer by layer and hidden
                first (`NetworkTrace.final` of the run before); zero if None.
            every_step: whether to return the output after every step, or after the last only.
        """
        hidden: Floats | Ids = inputs
        if self.embedding is not None:
            hidden = self.embedding[inputs]  # (batch, steps, size)
        traces: list[LayerTrace] = []
        for i, layer in enumerate(self.layers):
            per_layer = len(CELLS[layer.cell].states)
            start = None if initial is None else initial[i * per_layer : (i + 1) * per_layer]
            traces.append(layer.forward(hidden, start))
            hidden = traces[-1].outputs  # (batch, steps, units)
        top = hidden if every_step else hidden[:, -1]  # (batch, steps, units) or (batch, units)
        return NetworkTrace(
            layers=tuple(traces),
            ids=inputs if self.embedding is not None else None,  # type: ignore[arg-type]
            outputs=top @ self.output_kernel + self.output_bias,
        )

    def backward(self, trace: NetworkTrace, d_outputs: Floats) -> NetworkGradients:
        """Return the gradient of a loss by weights, inputs, states and every step.

        Args:
            trace: of the forward run with these weights.
            d_outputs: gradient of the loss by the outputs, in their shape.
        """
        top = trace.layers[-1].outputs  # (batch, steps, units)
        if d_outputs.ndim == 2:  # (batch, outputs): the last step only
            spread = np.zeros((*top.shape[:2], d_outputs.shape[-1]))  # (batch, steps, outputs)
            spread[:, -1] = d_outputs
            d_outputs = spread
        d_hidden = d_outputs @ self.output_kernel.T  # (batch, steps, units)
        layers: list[LayerGradients] = []
        for layer, part in zip(reversed(self.layers), reversed(trace.layers), strict=True):
            layers.insert(0, layer.backward(part, d_hidden))
            d_hidden = layers[0].inputs  # (batch, steps, inputs)
        weights: dict[str, Floats] = {}
        if self.embedding is not None and trace.ids is not None:
            weights["embedding"] = np.zeros_like(self.embedding)
            np.add.at(weights["embedding"], trace.ids, d_hidden)
        for i, gradients in enumerate(layers):
            weights |= {f"layer{i}.{part}": getattr(gradients, part) for part in _PARTS}
        weights["output.kernel"] = np.tensordot(top, d_outputs, axes=((0, 1), (0, 1)))
        weights["output.bias"] = d_outputs.sum(axis=(0, 1))
        return NetworkGradients(
            weights=weights,
            inputs=d_hidden,
            initial=tuple(state for gradients in layers for state in gradients.initial),
            layers=tuple(layers),
        )


_PARTS = ("kernel", "recurrent", "bias")


def _glorot(generator: np.random.Generator, rows: int, columns: int) -> Floats:
    limit = np.sqrt(6 / (rows + columns))
    return generator.uniform(-limit, limit, (rows, columns))
