"""Mix a text network with the best n-gram model, so that it is not worse than that.

Both give probabilities of the next token. The share of the network depends on how much the n-gram
has seen of the context: its length, and how often it occurred (the idea of Jelinek & Mercer 1980).
Order and shares are chosen on the validation part. With a share of 0 everywhere, the version is the
n-gram.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.language.ngram import Floats, Ids, NgramModel
from app.language.ngram_table import NgramTable, longest_order

RECENT = "ngram.recent"  # the state that carries the last tokens, ids + 1
NGRAM_PROBABILITIES = "ngram.probabilities"  # the graph's array with those of the n-gram alone
# Limits of a version's size: a gram takes 6 bytes of the graph, and its context up to 32.
MOST_GRAMS = 1_500_000
LONGEST_ORDER = 8
LEAST_GAIN = 0.001  # bits per token by which a higher order must be better
ROUNDS = 50
# The shares of a class start as if so many tokens had been seen at the share of all classes.
PRIOR_TOKENS = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """An n-gram, and the share of the network for each class of context."""

    table: NgramTable
    network_share: Floats  # (classes,)

    @property
    def state(self) -> tuple[str, int]:
        """The name and size of the state that the n-gram needs."""
        return RECENT, self.table.order - 1

    def mixed(self, contexts: Ids, network: Floats) -> Floats:
        """Return the mixture's probabilities after texts that begin with their contexts.

        Args:
            contexts: (n, tokens), at least one token.
            network: its probabilities after each, (n, vocabulary).

        Returns:
            (n, vocabulary)
        """
        start = np.full((len(contexts), self.table.order - 1), self.table.vocabulary_size)
        result = np.empty_like(network, dtype=np.float64)
        for row, ids in enumerate(np.concatenate((start, contexts), axis=1)):
            kind, grams = self.table.after(ids[1 - self.table.order :])
            share = self.network_share[kind]
            result[row] = share * network[row] + (1 - share) * grams
        return result

    def counted_on(self, ids: Ids) -> "Mixture":
        """Return the same mixture with an n-gram of another text."""
        model = NgramModel.fit(
            ids, order=self.table.order, vocabulary_size=self.table.vocabulary_size
        )
        return replace(self, table=NgramTable.of(model))


def ngram_order(states: Sequence[tuple[str, int]]) -> int | None:
    """Return the order of the n-gram that a graph with these states has; None if it has none."""
    return dict(states)[RECENT] + 1 if RECENT in dict(states) else None


def best_ngram(
    training_ids: Ids,
    ids: Ids,
    *,
    vocabulary_size: int,
    check: Callable[[], None] = lambda: None,
) -> NgramModel:
    """Return the n-gram of the training text whose order suits the validation text best.

    Args:
        training_ids: what it is fitted on.
        ids: the training text and the validation text after it.
        vocabulary_size: number of different tokens.
        check: called before each order; may raise to stop.
    """
    best = None
    least = np.inf
    for order in range(2, min(LONGEST_ORDER, longest_order(vocabulary_size)) + 1):
        check()
        model = NgramModel.fit(training_ids, order=order, vocabulary_size=vocabulary_size)
        if best is not None and sum(len(level.keys) for level in model.levels) > MOST_GRAMS:
            break
        bits = model.bits_per_token(ids, start=len(training_ids))
        if best is not None and not bits < least - LEAST_GAIN:
            break
        best, least = model, bits
    if best is None:
        raise ValueError(f"a vocabulary of {vocabulary_size} has no bigrams")
    return best


def fitted_shares(network: Floats, grams: Floats, classes: Ids, *, class_count: int) -> Floats:
    """Return the share of the network per class by expectation maximization, (classes,).

    Args:
        network: its probability of each token, (tokens,).
        grams: that of the n-gram, (tokens,).
        classes: of the context of each token, (tokens,).
        class_count: number of classes.
    """
    share = np.full(1, 0.5)
    for _ in range(ROUNDS):
        share = _expected(network, grams, share).mean(keepdims=True)
    prior = np.full(class_count, PRIOR_TOKENS)
    shares = np.full(class_count, share[0])
    tokens = np.bincount(classes, minlength=class_count)  # (classes,)
    for _ in range(ROUNDS):
        expected = _expected(network, grams, shares[classes])  # (tokens,)
        summed = np.bincount(classes, weights=expected, minlength=class_count)
        shares = (summed + prior * share[0]) / (tokens + prior)
    return shares


def _expected(network: Floats, grams: Floats, share: Floats) -> Floats:
    """Return the probability that each token came from the network."""
    weighted: Floats = share * network
    mixed: Floats = weighted + (1 - share) * grams
    return weighted / mixed
