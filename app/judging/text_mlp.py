"""Predict text with the chapter's first attempt, a multilayer perceptron on the last words."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from app.judging.text_score import Floats, Ids
from app.language.ngram import NgramModel

CONTEXT = {"words": 3, "characters": 6}
HIDDEN_UNITS = 64
MOST_EXAMPLES = 20_000
# Limit on examples times tokens: the number of probabilities that the fit holds at once (32 MB).
MOST_PROBABILITIES = 4_000_000
MOST_EPOCHS = 50
MOST_WORK = 50_000_000  # limit on the probabilities computed in the whole fit: about two seconds
BATCH = 32
LARGE_BATCH = 200
FEWEST_EXAMPLES = 20
JUDGED_AT_ONCE = 1024
# A token that did not occur in training has no probability, so this share of the unigram is mixed
# in.
UNIGRAM_SHARE = 0.1


def mlp_bits(
    training_ids: Ids,
    ids: Ids,
    *,
    start: int,
    vocabulary_size: int,
    unit: str,
    check: Callable[[], None],
) -> Floats | str:
    """Return the bits of each judged token, or why there are none.

    The last tokens are the input (one-hot), with one hidden layer and the next token as output. A
    tenth of the unigram is mixed in; otherwise a new token would cost infinitely many bits.

    Args:
        training_ids: what it is fitted on; only the newest if there are many.
        ids: the tokens; those from `start` on are judged, each given those before it.
        start: the first judged position.
        vocabulary_size: number of different tokens.
        unit: words or characters.
        check: called around the fit and between batches; may raise to stop.

    Returns:
        (tokens - start,), or a reason.
    """
    width = CONTEXT[unit]
    most = min(MOST_EXAMPLES, MOST_PROBABILITIES // vocabulary_size)
    train = training_ids[-(most + width) :]
    count = len(train) - width
    if count < FEWEST_EXAMPLES or len(np.unique(train[width:])) < 2:  # two classes
        return f"{max(count, 0)} examples to fit on, and {vocabulary_size} {unit} to tell apart"
    check()
    network = MLPClassifier(
        hidden_layer_sizes=(HIDDEN_UNITS,),
        batch_size=BATCH if count < LARGE_BATCH * BATCH else LARGE_BATCH,
        max_iter=max(1, min(MOST_EPOCHS, MOST_WORK // (count * vocabulary_size))),
        learning_rate_init=0.003,
        random_state=0,
    )
    with warnings.catch_warnings():
        # training stops at its limit, not at convergence
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(_one_hot(_contexts(train, width, width), vocabulary_size), train[width:])
    check()
    unigram = NgramModel.fit(training_ids, order=1, vocabulary_size=vocabulary_size)
    fallback = 2.0 ** unigram.log2_probabilities(ids, start=start)  # (judged,)
    contexts, targets = _contexts(ids, start, width), ids[start:]
    place = np.full(vocabulary_size, -1)
    place[network.classes_] = np.arange(len(network.classes_))
    given = np.zeros(len(targets))
    for first in range(0, len(targets), JUDGED_AT_ONCE):
        part = slice(first, first + JUDGED_AT_ONCE)
        probabilities = network.predict_proba(_one_hot(contexts[part], vocabulary_size))
        column = place[targets[part]]
        chosen = probabilities[np.arange(len(column)), column.clip(0)]
        given[part] = np.where(column >= 0, chosen, 0.0)
        check()
    bits: Floats = -np.log2((1 - UNIGRAM_SHARE) * given + UNIGRAM_SHARE * fallback)
    return bits


def _contexts(ids: Ids, start: int, width: int) -> Ids:
    """Return the tokens before each position from `start` on, (n, width); -1 before the first."""
    padded = np.concatenate([np.full(width, -1), ids])
    every = np.lib.stride_tricks.sliding_window_view(padded, width)  # (tokens + 1, width)
    return every[start : len(ids)]


def _one_hot(contexts: Ids, vocabulary_size: int) -> csr_matrix:
    """Return one-hot vectors, (n, width * vocabulary), sparse."""
    n, width = contexts.shape
    known = contexts >= 0
    rows = np.repeat(np.arange(n), width).reshape(n, width)
    columns = contexts + np.arange(width) * vocabulary_size
    ones = np.ones(int(known.sum()))
    return csr_matrix((ones, (rows[known], columns[known])), shape=(n, width * vocabulary_size))
