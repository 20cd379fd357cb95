"""Choose how a text network is mixed with an n-gram, on the validation text."""

from collections.abc import Callable, Sequence

from app.judging.text_judge import WARMING_TOKENS, stream_probabilities
from app.language.mixture import Mixture, best_ngram, fitted_shares
from app.language.ngram import Ids
from app.language.ngram_table import NgramTable


def chosen_mixture(
    graph: bytes,
    ids: Ids,
    *,
    states: Sequence[tuple[str, int]],
    validation_start: int,
    vocabulary_size: int,
    check: Callable[[], None],
) -> Mixture:
    """Return the n-gram whose order suits the validation text best, and the network's shares.

    Args:
        graph: of the network alone, with probabilities after every token.
        ids: the training text and the validation text after it, (tokens,).
        states: of the graph, name and units.
        validation_start: the first token that the network was not fitted on.
        vocabulary_size: number of different tokens.
        check: called between steps; may raise to stop.
    """
    model = best_ngram(ids[:validation_start], ids, vocabulary_size=vocabulary_size, check=check)
    table = NgramTable.of(model)
    check()
    begin = max(0, validation_start - 1 - WARMING_TOKENS)
    network = stream_probabilities(
        graph, ids[begin:], states=states, start=validation_start - begin, check=check
    )
    shares = fitted_shares(
        network,
        2.0 ** model.log2_probabilities(ids, start=validation_start),
        table.classes_of(ids, start=validation_start),
        class_count=table.class_count,
    )
    return Mixture(table=table, network_share=shares)
