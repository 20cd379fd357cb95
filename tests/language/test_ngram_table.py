import numpy as np
import pytest

from app.language.ngram import NgramModel
from app.language.ngram_table import NgramTable, longest_order
from tests.language.texts import zipf

SIZE = 7


def table_of(order: int) -> tuple[NgramModel, NgramTable]:
    model = NgramModel.fit(zipf(80, SIZE), order=order, vocabulary_size=SIZE)
    return model, NgramTable.of(model)


@pytest.mark.parametrize("order", [2, 3, 5])
def test_it_gives_the_probabilities_of_its_model(order: int) -> None:
    model, table = table_of(order)
    for recent in np.random.default_rng(1).integers(0, SIZE, (30, order - 1)):
        expected = model.probabilities(recent[None])[0]
        np.testing.assert_allclose(table.after(recent)[1], expected, atol=1e-12)


def test_before_a_text_stands_its_start() -> None:
    model, table = table_of(3)
    text = np.array([4, 2, 6])
    given = [table.after(np.array(recent))[1] for recent in ([SIZE, SIZE], [SIZE, 4], [4, 2])]
    expected = 2.0 ** model.log2_probabilities(text)
    np.testing.assert_allclose([p[token] for p, token in zip(given, text, strict=True)], expected)


def test_a_class_tells_how_long_and_how_often_a_context_was_seen() -> None:
    ids = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 3])
    table = NgramTable.of(NgramModel.fit(ids, order=3, vocabulary_size=5))
    classes = table.classes_of(np.array([4, 4, 0, 1, 2]), start=1)
    never, never_again, one_token, two_tokens = classes.tolist()
    assert never == never_again == 0
    assert 0 < one_token < two_tokens < table.class_count
    recent = (np.array([4, 4]), np.array([4, 0]), np.array([0, 1]))
    assert [table.after(each)[0] for each in recent] == [never_again, one_token, two_tokens]


def test_contexts_too_long_for_a_key_are_refused() -> None:
    order = longest_order(1000) + 1
    model = NgramModel.fit(np.arange(20), order=order, vocabulary_size=1000)
    with pytest.raises(ValueError, match="no key"):
        NgramTable.of(model)
