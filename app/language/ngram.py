"""N-gram models of a text: what a network has to beat.

Interpolated Kneser–Ney smoothing (Kneser & Ney 1995, in the interpolated form of Chen & Goodman
1999, section 2.7): with c the count of a gram h w, D the discount of its order and N1+(h •) the
number of different tokens that follow h,

    p(w | h) = max(c(h w) - D, 0) / c(h) + D N1+(h •) / c(h) · p(w | h')

where h' is h without its oldest token. At the highest order c is how often the gram occurs; below,
how many different tokens come before it. D = n1 / (n1 + 2 n2), n1 and n2 being how many grams have
count 1 and 2 (Ney, Essen & Kneser 1994). The recursion ends at 1 / vocabulary, so every token has a
probability above 0 and they sum to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]

BASELINE_ORDERS = {"unigram": 1, "bigram": 2, "trigram": 3}
# Where counts of 1 or of 2 are missing (tiny or periodic texts) the estimate of D is not defined or
# leaves nothing for what was not seen.
FALLBACK_DISCOUNT = 0.5


@dataclass(frozen=True, kw_only=True)
class _Grams:
    """All grams of one order; a gram is named by its place in `keys`."""

    keys: Ids  # (grams,), rising: gram without its last token * (vocabulary + 1) + last token
    counts: Floats  # (grams,), raw at the highest order, else different tokens before it
    context_totals: Floats  # (contexts,), sum of counts over the grams of a context
    context_types: Floats  # (contexts,), grams of a context with a count above 0
    discount: float

    def find(self, contexts: Ids, tokens: Ids, *, base: int) -> Ids:
        """The grams of contexts followed by tokens; -1 where never seen. Shapes broadcast."""
        wanted = contexts * base + tokens
        found = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where((contexts >= 0) & (self.keys[found] == wanted), found, -1)


@dataclass(frozen=True, kw_only=True)
class NgramModel:
    """An n-gram model; tokens before the start of a text are a start symbol of their own."""

    vocabulary_size: int
    levels: tuple[_Grams, ...]  # order 1, 2, …

    @classmethod
    def fit(cls, ids: Ids, *, order: int, vocabulary_size: int) -> Self:
        """Count a training text.

        Args:
            ids: (tokens,), oldest first.
            order: 1 unigram, 2 bigram, 3 trigram …
            vocabulary_size: how many different tokens there can be.

        Raises:
            ValueError: arguments out of their range, or an id outside the vocabulary.
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
                # One position for each different gram of the next order: as many as a gram has
                # different tokens before it.
                positions = positions[np.unique(ends[k + 1][real], return_index=True)[1]]
            counts = np.bincount(positions, minlength=len(keys[k]))  # (grams,)
            levels.append(_level(keys[k], counts.astype(np.float64), base=base))
        return cls(vocabulary_size=vocabulary_size, levels=tuple(levels))

    @property
    def order(self) -> int:
        """How many tokens a gram has, the predicted one included."""
        return len(self.levels)

    def probabilities(self, contexts: Ids) -> Floats:
        """Return what may follow each context.

        Args:
            contexts: (n, width), the tokens before, oldest first; only the last order - 1 count,
                and where there are fewer the shorter grams decide.

        Returns:
            (n, vocabulary), rows summing to 1.

        Raises:
            ValueError: a wrong shape, or an id outside the vocabulary.
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
            ids: (tokens,), oldest first; each token sees those before it in `ids`.
            start: how many tokens are seen only, not scored.

        Returns:
            (tokens - start,)

        Raises:
            ValueError: an id outside the vocabulary, or a start past the end.
        """
        ids = _checked_ids(ids, self.vocabulary_size)
        if not 0 <= start <= len(ids):
            raise ValueError(f"start {start} lies outside the {len(ids)} tokens")
        base = self.vocabulary_size + 1
        padded = _padded(ids, order=self.order, start=self.vocabulary_size)
        scored = np.arange(start, len(ids)) + self.order - 1  # (scored,), places in `padded`
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
        """Mean cost of a token from `start` on, in bits; NaN if there is none."""
        scores = self.log2_probabilities(ids, start=start)
        return float(-scores.mean()) if len(scores) else float("nan")

    def _interpolated(self, k: int, contexts: Ids, tokens: Ids, lower: Floats) -> Floats:
        """The formula above at order k + 1. Contexts that were never seen leave `lower` as it is.

        `contexts` names grams of order k (-1: never seen); shapes broadcast to that of `lower`.
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
    """Bits per token of the unigram, bigram and trigram fitted on `train_ids`.

    Args:
        train_ids: (training tokens,)
        ids: (tokens,), scored from `start` on; see `NgramModel.bits_per_token`.
        vocabulary_size: how many different tokens there can be.
        start: how many tokens are seen only.
    """
    models = {
        name: NgramModel.fit(train_ids, order=order, vocabulary_size=vocabulary_size)
        for name, order in BASELINE_ORDERS.items()
    }
    return {name: model.bits_per_token(ids, start=start) for name, model in models.items()}


def _grams_by_order(padded: Ids, *, order: int, base: int) -> tuple[list[Ids], list[Ids]]:
    """Per order the keys of all grams (grams,) and which of them ends at each place (places,)."""
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


def _level(keys: Ids, counts: Floats, *, base: int) -> _Grams:
    parents = keys // base  # (grams,)
    ones, twos = float((counts == 1).sum()), float((counts == 2).sum())
    return _Grams(
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
        raise ValueError(f"ids have {array.ndim} dimensions; {ndim} needed")
    if array.size == 0:
        return array.astype(np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"ids are of type {array.dtype}; integers are needed")
    if array.min() < 0 or array.max() >= vocabulary_size:
        raise ValueError(
            f"ids lie between {array.min()} and {array.max()}; the vocabulary has "
            f"{vocabulary_size} tokens, 0 to {vocabulary_size - 1}"
        )
    return array.astype(np.int64)
