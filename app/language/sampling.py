"""Choose the next token from its probabilities."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64] | NDArray[np.float32]

# Up to so many tokens are found one after the other, 0.5 us each in a vocabulary of 5,000, of which
# sorting takes 115.
SEARCHED = 100


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A possible next token."""

    id: int
    probability: float


def choose(
    probabilities: ArrayLike,
    *,
    temperature: float = 0.0,
    generator: np.random.Generator | None = None,
    exclude: Collection[int] = (),
    top_p: float = 1.0,
) -> int:
    """Choose the next token.

    Temperature 0 takes the most probable one (of equals, the smallest id). Above 0, a token is
    drawn with probability proportional to p ** (1 / temperature): 1 draws from the model's own
    probabilities, less sharpens them, more flattens them (Ackley, Hinton & Sejnowski 1985).

    Args:
        probabilities: (vocabulary,), not negative, not all zero; scaled to sum to 1.
        temperature: 0 or more.
        generator: random numbers, needed above temperature 0; the same seed draws the same.
        exclude: ids that are never chosen, such as the unknown symbol's. If all others have
            probability 0 (the softmax is certain), they are equally probable.
        top_p: above temperature 0, only the most probable tokens that together have this share are
            drawn (nucleus sampling, Holtzman et al. 2020).

    Raises:
        ValueError: an argument is out of range, or no token is left.
    """
    weights = _checked(probabilities)
    if not (np.isfinite(temperature) and temperature >= 0):
        raise ValueError(
            f"temperature is {temperature}, but it must be 0 or a finite number above 0"
        )
    if not weights.any():
        raise ValueError("every token has probability 0")
    if exclude:
        left = np.ones(len(weights), dtype=np.bool_)  # (vocabulary,)
        left[list(exclude)] = False
        if not left.any():
            raise ValueError("no token is left to choose, because all are excluded")
        weights = np.where(left, weights, 0.0) if weights[left].any() else left.astype(np.float64)
    if temperature == 0:
        return int(weights.argmax())
    if generator is None:
        raise ValueError("a temperature above 0 draws at random and needs a generator")
    with np.errstate(divide="ignore"):
        # Logarithms relative to the largest: at small temperatures, p ** (1 / temperature) is 0 for
        # every token.
        logits = (np.log(weights) - np.log(weights.max())) / temperature  # (vocabulary,)
    sharpened = np.exp(logits)  # (vocabulary,)
    if top_p < 1.0:
        sharpened = _nucleus(sharpened, top_p)
    cumulative = np.cumsum(sharpened)  # (vocabulary,)
    drawn = generator.random() * cumulative[-1]
    # The first token whose cumulative weight exceeds the draw has a weight above 0.
    return int(np.searchsorted(cumulative, drawn, side="right").clip(max=_last_above(cumulative)))


def _nucleus(weights: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Return the weights (vocabulary,), with 0 for all but the largest that make up a share."""
    order = np.argsort(-weights, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]  # of more probable tokens
    kept: NDArray[np.float64] = np.zeros_like(weights)
    inside = order[before < share * weights.sum()]
    kept[inside] = weights[inside]
    return kept


def alternatives(probabilities: ArrayLike, count: int) -> list[Alternative]:
    """Return the most probable tokens in descending order; of equals the smallest id first.

    Args:
        probabilities: (vocabulary,), not negative; returned unchanged.
        count: how many, at most the whole vocabulary.

    Raises:
        ValueError: an argument is out of range.
    """
    weights = _checked(probabilities)
    (ids,) = most_probable(weights[np.newaxis], count).tolist()
    return [Alternative(id=i, probability=float(weights[i])) for i in ids]


def most_probable(probabilities: Floats, count: int) -> NDArray[np.int64]:
    """Return the most probable tokens of each row, falling; of equals the smallest id first.

    Args:
        probabilities: (rows, vocabulary), finite.
        count: how many, at most the whole vocabulary.

    Returns:
        Ids, (rows, count).

    Raises:
        ValueError: the count is out of its range.
    """
    rows, size = probabilities.shape
    if not 0 <= count <= size:
        raise ValueError(f"{count} alternatives from a vocabulary of {size}")
    if count > SEARCHED:
        order: NDArray[np.int64] = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
        return order
    left = probabilities.copy()
    found = np.empty((rows, count), dtype=np.int64)
    for place in range(count):
        found[:, place] = left.argmax(axis=1)
        left[np.arange(rows), found[:, place]] = -np.inf
    return found


def _checked(probabilities: ArrayLike) -> NDArray[np.float64]:
    weights = np.asarray(probabilities, dtype=np.float64)
    if weights.ndim != 1 or not len(weights):
        raise ValueError(f"probabilities have shape {weights.shape}, but (vocabulary,) is needed")
    if not np.isfinite(weights).all() or weights.min() < 0:
        raise ValueError("probabilities must be finite and not negative")
    return weights


def _last_above(cumulative: NDArray[np.float64]) -> int:
    """Return the last token with a weight, for a draw that rounding takes past the end."""
    return int(np.searchsorted(cumulative, cumulative[-1], side="left"))
