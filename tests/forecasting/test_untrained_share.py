import numpy as np
import pytest

from app.forecasting.shrinkage import LEAST_UNTRAINED, untrained_share

ROWS, HORIZON = 400, 3


def noise(seed: int, size: float = 1.0, *, rows: int = ROWS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, size, (rows, HORIZON))


def test_independent_errors_of_one_size_are_averaged() -> None:
    share = untrained_share(noise(1), noise(2), apart=ROWS // HORIZON)
    assert share == pytest.approx(0.5, abs=0.05)


def test_many_origins_find_the_share_with_the_least_error() -> None:
    # Of independent errors, the weights are inverse to the variances: 4 to 1.
    share = untrained_share(noise(1, 2.0), noise(2), apart=10_000)
    assert share == pytest.approx(0.8, abs=0.03)


def test_few_origins_stay_near_the_usual_share_and_many_decide() -> None:
    fitted = noise(1)
    untrained = 0.98 * fitted  # better at every origin
    usual = 0.98**-8 / (1 + 0.98**-8)
    few, many = (untrained_share(fitted, untrained, apart=apart) for apart in (1, 1_000_000))
    assert usual < few < usual + 0.1
    assert many == pytest.approx(1.0, abs=0.01)


def test_what_is_worse_or_would_get_little_is_left_out() -> None:
    assert untrained_share(noise(1), noise(1) * 1.5, apart=100) == 0
    assert untrained_share(noise(1), noise(2, 4.0), apart=100) == 0
    assert untrained_share(noise(1), noise(2, 2.0), apart=100) >= LEAST_UNTRAINED
    assert untrained_share(np.zeros((9, 1)), np.zeros((9, 1)), apart=9) == 0
    assert untrained_share(np.ones((9, 1)), np.zeros((9, 1)), apart=9) == 1
