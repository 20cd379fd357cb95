import numpy as np
import pytest

from app.predictions.graph_runs import Floats
from app.predictions.universal.rolling import ADDED_POWER, widened

HORIZON = 64


def bounds_of(widths: Floats) -> Floats:
    """Return bounds (1, HORIZON, 1, 2) around forecasts of 0, twice as far above as below."""
    return np.stack([-widths, 2 * widths], axis=1)[None, :, None]


@pytest.mark.parametrize("power", [0.0, 0.5])
def test_intervals_grow_as_they_did_and_a_little_more(power: float) -> None:
    leads = np.arange(1.0, 257)
    first = bounds_of(leads[:HORIZON] ** power)

    found = widened(first, np.zeros((1, HORIZON)), np.full((1, 256), 3.0))

    assert found[:, :HORIZON] == pytest.approx(first)
    further = found[0, HORIZON:, 0] - 3.0
    assert further[:, 1] == pytest.approx(-2 * further[:, 0])
    doubled = further[-1, 1] / further[128 - HORIZON - 1, 1]
    assert doubled == pytest.approx(2 ** (power + ADDED_POWER), rel=0.01)


def test_intervals_without_width_stay_so() -> None:
    first = bounds_of(np.zeros(HORIZON))
    found = widened(first, np.zeros((1, HORIZON)), np.zeros((1, 100)))
    assert not found.any()
