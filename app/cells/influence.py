"""The influence of each past step on an output, by integrated gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.cells.losses import softmax
from app.cells.network import Network

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]

# From outputs (points, outputs), the explained value (points,) and its gradient by the outputs
# (points, outputs).
Explained = Callable[[Floats], tuple[Floats, Floats]]

# Points on the path. With 32, Gauss–Legendre integrates polynomials up to degree 63 exactly, so
# completeness holds to about 1e-9 for smooth networks.
DEFAULT_POINTS = 32
# Numbers in one gate array, 16 MB: long windows of wide networks are computed in parts.
NUMBERS_AT_ONCE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Influence:
    """The contribution of each input to an output."""

    values: Floats  # (steps, inputs); for tokens (steps,)
    output: float  # what is explained, for the input
    baseline: float  # the same for the baseline
    gap: float  # output - baseline - sum of values: the integration error


def one_output(index: int) -> Explained:
    """Explain one output, for example the forecast of one step of the horizon."""

    def explained(outputs: Floats) -> tuple[Floats, Floats]:
        gradient = np.zeros_like(outputs)  # (points, outputs)
        gradient[:, index] = 1.0
        return outputs[:, index], gradient

    return explained


def probability_of(token: int) -> Explained:
    """Explain the probability of a token: its gradient by the logits is p_k (δ_jk - p_j)."""

    def explained(outputs: Floats) -> tuple[Floats, Floats]:
        probabilities = softmax(outputs)  # (points, vocabulary)
        chosen = probabilities[:, token]  # (points,)
        gradient = -chosen[:, None] * probabilities  # (points, vocabulary)
        gradient[:, token] += chosen
        return chosen, gradient

    return explained


def integrated_gradients(
    network: Network,
    inputs: Floats | Ids,
    explained: Explained,
    *,
    baseline: Floats | None = None,
    initial: Sequence[Floats] | None = None,
    points: int = DEFAULT_POINTS,
) -> Influence:
    """Return the influence of every input on the last output (Sundararajan et al. 2017).

    On the straight path from the baseline b to the input x, each input's share is (x - b) · ∫
    ∂F/∂x(b + α (x - b)) dα, with α from 0 to 1. Apart from the gap, the shares sum to F(x) - F(b).

    Args:
        network: to explain.
        inputs: (steps, inputs) as the network sees them, or ids (steps,). Tokens are explained
            through their vectors (embedding, or row of the first kernel).
        explained: selects the output.
        baseline: (steps, inputs), an input that says nothing; zeros if None, which on a scaled
            window is its centre. For tokens it is always the zero vector.
        initial: states before the first step, (1, units) each, layer by layer and hidden first;
            then they are part of the baseline. Zero if None.
        points: on the path; more are needed for networks with sharp bends (relu).

    Raises:
        ValueError: there is less than 1 point, or the baseline has another shape.
    """
    if points < 1:
        raise ValueError(f"points is {points}, but at least 1 is needed")
    tokens = inputs.dtype.kind in "iu"
    vectors = inputs.astype(np.float64)  # (steps, inputs)
    if tokens:
        network, vectors = _without_lookup(network, inputs.astype(np.int64))  # (steps, size)
    start = np.zeros(vectors.shape) if baseline is None or tokens else baseline
    if start.shape != vectors.shape:
        raise ValueError(f"the baseline has shape {start.shape}, the inputs {vectors.shape}")
    places, shares = np.polynomial.legendre.leggauss(points)  # (points,) on -1 … 1
    places, shares = (places + 1) / 2, shares / 2
    way = vectors - start  # (steps, inputs)
    total = np.zeros(way.shape)  # (steps, inputs)
    for part in _parts(network, steps=len(way), points=points):
        path = start + places[part, None, None] * way  # (points, steps, inputs)
        trace = network.forward(path, _for_each(initial, len(path)), every_step=False)
        gradients = network.backward(trace, explained(trace.outputs)[1]).inputs
        # (points,) and (points, steps, inputs) to (steps, inputs)
        total += np.tensordot(shares[part], gradients, axes=1)
    values: Floats = way * total
    both = np.stack((start, vectors))  # (2, steps, inputs)
    ends = network.forward(both, _for_each(initial, 2), every_step=False)
    before, after = (float(value) for value in explained(ends.outputs)[0])
    return Influence(
        values=values.sum(axis=-1) if tokens else values,
        output=after,
        baseline=before,
        gap=after - before - float(values.sum()),
    )


def _parts(network: Network, *, steps: int, points: int) -> list[slice]:
    widest = max(layer.kernel.shape[1] for layer in network.layers)
    size = max(1, NUMBERS_AT_ONCE // (steps * widest))
    return [slice(first, first + size) for first in range(0, points, size)]


def _for_each(initial: Sequence[Floats] | None, batch: int) -> list[Floats] | None:
    """Repeat states (1, units) for a batch, (batch, units) each."""
    if initial is None:
        return None
    return [np.broadcast_to(state, (batch, state.shape[-1])) for state in initial]


def _without_lookup(network: Network, ids: Ids) -> tuple[Network, Floats]:
    """Return a network that takes vectors instead of ids, and the vectors (steps, size)."""
    if network.embedding is not None:
        return replace(network, embedding=None), network.embedding[ids]
    first = network.layers[0]
    columns = first.kernel.shape[1]
    taken = replace(first, kernel=np.eye(columns))  # the vectors already are rows of the kernel
    return replace(network, layers=(taken, *network.layers[1:])), first.kernel[ids]
