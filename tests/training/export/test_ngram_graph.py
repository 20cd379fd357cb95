"""Compare a graph that mixes in an n-gram with the n-gram's own probabilities."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from app.artifact.graph_outputs import with_output
from app.artifact.onnx_session import States, session_of, token_probabilities, zero_states
from app.language.mixture import NGRAM_PROBABILITIES, Mixture
from app.language.ngram import NgramModel
from app.language.ngram_table import NgramTable
from app.training.architecture import Architecture
from app.training.export.graph import text_graph
from tests.language.texts import zipf
from tests.training.test_recurrence import form, random_weights

SIZE, ORDER = 9, 4
MODEL = NgramModel.fit(zipf(300, SIZE), order=ORDER, vocabulary_size=SIZE)
TABLE = NgramTable.of(MODEL)
TEXT = zipf(40, SIZE, seed=3)


def built(share: float, *, every_step: bool = False) -> tuple[bytes, States]:
    architecture: Architecture = form(
        "lstm", layers=(4,), inputs=SIZE, outputs=SIZE, tokens=True, embedding=3
    )
    mixture = Mixture(table=TABLE, network_share=np.full(TABLE.class_count, share))
    graph = text_graph(
        architecture,
        random_weights(architecture),
        window=None,
        every_step=every_step,
        mixture=mixture,
    )
    return graph, zero_states([*architecture.states(), mixture.state], 1)


def test_without_a_network_it_is_the_ngram_from_the_first_token_on() -> None:
    graph, states = built(0.0, every_step=True)
    first, states = token_probabilities(graph, TEXT[None, :2], states)
    others, _ = token_probabilities(graph, TEXT[None, 2:], states)
    given = np.concatenate((first[0], others[0]))  # (tokens, vocabulary)
    expected = MODEL.log2_probabilities(TEXT, start=1)
    np.testing.assert_allclose(np.log2(given[np.arange(39), TEXT[1:]]), expected, atol=1e-5)
    np.testing.assert_allclose(given.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_texts_of_different_lengths_in_one_run_are_as_if_alone(share: float) -> None:
    graph, states = built(share)
    alone = []
    for length in (1, 3, 17):
        probabilities, ends = token_probabilities(graph, TEXT[None, :length], states)
        alone.append((probabilities[0], ends["ngram.recent"][0, 0]))
    tokens = np.zeros((3, 17), np.int64)
    for row, length in enumerate((1, 3, 17)):
        tokens[row, :length] = TEXT[:length]
    together, ends = run_together(graph, tokens, np.array([1, 3, 17], np.int32), states)
    for row, (probabilities, recent) in enumerate(alone):
        np.testing.assert_allclose(together[row], probabilities, atol=1e-6)
        assert ends["ngram.recent"][0, row].tolist() == recent.tolist()


def test_the_network_has_its_share() -> None:
    ngram, network, mixed = (
        token_probabilities(graph, TEXT[None], states)[0]
        for graph, states in (built(0.0), built(1.0), built(0.25))
    )
    np.testing.assert_allclose(mixed, 0.25 * network + 0.75 * ngram, atol=1e-6)


def test_a_mixed_graph_also_gives_the_ngrams_own_probabilities() -> None:
    mixed, states = built(0.5)
    fed = {"tokens": TEXT[None], "lengths": np.array([len(TEXT)], np.int32), **states}
    (own,) = session_of(with_output(mixed, NGRAM_PROBABILITIES)).run([NGRAM_PROBABILITIES], fed)
    np.testing.assert_array_equal(own, token_probabilities(built(0.0)[0], TEXT[None], states)[0])


def run_together(
    graph: bytes, tokens: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32], states: States
) -> tuple[npt.NDArray[np.float32], States]:
    fed: dict[str, npt.NDArray[Any]] = {"tokens": tokens, "lengths": lengths}
    fed |= {name: np.repeat(state, len(tokens), axis=1) for name, state in states.items()}
    session = session_of(graph)
    names = [output.name for output in session.get_outputs()]
    given = dict(zip(names, session.run(names, fed), strict=True))
    return given.pop("probabilities"), {n.removesuffix("_out"): v for n, v in given.items()}
