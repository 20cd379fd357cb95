import pytest
import scipy

from app.forecasting.student import two_sided_p_value


@pytest.mark.parametrize("freedom", [1, 2, 5, 18, 251, 10_000, 1_000_000])
@pytest.mark.parametrize(
    "statistic", [0.0, 1e-9, 0.3, -1.0, 2.0, 5.0, 12.0, 40.0, 1e9, float("inf")]
)
def test_equals_scipy(statistic: float, freedom: int) -> None:
    expected = 2 * scipy.stats.t.sf(abs(statistic), freedom)
    assert two_sided_p_value(statistic, freedom=freedom) == pytest.approx(expected, rel=1e-8)


def test_a_statistic_that_is_not_defined_has_no_p_value() -> None:
    assert str(two_sided_p_value(float("nan"), freedom=3)) == "nan"
