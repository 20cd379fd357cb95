import numpy as np
import pytest

from app.judging import text_mlp


def test_a_text_that_repeats_itself_is_learned_and_every_token_has_a_probability() -> None:
    ids = np.tile(np.arange(8), 40)
    bits = text_mlp.mlp_bits(
        ids[:240],
        np.append(ids, 8),  # the last one did not occur
        start=240,
        vocabulary_size=9,
        unit="words",
        check=lambda: None,
    )
    assert not isinstance(bits, str)
    assert bits.shape == (81,)
    assert np.isfinite(bits).all()
    assert bits[:-1].mean() < 0.5
    assert bits[-1] > 3


@pytest.mark.parametrize("ids", [np.arange(9) % 3, np.zeros(100, np.int64)])
def test_too_little_to_fit_on_is_reported(ids: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    told = text_mlp.mlp_bits(ids, ids, start=3, vocabulary_size=3, unit="words", check=lambda: None)
    assert isinstance(told, str)
    assert "examples to fit on" in told
