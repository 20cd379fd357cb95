from collections import Counter

import numpy as np
import pytest

from app.language.ngram import NgramModel, baseline_bits
from tests.language.texts import zipf

START = -1


def textbook(ids: list[int], *, order: int, size: int, context: list[int], token: int) -> float:
    """Compute interpolated Kneser-Ney from its formula, with dictionaries and recursion."""
    padded = [START] * (order - 1) + ids
    places = range(order - 1, len(padded))

    def counts(length: int) -> Counter[tuple[int, ...]]:
        if length == order:
            return Counter(tuple(padded[i - length + 1 : i + 1]) for i in places)
        longer = {tuple(padded[i - length : i + 1]) for i in places}
        return Counter(gram[1:] for gram in longer)

    def probability(history: tuple[int, ...], length: int) -> float:
        if length == 0:
            return 1 / size
        table = counts(length)
        ones = sum(1 for n in table.values() if n == 1)
        twos = sum(1 for n in table.values() if n == 2)
        discount = ones / (ones + 2 * twos) if ones and twos else 0.5
        lower = probability(history[1:], length - 1)
        following = {gram: n for gram, n in table.items() if gram[:-1] == history}
        total = sum(following.values())
        if not total:
            return lower
        first = max(following.get((*history, token), 0) - discount, 0) / total
        return first + discount * len(following) / total * lower

    known = context[len(context) - order + 1 :] if order > 1 else []
    return probability(tuple(known), len(known) + 1)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equals_the_formula_computed_with_dictionaries(order: int) -> None:
    size = 7
    ids = zipf(60, size)
    model = NgramModel.fit(ids, order=order, vocabulary_size=size)
    for context in ([0, 1, 2], [3, 3, 3], [6, 5, 1], [int(i) for i in ids[10:13]]):
        expected = [
            textbook(ids.tolist(), order=order, size=size, context=context, token=token)
            for token in range(size)
        ]
        np.testing.assert_allclose(model.probabilities(np.array([context]))[0], expected)


def test_a_bigram_computed_by_hand() -> None:
    # "a b a c a": start a, a b, b a, a c, c a, each once. The bigrams' counts are all 1, so D is
    # the fallback 1/2; so it is for the continuation counts a 3, b 1, c 1.
    # p1(b) = (1 - .5)/5 + .5 * 3/5 * 1/3 = 0.2; p(b|a) = (1 - .5)/2 + .5 * 2/2 * 0.2 = 0.35.
    model = NgramModel.fit(np.array([0, 1, 0, 2, 0]), order=2, vocabulary_size=3)
    np.testing.assert_allclose(model.probabilities(np.array([[0]])), [[0.3, 0.35, 0.35]])


def test_discount_is_estimated_from_counts_of_one_and_two() -> None:
    # Counts 2, 1, 1, 0: D = 2 / (2 + 2) = 1/2, of 4 tokens and 3 kinds; uniform below is 1/4.
    model = NgramModel.fit(np.array([0, 0, 1, 2]), order=1, vocabulary_size=4)
    left = 0.5 * 3 / 4 / 4
    np.testing.assert_allclose(
        model.probabilities(np.zeros((1, 0), dtype=np.int64)),
        [[1.5 / 4 + left, 0.5 / 4 + left, 0.5 / 4 + left, left]],
    )


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("text", [[0], [1, 1, 1, 1], [0, 1] * 20, list(range(9))])
def test_probabilities_sum_to_one_and_none_is_zero(order: int, text: list[int]) -> None:
    model = NgramModel.fit(np.array(text), order=order, vocabulary_size=9)
    contexts = np.random.default_rng(0).integers(0, 9, (50, 3))
    probabilities = model.probabilities(contexts)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert (probabilities > 0).all()


def test_short_contexts_are_answered_by_shorter_grams() -> None:
    model = NgramModel.fit(zipf(200, 5), order=3, vocabulary_size=5)
    no_context = model.probabilities(np.zeros((2, 0), dtype=np.int64))
    one_token = model.probabilities(np.array([[3]]))
    np.testing.assert_allclose(no_context.sum(axis=1), 1.0)
    np.testing.assert_allclose(one_token.sum(axis=1), 1.0)
    assert np.abs(one_token - no_context).max() > 0.01


@pytest.mark.parametrize("order", [1, 2, 3])
def test_scores_of_a_text_are_the_probabilities_of_its_tokens(order: int) -> None:
    train, held_out = zipf(500, 11), zipf(80, 11, seed=1)
    model = NgramModel.fit(train, order=order, vocabulary_size=11)
    scores = model.log2_probabilities(held_out, start=3)
    contexts = np.lib.stride_tricks.sliding_window_view(held_out, 3)[:-1]
    probabilities = model.probabilities(contexts)
    expected = np.log2(probabilities[np.arange(len(contexts)), held_out[3:]])
    np.testing.assert_allclose(scores, expected)
    assert model.bits_per_token(held_out, start=3) == pytest.approx(-expected.mean())


def test_the_start_of_a_text_is_a_context_of_its_own() -> None:
    # Every training line begins with 1, so after a start the bigram expects 1.
    model = NgramModel.fit(np.array([1, 0, 0, 0, 0, 0, 0, 0]), order=2, vocabulary_size=2)
    assert model.log2_probabilities(np.array([1]))[0] > model.log2_probabilities(np.array([0]))[0]


def test_longer_grams_describe_a_structured_text_better() -> None:
    ids = zipf(20_000, 40)
    bits = baseline_bits(ids[:15_000], ids, vocabulary_size=40, start=15_000)
    assert list(bits) == ["unigram", "bigram", "trigram"]
    assert bits["bigram"] < bits["unigram"] - 0.5
    assert bits["trigram"] < bits["unigram"] - 0.5


def test_on_noise_no_order_beats_the_entropy() -> None:
    ids = np.random.default_rng(0).integers(0, 8, 40_000)
    bits = baseline_bits(ids[:30_000], ids, vocabulary_size=8, start=30_000)
    for value in bits.values():
        # The trigram loses a little on the 512 shares that it estimates from 30,000 tokens.
        assert 2.999 <= value < 3.03


def test_a_million_tokens_fit_in_memory_and_time() -> None:
    ids = np.random.default_rng(0).zipf(1.3, 1_000_000) % 20_000
    bits = baseline_bits(ids, ids[:100_000], vocabulary_size=20_000)
    assert all(np.isfinite(value) for value in bits.values())


def test_nothing_to_score_is_nan() -> None:
    model = NgramModel.fit(np.array([0, 1]), order=2, vocabulary_size=2)
    assert np.isnan(model.bits_per_token(np.array([0, 1]), start=2))


def test_ids_outside_the_vocabulary_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 5, but the vocabulary has 5 tokens, 0 to 4"):
        NgramModel.fit(np.array([0, 5]), order=1, vocabulary_size=5)
    model = NgramModel.fit(np.array([0, 1]), order=2, vocabulary_size=2)
    with pytest.raises(ValueError, match="from -1 to 0"):
        model.log2_probabilities(np.array([0, -1]))
    with pytest.raises(ValueError, match="integers are needed"):
        model.log2_probabilities(np.array([0.5]))
    with pytest.raises(ValueError, match="outside the 1 tokens"):
        model.log2_probabilities(np.array([0]), start=2)
    with pytest.raises(ValueError, match="2 are needed"):
        model.probabilities(np.array([0]))
    with pytest.raises(ValueError, match="order 2 from 0 tokens"):
        NgramModel.fit(np.array([], dtype=np.int64), order=2, vocabulary_size=2)
