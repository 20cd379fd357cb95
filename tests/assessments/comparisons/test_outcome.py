from dataclasses import replace

import pytest

from app.assessments.comparisons.outcome import Trained, outcome_of
from app.recipes.recipe import Cell
from tests.assessments.comparisons.cells import noise, trained
from tests.registry.records import text_manifest, text_scorecard

SIMPLE = {"persistence": noise(9, 2.0), "mlp": noise(8, 1.5)}


def test_a_clear_lead_is_called_so() -> None:
    found = outcome_of(
        [
            trained("rnn", noise(1, 1.6), SIMPLE),
            trained("gru", noise(2), SIMPLE),
            trained("lstm", noise(3, 1.4), SIMPLE),
        ]
    )

    assert found.best == "gru"
    assert {cell: place.beside for cell, place in found.places.items()} == {
        "gru": "best",
        "lstm": "worse",
        "rnn": "worse",
    }
    assert found.places["rnn"].p_value is not None
    assert found.places["rnn"].p_value < 0.05
    assert found.verdict.startswith("GRU is best: RMSE ")
    assert "more than noise; better than the MLP (" in found.verdict


def test_differences_within_noise_are_called_so() -> None:
    errors = noise(1)
    found = outcome_of(
        [
            trained("rnn", errors, {"persistence": noise(7, 1.02), "mlp": noise(8, 3.0)}),
            trained("gru", errors + noise(2, 0.1), SIMPLE),
            trained("lstm", errors, SIMPLE),
        ]
    )

    assert {place.beside for place in found.places.values()} == {"best", "within noise"}
    assert "do not differ by more than noise" in found.verdict
    assert "no better than repeating the last value" in found.verdict
    assert "; the MLP has " in found.verdict


def test_equal_cells_are_called_equal() -> None:
    cells: tuple[Cell, ...] = ("rnn", "gru")
    found = outcome_of([trained(cell, noise(1), SIMPLE) for cell in cells])

    assert found.verdict.startswith("RNN and GRU are equal: RMSE ")


def test_some_may_be_worse_and_some_not() -> None:
    errors = noise(1)
    found = outcome_of(
        [
            trained("rnn", noise(2, 3.0), SIMPLE),
            trained("gru", errors, {"mlp": errors / 4}),
            trained("lstm", errors + noise(4, 0.05), SIMPLE),
        ]
    )

    assert "has the smallest error" in found.verdict
    assert "within noise" in found.verdict
    assert "worse by more than noise" in found.verdict
    assert "the MLP is better than any of them" in found.verdict


def test_other_rows_are_not_compared() -> None:
    found = outcome_of(
        [trained("rnn", noise(1), SIMPLE), trained("gru", noise(2, 2.0), SIMPLE, start="2")]
    )

    assert found.places["gru"].beside == "not to be told"
    assert "cannot be compared with it" in found.verdict


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_are_no_comparison(count: int) -> None:
    found = outcome_of([trained("rnn", noise(1), SIMPLE)][:count])

    expected = "only RNN was trained" if count else "no cell was trained"
    assert expected in found.verdict


def test_what_was_trained_on_tells_nothing() -> None:
    one = trained("rnn", noise(1), SIMPLE)
    seen = replace(one, scorecard=one.scorecard.model_copy(update={"judged_on": "training"}))

    assert outcome_of([seen]).verdict.startswith("not judged, because nothing was held out")


def text_cell(cell: Cell, bits: float, *, tokens: int = 20_000) -> Trained:
    return Trained(
        cell=cell, manifest=text_manifest(), scorecard=text_scorecard(bits=bits, tokens=tokens)
    )


def test_texts_are_compared_by_their_bits() -> None:
    found = outcome_of([text_cell("rnn", 2.0), text_cell("lstm", 1.0)])

    assert found.best == "lstm"
    assert found.verdict == "LSTM is best: bits per token 1 against 2 (RNN), more than noise"


@pytest.mark.parametrize(
    ("tokens", "others", "beside"),
    [(20_000, 20_000, "worse"), (100, 100, "within noise"), (20_000, 19_999, "not to be told")],
)
def test_a_twentieth_less_is_a_lead_over_many_tokens_that_are_the_same(
    tokens: int, others: int, beside: str
) -> None:
    found = outcome_of([text_cell("gru", 1.9, tokens=tokens), text_cell("rnn", 2.0, tokens=others)])

    assert found.best == "gru"
    assert found.places["rnn"].beside == beside
