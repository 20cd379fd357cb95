"""Compute a scorecard's figures for text, token by token. No I/O."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from app.artifact.scorecard import Against
from app.forecasting.metrics import diebold_mariano
from app.judging.figures import SIGNIFICANT
from app.language.ngram import BASELINE_ORDERS, NgramModel

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

TRIGRAM = "trigram"
NGRAM = "ngram"  # the best n-gram, of the order that suited the validation text
MLP = "mlp"
CURVE_POINTS = 2000


def ngram_bits(
    training_ids: Ids, ids: Ids, *, vocabulary_size: int, start: int, order: int | None = None
) -> dict[str, Floats]:
    """Return the bits of each judged token by unigram, bigram, trigram and the best n-gram.

    Args:
        training_ids: what they are fitted on.
        ids: the tokens; those from `start` on are judged.
        start: the first judged position.
        vocabulary_size: number of different tokens.
        order: of the best n-gram; None if none was chosen.

    Returns:
        (tokens - start,) for each.
    """
    orders = BASELINE_ORDERS if order is None else {**BASELINE_ORDERS, NGRAM: order}
    return {
        name: -NgramModel.fit(
            training_ids, order=order, vocabulary_size=vocabulary_size
        ).log2_probabilities(ids, start=start)
        for name, order in orders.items()
    }


def against_bits(bits: Floats, baselines: Mapping[str, Floats]) -> dict[str, Against]:
    """Compare the model with each baseline, token by token."""
    return {name: _against(bits, given) for name, given in baselines.items() if len(given)}


def curve_of(bits: Floats) -> tuple[float, ...]:
    """Return the bits of each token; above 2,000 tokens, the means of equally long runs."""
    run = -(-len(bits) // CURVE_POINTS) or 1
    whole = len(bits) // run * run
    return tuple(bits[:whole].reshape(-1, run).mean(axis=1).tolist())


def _against(bits: Floats, baseline: Floats) -> Against:
    ours, theirs = float(bits.mean()), float(baseline.mean())
    test = diebold_mariano(bits, baseline, power=1.0)
    p = test.p_value
    if math.isfinite(p):
        verdict = "within noise" if p >= SIGNIFICANT else "better" if ours < theirs else "worse"
    else:
        verdict = "within noise" if ours == theirs else "not to be told"
    return Against(
        rows=len(bits),
        skill=1 - ours / theirs if theirs > 0 else None,
        statistic=test.statistic if math.isfinite(test.statistic) else None,
        p_value=p if math.isfinite(p) else None,
        verdict=verdict,
        missing=None if math.isfinite(p) else "the bits do not differ, or are too few to test",
    )
