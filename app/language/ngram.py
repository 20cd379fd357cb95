"""N-gram models of a text, which a network has to beat.

Interpolated Kneser–Ney smoothing (Kneser & Ney 1995, in the interpolated form of Chen & Goodman
1999, section 2.7): with c the count of a gram h w, D the discount of its order and N1+(h •) the
number of different tokens that follow h,

    p(w | h) = max(c(h w) - D, 0) / c(h) + D N1+(h •) / c(h) · p(w | h')

where h' is h without its oldest token. At the highest order, c is the frequency of the gram; below,
the number of different tokens that precede it. D = n1 / (n1 + 2 n2), where n1 and n2 are the
numbers of grams with count 1 and 2 (Ney, Essen & Kneser 1994). The recursion ends at 1 /
vocabulary, so every token has a probability above 0, and they sum to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

BASELINE_ORDERS = {"unigram": 1, "bigram": 2, "trigram": 3}
# Without counts of 1 or of 2 (in tiny or periodic texts), the estimate of D is undefined or leaves
# nothing for unseen tokens.
FALLBACK_DISCOUNT = 0.5


@dataclass(frozen=True, kw_only=True)
class Grams:
    """All grams of one order; a gram is identified by its position in `keys`."""

    keys: Ids  # (grams,), ascending: gram without its last token * (vocabulary + 1) + last token
    counts: Floats  # (grams,), raw at the highest order, else different preceding tokens
    context_totals: Floats  # (contexts,), sum of counts over the grams of a context
    context_types: Floats  # (contexts,), grams of a context with a count above 0
    discount: float

    def find(self, contexts: Ids, tokens: Ids, *, base: int) -> Ids:
        """Find the grams of contexts followed by tokens.

        Args:
            contexts: grams one order lower, -1 for unseen ones; broadcast with `tokens`.
            tokens: the last token of each gram.
            base: vocabulary size + 1.

        Returns:
            Positions in `keys`, -1 for grams that were never seen.
        """
        wanted = contexts * base + tokens
        found = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where((contexts >= 0) & (self.keys[found] == wanted), found, -1)


@dataclass(frozen=True, kw_only=True)
class NgramModel:
    """An n-gram model; tokens before the start of a text are a separate start symbol."""

    vocabulary_size: int
    levels: tuple[Grams, ...]  # order 1, 2, …

    @classmethod
    def fit(cls, ids: Ids, *, order: int, vocabulary_size: int) -> Self:
        """Count a training text.

        Args:
            ids: (tokens,), oldest first.
            order: 1 unigram, 2 bigram, 3 trigram …
            vocabulary_size: number of different tokens that are possible.

        Raises:
            ValueError: an argument is out of range, or an id is outside the vocabulary.
        """
        ids = _checked_ids(ids, vocabulary_size)
        if order < 1 or not len(ids):
            raise ValueError(f"an n-gram of order {order} from {len(ids)} tokens")
        base = vocabulary_size + 1
        padded = _padded(ids, order=order, start=vocabulary_size)  # (tokens + order - 1,)
        real = np.arange(len(padded)) >= order - 1  # (tokens + order - 1,), not a start symbol
        keys, ends = _grams_by_order(padded, order=order, base=base)
        levels = []
        for k in range(order):
            positions = ends[k][real]  # (tokens,), the gram of order k + 1 that ends at each token
            if k < order - 1:
                # One position for each different gram of the next order: one for each token that
                # precedes a gram.
                positions = positions[np.unique(ends[k + 1][real], return_index=True)[1]]
            counts = np.bincount(positions, minlength=len(keys[k]))  # (grams,)
            levels.append(_level(keys[k], counts.astype(np.float64), base=base))
        return cls(vocabulary_size=vocabulary_size, levels=tuple(levels))

    @property
    def order(self) -> int:
        """Number of tokens in a gram, including the predicted one."""
        return len(self.levels)

    def probabilities(self, contexts: Ids) -> Floats:
        """Return the probabilities of the tokens after each context.

        Args:
            contexts: (n, width), the preceding tokens, oldest first. Only the last order - 1 count;
                with fewer, the shorter grams decide.

        Returns:
            (n, vocabulary), rows summing to 1.

        Raises:
            ValueError: the shape is wrong, or an id is outside the vocabulary.
        """
        contexts = _checked_ids(contexts, self.vocabulary_size, ndim=2)
        width = min(contexts.shape[1], self.order - 1)
        contexts = contexts[:, contexts.shape[1] - width :]  # (n, width)
        tokens = np.arange(self.vocabulary_size)  # (vocabulary,)
        result = np.full((len(contexts), self.vocabulary_size), 1.0 / self.vocabulary_size)
        for k in range(width + 1):
            gram = np.zeros(len(contexts), dtype=np.int64)  # (n,), the empty context
            for j in range(k):
                token = contexts[:, width - k + j]  # (n,)
                gram = self.levels[j].find(gram, token, base=self.vocabulary_size + 1)
            result = self._interpolated(
                k, gram[:, None], tokens[None, :], result
            )  # (n, vocabulary)
        return result

    def log2_probabilities(self, ids: Ids, *, start: int = 0) -> Floats:
        """Return the base-2 logarithm of the probability of each token from `start` on.

        Args:
            ids: (tokens,), oldest first; each token is predicted from those before it.
            start: number of tokens that are read but not scored.

        Returns:
            (tokens - start,)

        Raises:
            ValueError: an id is outside the vocabulary, or the start is past the end.
        """
        ids = _checked_ids(ids, self.vocabulary_size)
        if not 0 <= start <= len(ids):
            raise ValueError(f"start {start} is outside the {len(ids)} tokens")
        base = self.vocabulary_size + 1
        padded = _padded(ids, order=self.order, start=self.vocabulary_size)
        scored = np.arange(start, len(ids)) + self.order - 1  # (scored,), positions in `padded`
        result = np.full(len(scored), 1.0 / self.vocabulary_size)  # (scored,)
        ending = np.zeros(len(padded), dtype=np.int64)  # gram of order k that ends at each place
        for k in range(self.order):
            # The empty context of order 1 is everywhere; before the padding nothing is known.
            contexts = np.concatenate(([-1], ending[:-1])) if k else np.zeros_like(ending)
            result = self._interpolated(k, contexts[scored], padded[scored], result)
            ending = self.levels[k].find(contexts, padded, base=base)
        logarithms: Floats = np.log2(result)
        return logarithms

    def bits_per_token(self, ids: Ids, *, start: int = 0) -> float:
        """Return the mean cost of a token from `start` on, in bits, or NaN if there is none."""
        scores = self.log2_probabilities(ids, start=start)
        return float(-scores.mean()) if len(scores) else float("nan")

    def _interpolated(self, k: int, contexts: Ids, tokens: Ids, lower: Floats) -> Floats:
        """Apply the formula above at order k + 1; unseen contexts keep `lower`.

        `contexts` identifies grams of order k (-1: never seen); shapes broadcast to that of
        `lower`.
        """
        level = self.levels[k]
        gram = level.find(contexts, tokens, base=self.vocabulary_size + 1)
        count = np.where(gram >= 0, level.counts[gram], 0.0)
        place = contexts.clip(0, len(level.context_totals) - 1)
        total = np.where(contexts == place, level.context_totals[place], 0.0)
        seen = total > 0
        total = np.where(seen, total, 1.0)
        left = np.where(seen, level.discount * level.context_types[place] / total, 1.0)
        result: Floats = np.maximum(count - level.discount, 0.0) / total + left * lower
        return result


def baseline_bits(
    train_ids: Ids, ids: Ids, *, vocabulary_size: int, start: int = 0
) -> dict[str, float]:
    """Return the bits per token of unigram, bigram and trigram fitted on `train_ids`.

    Args:
        train_ids: (training tokens,)
        ids: (tokens,), scored from `start` on; see `NgramModel.bits_per_token`.
        vocabulary_size: number of different tokens that are possible.
        start: number of tokens that are read but not scored.
    """
    models = {
        name: NgramModel.fit(train_ids, order=order, vocabulary_size=vocabulary_size)
        for name, order in BASELINE_ORDERS.items()
    }
    return {name: model.bits_per_token(ids, start=start) for name, model in models.items()}


def _grams_by_order(padded: Ids, *, order: int, base: int) -> tuple[list[Ids], list[Ids]]:
    """Return, per order, the keys of all grams (grams,) and the gram ending at each place."""
    keys: list[Ids] = []
    ends: list[Ids] = []
    contexts = np.zeros(len(padded), dtype=np.int64)
    for _ in range(order):
        unique, gram = np.unique(contexts * base + padded, return_inverse=True)
        keys.append(unique)
        ends.append(gram)
        # The first place has nothing before it: a context that no gram has.
        contexts = np.concatenate(([len(unique)], gram[:-1]))
    return keys, ends


def _level(keys: Ids, counts: Floats, *, base: int) -> Grams:
    parents = keys // base  # (grams,)
    ones, twos = float((counts == 1).sum()), float((counts == 2).sum())
    return Grams(
        keys=keys,
        counts=counts,
        context_totals=np.bincount(parents, weights=counts).astype(np.float64),
        context_types=np.bincount(parents, weights=counts > 0).astype(np.float64),
        discount=ones / (ones + 2 * twos) if ones and twos else FALLBACK_DISCOUNT,
    )


def _padded(ids: Ids, *, order: int, start: int) -> Ids:
    return np.concatenate((np.full(order - 1, start, dtype=np.int64), ids))


def _checked_ids(ids: Ids | Sequence[int], vocabulary_size: int, *, ndim: int = 1) -> Ids:
    array = np.asarray(ids)
    if array.ndim != ndim:
        raise ValueError(f"ids have {array.ndim} dimensions, but {ndim} are needed")
    if array.size == 0:
        return array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"ids are of type {array.dtype}; integers are needed")
    if array.min() < 0 or array.max() >= vocabulary_size:
        raise ValueError(
            f"ids range from {array.min()} to {array.max()}, but the vocabulary has "
            f"{vocabulary_size} tokens, 0 to {vocabulary_size - 1}"
        )
    return array.astype(np.int64)
