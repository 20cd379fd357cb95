"""Losses, and their gradients by the outputs."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]


def softmax(logits: Floats) -> Floats:
    """Compute exp(y_k) / Σ_j exp(y_j) over the last axis; the shape stays (..., outputs)."""
    # Relative to the largest, so that no exponential overflows.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def cross_entropy(logits: Floats, targets: Ids) -> tuple[float, Floats]:
    """Compute -Σ log p(target), summed over batch and steps, in nats.

    Args:
        logits: (..., outputs), before the softmax.
        targets: (...,), ids of the observed tokens.

    Returns:
        The sum, and its gradient by the logits (..., outputs): p - 1 at the target, p elsewhere.
    """
    largest = logits.max(axis=-1, keepdims=True)  # (..., 1)
    total = largest + np.log(np.exp(logits - largest).sum(axis=-1, keepdims=True))  # (..., 1)
    chosen = targets[..., None]  # (..., 1)
    # From the logits and not the probabilities: the logarithm of one that rounds to 0 is infinite.
    loss = float((total - np.take_along_axis(logits, chosen, axis=-1)).sum())
    gradient = softmax(logits)
    np.put_along_axis(gradient, chosen, np.take_along_axis(gradient, chosen, axis=-1) - 1, axis=-1)
    return loss, gradient


def mean_squared_error(outputs: Floats, targets: Floats) -> tuple[float, Floats]:
    """Return the mean over all values, and its gradient; both arrays have the same shape."""
    error = outputs - targets
    return float((error**2).mean()), 2.0 * error / error.size
