from app.process.restarts import DEATHS, WITHIN_SECONDS, Restarts


def test_delays_double_and_the_fifth_death_within_a_minute_ends_it() -> None:
    restarts = Restarts()
    delays = [restarts.delay_after(float(second)) for second in range(DEATHS)]
    assert delays == [0.1, 0.2, 0.4, 0.8, None]


def test_deaths_far_apart_are_mended_for_ever() -> None:
    restarts = Restarts()
    for hour in range(100):
        assert restarts.delay_after(hour * 60 * WITHIN_SECONDS) == 0.1
