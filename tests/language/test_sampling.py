import re
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.language import sampling
from app.language.sampling import Alternative, alternatives, choose, most_probable

PROBABILITIES = np.array([0.1, 0.4, 0.1, 0.4])


def share(token: int, *, temperature: float, draws: int = 20_000) -> float:
    generator = np.random.default_rng(1)
    drawn = [
        choose(PROBABILITIES, temperature=temperature, generator=generator) for _ in range(draws)
    ]
    return drawn.count(token) / draws


def test_temperature_zero_takes_the_most_probable_and_of_equals_the_first() -> None:
    assert choose(PROBABILITIES) == 1


@pytest.mark.parametrize(
    ("temperature", "expected"),
    # p^(1/T) / sum: T=1: .4; T=.5: .16/.34; T=2: sqrt(.4) / (2 sqrt(.4) + 2 sqrt(.1)) = 1/3.
    [(1.0, 0.4), (0.5, 0.16 / 0.34), (2.0, 1 / 3), (1e6, 0.25), (1e-9, 0.5)],
)
def test_temperature_sharpens_and_flattens(temperature: float, expected: float) -> None:
    # Four standard errors of 20,000 draws.
    assert share(3, temperature=temperature) == pytest.approx(expected, abs=0.0142)


def test_the_same_seed_draws_the_same() -> None:
    def draw(seed: int) -> list[int]:
        generator = np.random.default_rng(seed)
        return [choose(PROBABILITIES, temperature=1, generator=generator) for _ in range(30)]

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_excluded_and_impossible_tokens_are_never_taken(temperature: float) -> None:
    generator = np.random.default_rng(0)
    drawn = {
        choose([0.9, 0.1, 0.0], temperature=temperature, generator=generator, exclude={0})
        for _ in range(100)
    }
    assert drawn == {1}


class Drawing(np.random.Generator):
    """A random generator that always returns the same number."""

    def __init__(self, drawn: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.drawn = drawn

    def random(self, *_: object) -> float:  # type: ignore[override]
        return self.drawn


@pytest.mark.parametrize("drawn", [0.0, 1.0])  # 1.0: a result of rounding
def test_the_ends_of_chance_take_no_impossible_token(drawn: float) -> None:
    probabilities = [0.0, 0.5, 0.5, 0.0]
    assert choose(probabilities, temperature=1, generator=Drawing(drawn)) == 1 + drawn


def test_certain_of_an_excluded_token_all_others_are_alike() -> None:
    assert choose([1.0, 0.0, 0.0], exclude={0}) == 1
    generator = np.random.default_rng(0)
    drawn = {
        choose([1.0, 0.0, 0.0], temperature=1, generator=generator, exclude={0}) for _ in range(50)
    }
    assert drawn == {1, 2}


def test_probabilities_need_not_sum_to_one() -> None:
    generator = np.random.default_rng(0)
    drawn = [choose([2.0, 6.0], temperature=1, generator=generator) for _ in range(4000)]
    assert sum(drawn) / 4000 == pytest.approx(0.75, abs=0.03)


def test_excluding_leaves_the_caller_s_probabilities_alone() -> None:
    probabilities = np.array([0.9, 0.1])
    choose(probabilities, exclude={0})
    assert probabilities.tolist() == [0.9, 0.1]


@pytest.mark.parametrize("temperature", [-1.0, float("nan"), float("inf")])
def test_a_temperature_must_be_finite_and_not_negative(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature is"):
        choose(PROBABILITIES, temperature=temperature)


def test_bad_arguments_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="needs a generator"):
        choose(PROBABILITIES, temperature=1)
    with pytest.raises(ValueError, match="every token has probability 0"):
        choose([0.0, 0.0])
    with pytest.raises(ValueError, match="no token is left"):
        choose(PROBABILITIES, exclude={0, 1, 2, 3})
    for wrong in (float("nan"), -0.1):
        with pytest.raises(ValueError, match="finite and not negative"):
            choose([0.5, wrong])
    for shape in ((1, 2), (0,)):
        with pytest.raises(ValueError, match=rf"shape {re.escape(str(shape))}"):
            choose(np.ones(shape))


def test_alternatives_fall_with_ties_by_id_up_to_the_whole_vocabulary() -> None:
    assert alternatives(PROBABILITIES, 3) == [
        Alternative(id=1, probability=0.4),
        Alternative(id=3, probability=0.4),
        Alternative(id=0, probability=0.1),
    ]
    assert [entry.id for entry in alternatives(PROBABILITIES, 4)] == [1, 3, 0, 2]
    assert alternatives(PROBABILITIES, 0) == []
    assert [entry.id for entry in alternatives(np.ones(100), 100)] == list(range(100))
    for count in (-1, 5):
        with pytest.raises(ValueError, match=f"{count} alternatives from a vocabulary of 4"):
            alternatives(PROBABILITIES, count)


@given(
    rows=st.integers(0, 5),
    size=st.integers(1, 12),
    values=st.integers(1, 5),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_the_most_probable_of_each_row_are_those_that_sorting_puts_first(
    rows: int, size: int, values: int, seed: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, size))
    searched = data.draw(st.sampled_from([0, sampling.SEARCHED]))
    drawn = np.random.default_rng(seed).integers(0, values, (rows, size))  # with many equals
    with patch.object(sampling, "SEARCHED", searched):
        found = most_probable(drawn.astype(np.float32) / values, count)
    assert found.shape == (rows, count)
    for row, ids in zip(drawn.tolist(), found.tolist(), strict=True):
        assert ids == sorted(range(size), key=lambda token: (-row[token], token))[:count]


def test_a_nucleus_holds_the_most_probable_tokens_up_to_its_share() -> None:
    generator = np.random.default_rng(3)

    def drawn(top_p: float) -> set[int]:
        return {
            choose([0.1, 0.5, 0.1, 0.3], temperature=1, generator=generator, top_p=top_p)
            for _ in range(300)
        }

    assert drawn(0.4) == {1}
    assert drawn(0.6) == {1, 3}
    assert drawn(1.0) == {0, 1, 2, 3}
