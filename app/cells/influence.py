"""How much each past step had to do with an output: integrated gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.cells.losses import softmax
from app.cells.network import Network

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]

# What is explained, of outputs (points, outputs): its value (points,) and its gradient by the
# outputs (points, outputs).
Explained = Callable[[Floats], tuple[Floats, Floats]]

# Points on the path. Gauss–Legendre integrates polynomials up to degree 63 exactly with 32, so that
# completeness holds to about 1e-9 for smooth networks.
DEFAULT_POINTS = 32
# Numbers of one gate array at once, 16 MB: a long window of a wide network goes in several parts.
NUMBERS_AT_ONCE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Influence:
    """What each input contributed to an output."""

    values: Floats  # (steps, inputs); for tokens (steps,)
    output: float  # what is explained, at the input
    baseline: float  # and at the baseline
    gap: float  # output - baseline - sum of values: what the integration missed


def one_output(index: int) -> Explained:
    """Explain one output, the forecast of one step of the horizon for instance."""

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
    """The influence of every input on the output after the last step (Sundararajan et al. 2017).

    On the straight path from the baseline b to the input x, each input's share is
    (x - b) · ∫ ∂F/∂x(b + α (x - b)) dα, α from 0 to 1; but for the gap the shares sum to
    F(x) - F(b).

    Args:
        network: what is explained.
        inputs: (steps, inputs) as the network sees them, or ids (steps,). Tokens are explained by
            the vectors that stand for them (embedding, or row of the first kernel).
        explained: which output.
        baseline: (steps, inputs), the input that says nothing; zeros if None, which on a scaled
            window is the value it is centred on. Tokens: always the zero vector.
        initial: states before the first step, (1, units) each, layer by layer and hidden first;
            what went before is then part of the baseline. Zero if None.
        points: on the path; more for networks with sharp bends (relu).

    Raises:
        ValueError: fewer than 1 point, or a baseline of another shape.
    """
    if points < 1:
        raise ValueError(f"{points} points; at least 1 needed")
    tokens = inputs.dtype.kind in "iu"
    vectors = inputs.astype(np.float64)  # (steps, inputs)
    if tokens:
        network, vectors = _without_lookup(network, inputs.astype(np.int64))  # (steps, size)
    start = np.zeros(vectors.shape) if baseline is None or tokens else baseline
    if start.shape != vectors.shape:
        raise ValueError(f"baseline {start.shape} for inputs {vectors.shape}")
    places, shares = np.polynomial.legendre.leggauss(points)  # (points,) on -1 … 1
    places, shares = (places + 1) / 2, shares / 2
    way = vectors - start  # (steps, inputs)
    total = np.zeros(way.shape)  # (steps, inputs)
    for part in _parts(network, steps=len(way), points=points):
        path = start + places[part, None, None] * way  # (points, steps, inputs)
        trace = network.forward(path, _for_each(initial, len(path)), every_step=False)
        gradients = network.backward(trace, explained(trace.outputs)[1]).inputs
        # Shapes: (points,) and (points, steps, inputs) to (steps, inputs).
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
    """Return the same states (1, units) for a batch, (batch, units) each."""
    if initial is None:
        return None
    return [np.broadcast_to(state, (batch, state.shape[-1])) for state in initial]


def _without_lookup(network: Network, ids: Ids) -> tuple[Network, Floats]:
    """Return the network that takes vectors in place of ids, and the vectors (steps, size)."""
    if network.embedding is not None:
        return replace(network, embedding=None), network.embedding[ids]
    first = network.layers[0]
    columns = first.kernel.shape[1]
    taken = replace(first, kernel=np.eye(columns))  # the vectors are rows of the kernel already
    return replace(network, layers=(taken, *network.layers[1:])), first.kernel[ids]
