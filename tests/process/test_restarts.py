from app.process.restarts import (
    HEALED_SECONDS,
    KEEPS_DYING,
    LONGEST_DELAY_SECONDS,
    Restarts,
)


def test_pauses_grow_from_death_to_death_up_to_a_limit() -> None:
    restarts = Restarts()
    delays = []
    for second in range(12):
        restarts.started(float(second))
        delays.append(restarts.delay_after_death(second + 0.5))
    assert delays[:5] == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == LONGEST_DELAY_SECONDS
    assert delays == sorted(delays)


def test_it_never_ends() -> None:
    restarts = Restarts()
    for second in range(5000):
        restarts.started(float(second))
        assert restarts.delay_after_death(second + 0.5) <= LONGEST_DELAY_SECONDS


def test_after_a_while_alive_earlier_deaths_do_not_count() -> None:
    restarts = Restarts()
    for second in range(KEEPS_DYING):
        restarts.started(float(second))
        restarts.delay_after_death(second + 0.5)
    assert restarts.deaths == KEEPS_DYING
    restarts.started(100.0)
    restarts.alive(100.0 + HEALED_SECONDS - 1)
    assert restarts.keeps_dying
    restarts.alive(100.0 + HEALED_SECONDS)
    assert restarts.deaths == 0
    assert restarts.delay_after_death(100.0 + HEALED_SECONDS + 1) == 0.1
