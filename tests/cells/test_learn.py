from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.cells.cell import CELLS, CellName
from app.cells.learn import continued, learn_text, learn_word, made_up_text, main
from app.cells.optimizers import Adagrad, Adam, clip_norm

Ids = NDArray[np.int64]

FABLE = Path(__file__).parents[3] / "shared" / "data" / "belling_the_cat.txt"


def most_right(inputs: Ids, targets: Ids) -> int:
    """Return how many targets can be right: of a context with two continuations, only one can.

    Args:
        inputs: (n, steps)
        targets: (n,)
    """
    pairs, counts = np.unique(np.column_stack((inputs, targets)), axis=0, return_counts=True)
    best: dict[bytes, int] = {}
    for pair, count in zip(pairs, counts, strict=True):
        context = pair[:-1].tobytes()
        best[context] = max(best.get(context, 0), int(count))
    return sum(best.values())


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("word", ["hello", "banana", "mississippi"])
def test_letters_of_a_word(cell: CellName, word: str) -> None:
    learned = learn_word(word, cell=cell, units=16)
    assert learned.right == learned.targets == len(word) - 1
    assert continued(learned, word[0], tokens=len(word) - 1) == word


@pytest.mark.skipif(not FABLE.exists(), reason="the fable's text is not next to this checkout")
def test_the_fable_to_199_of_its_201_contexts() -> None:
    learned = learn_text(FABLE.read_text())
    assert learned.targets == 201
    assert learned.right >= 199
    assert continued(learned, "long ago ,", tokens=2) == "long ago , the mice"


def test_a_made_up_text_as_far_as_it_can_be_learned() -> None:
    text = made_up_text()
    learned = learn_text(text)
    ids = learned.tokenizer.encode(text).ids
    contexts = np.lib.stride_tricks.sliding_window_view(ids, 3)[:-1]
    assert learned.targets == 197
    assert learned.right == most_right(contexts, ids[3:]) >= 195


def test_the_example_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    main([])
    said = capsys.readouterr().out
    assert 'letters of "hello": 4 of 4 right' in said
    assert "h → hello" in said
    (tmp_path / "text.txt").write_text("the cat sat on the mat and the dog sat on the cat .")
    main([str(tmp_path / "text.txt")])
    assert "the cat sat → the cat sat on the mat and the dog" in capsys.readouterr().out


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="3 tokens, but at least 4"):
        learn_text("one two three")
    with pytest.raises(ValueError, match="1 tokens, but at least 2"):
        learn_word("h")


def quadratic(at: NDArray[np.float64]) -> Mapping[str, NDArray[np.float64]]:
    return {"w": 2 * (at - np.array([3.0, -1.0]))}


def test_adam_by_hand() -> None:
    # The first step is the learning rate against the gradient's sign, whatever its size.
    weights = {"w": np.array([0.0, 0.0])}
    adam = Adam(learning_rate=0.1)
    adam.update(weights, quadratic(weights["w"]))
    np.testing.assert_allclose(weights["w"], [0.1, -0.1], rtol=1e-6)
    # The second: gradients -6, 2 then -5.8, 1.8; m = (0.09 g1 + 0.1 g2) / 0.19,
    # v = (0.000999 g1² + 0.001 g2²) / 0.001999.
    adam.update(weights, quadratic(weights["w"]))
    first, second = np.array([-6, 2.0]), np.array([-5.8, 1.8])
    mean = (0.09 * first + 0.1 * second) / 0.19
    square = (0.000999 * first**2 + 0.001 * second**2) / 0.001999
    expected = np.array([0.1, -0.1]) - 0.1 * mean / np.sqrt(square)
    np.testing.assert_allclose(weights["w"], expected, rtol=1e-6)


def test_adagrad_by_hand() -> None:
    # Gradients -6, then 2 (0.5 - 3) = -5: steps of 0.5 · 6 / 6 and 0.5 · 5 / sqrt(61).
    weights = {"w": np.array([0.0])}
    adagrad = Adagrad(learning_rate=0.5)
    for expected in (0.5, 0.5 + 2.5 / np.sqrt(61)):
        adagrad.update(weights, {"w": 2 * (weights["w"] - 3)})
        np.testing.assert_allclose(weights["w"], [expected], rtol=1e-6)


def test_clipping_keeps_the_direction() -> None:
    gradients = {"a": np.array([3.0]), "b": np.array([[4.0]])}
    assert clip_norm(gradients, 10) == 5
    assert gradients["a"][0] == 3
    assert clip_norm(gradients, 1) == 5
    np.testing.assert_allclose([gradients["a"][0], gradients["b"][0, 0]], [0.6, 0.8])
