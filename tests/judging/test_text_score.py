import numpy as np
import pytest
import scipy

from app.judging.text_score import against_bits, curve_of, ngram_bits
from app.language.ngram import baseline_bits


def test_bits_of_each_token_have_the_means_of_the_baselines() -> None:
    ids = np.random.default_rng(0).integers(0, 6, 120)
    each = ngram_bits(ids[:90], ids, vocabulary_size=6, start=90)
    means = baseline_bits(ids[:90], ids, vocabulary_size=6, start=90)
    assert {name: float(bits.mean()) for name, bits in each.items()} == pytest.approx(means)


def test_bits_are_tested_token_by_token() -> None:
    generator = np.random.default_rng(1)
    bits, baseline = generator.exponential(2.0, 60), generator.exponential(4.0, 60)
    told = against_bits(bits, {"trigram": baseline})["trigram"]
    expected = scipy.stats.ttest_1samp(bits - baseline, 0.0)
    assert told.p_value == pytest.approx(expected.pvalue)
    assert told.skill == pytest.approx(1 - bits.mean() / baseline.mean())
    assert told.verdict == "better"
    assert against_bits(bits, {"trigram": bits})["trigram"].verdict == "within noise"


def test_a_long_curve_is_made_of_means_of_equal_runs() -> None:
    bits = np.arange(4500.0)
    curve = curve_of(bits)
    assert len(curve) == 1500
    assert curve[0] == 1.0
    assert curve_of(bits[:7]) == tuple(range(7))
