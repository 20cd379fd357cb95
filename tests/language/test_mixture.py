import numpy as np
import pytest

from app.language.mixture import best_ngram, fitted_shares
from app.language.ngram import NgramModel
from tests.language.texts import zipf


def test_the_order_is_that_which_suits_the_validation_text() -> None:
    cycle = np.array([0, 1, 0, 2] * 60)  # what follows 0 needs two tokens
    noise = zipf(400, 11)
    for ids in (cycle, noise):
        cut = len(ids) * 3 // 4
        bits = {
            order: NgramModel.fit(ids[:cut], order=order, vocabulary_size=11).bits_per_token(
                ids, start=cut
            )
            for order in (2, 3)
        }
        chosen = best_ngram(ids[:cut], ids, vocabulary_size=11)
        assert (chosen.order > 2) == (bits[3] < bits[2] - 0.001)


def test_choosing_the_order_can_be_stopped_before_each() -> None:
    asked = []

    def check() -> None:
        asked.append(True)
        if len(asked) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        best_ngram(zipf(300, 11), zipf(400, 11), vocabulary_size=11, check=check)
    assert len(asked) == 2


def test_the_network_gets_its_share_where_it_is_better() -> None:
    generator = np.random.default_rng(0)
    classes = generator.integers(0, 2, 4000)
    good, poor = np.full(4000, 0.5), np.full(4000, 0.1)
    network = np.where(classes == 0, good, poor)
    grams = np.where(classes == 0, poor, good)
    shares = fitted_shares(network, grams, classes, class_count=3)
    assert shares[0] > 0.98
    assert shares[1] < 0.02
    assert 0.4 < shares[2] < 0.6  # never seen: as over all classes


def test_a_network_that_is_never_better_gets_nothing() -> None:
    shares = fitted_shares(
        np.full(2000, 0.01), np.full(2000, 0.6), np.zeros(2000, np.int64), class_count=1
    )
    assert shares[0] < 0.001
