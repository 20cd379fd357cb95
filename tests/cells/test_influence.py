from dataclasses import replace

import numpy as np
import pytest

from app.cells.activations import ACTIVATIONS, ActivationName
from app.cells.cell import CELLS, CellName
from app.cells.influence import integrated_gradients, one_output, probability_of
from app.cells.layer import Layer
from app.cells.learn import learn_text
from app.cells.losses import softmax
from app.cells.network import Network


def random(cell: CellName, activation: ActivationName = "tanh") -> Network:
    return Network.random(
        np.random.default_rng(0),
        cell=cell,
        inputs=3,
        layers=(6, 5),
        outputs=4,
        activation=activation,
    )


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_influences_sum_to_the_output_less_the_baseline_s(
    cell: CellName, activation: ActivationName
) -> None:
    network = random(cell, activation)
    inputs = np.random.default_rng(1).normal(size=(12, 3))
    # At the bend of relu, the quadrature is less exact; more points reduce the difference.
    points, gap = (100, 1e-3) if activation == "relu" else (32, 1e-8)
    explained = integrated_gradients(network, inputs, one_output(2), points=points)
    assert explained.values.shape == (12, 3)
    assert explained.output == pytest.approx(network.forward(inputs[None]).outputs[0, -1, 2])
    nothing = network.forward(np.zeros((1, 12, 3))).outputs[0, -1, 2]
    assert explained.baseline == pytest.approx(nothing)
    assert abs(explained.gap) < gap * max(1.0, abs(explained.output))
    total = explained.baseline + explained.values.sum() + explained.gap
    assert total == pytest.approx(explained.output)


def test_of_a_linear_network_the_influence_is_weight_times_distance() -> None:
    # relu of a sum that stays above 0 is linear: h_t = x_t + h_{t-1} / 2 + 100.
    layer = Layer(
        cell="rnn",
        activation="relu",
        kernel=np.array([[1.0]]),
        recurrent=np.array([[0.5]]),
        bias=np.array([100.0]),
    )
    network = Network(layers=(layer,), output_kernel=np.array([[3.0]]), output_bias=np.zeros(1))
    inputs, baseline = np.array([[4.0], [2.0], [1.0]]), np.array([[0.0], [2.0], [2.0]])
    explained = integrated_gradients(network, inputs, one_output(0), baseline=baseline, points=1)
    np.testing.assert_allclose(explained.values[:, 0], [3 * 0.25 * 4, 0, 3 * -1])
    assert explained.gap == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("cell", list(CELLS))
def test_the_probability_of_a_token(cell: CellName) -> None:
    network = replace(random(cell), embedding=np.random.default_rng(2).normal(size=(9, 3)))
    ids = np.array([4, 0, 4, 8, 1])
    explained = integrated_gradients(network, ids, probability_of(3))
    assert explained.values.shape == (5,)
    expected = softmax(network.forward(ids[None]).outputs[0, -1])[3]
    assert explained.output == pytest.approx(expected)
    assert abs(explained.gap) < 1e-9


@pytest.mark.parametrize("cell", list(CELLS))
def test_one_hot_tokens_are_explained_as_one_hot_vectors(cell: CellName) -> None:
    network, ids = random(cell), np.array([0, 2, 2, 1])
    by_id = integrated_gradients(network, ids, one_output(1))
    by_vector = integrated_gradients(network, np.eye(3)[ids], one_output(1))
    np.testing.assert_allclose(by_id.values, by_vector.values.sum(axis=1), atol=1e-12)
    assert by_id.output == pytest.approx(by_vector.output)


def test_the_word_that_decides_has_the_influence() -> None:
    # What follows "x a b" depends only on x; a and b are always present.
    learned = learn_text("one a b uno . two a b due . three a b tre . " * 2, units=16)
    tokenizer = learned.tokenizer
    ids = tokenizer.encode("two a b").ids
    explained = integrated_gradients(
        learned.network, ids, probability_of(tokenizer.id_of["due"]), points=64
    )
    assert explained.output > 0.9
    other = tokenizer.encode("one a b").ids
    without = softmax(learned.network.forward(other[None]).outputs[0, -1])
    assert without[tokenizer.id_of["due"]] < 0.1
    assert explained.values[0] > 0


def test_what_cannot_be_is_refused() -> None:
    network, inputs = random("rnn"), np.ones((4, 3))
    with pytest.raises(ValueError, match="points is 0"):
        integrated_gradients(network, inputs, one_output(0), points=0)
    with pytest.raises(ValueError, match=r"baseline has shape \(2, 3\), the inputs \(4, 3\)"):
        integrated_gradients(network, inputs, one_output(0), baseline=np.ones((2, 3)))


@pytest.mark.parametrize("cell", list(CELLS))
def test_what_went_before_may_be_given_as_states(cell: CellName) -> None:
    network = random(cell)
    inputs = np.random.default_rng(2).normal(size=(9, 3))
    whole = network.forward(inputs[None], every_step=False).outputs[0, 2]
    before = network.forward(inputs[None, :5]).final
    explained = integrated_gradients(network, inputs[5:], one_output(2), initial=before)
    assert explained.values.shape == (4, 3)
    assert explained.output == pytest.approx(whole)
    assert explained.gap == pytest.approx(0, abs=1e-9)


def test_a_path_in_several_parts_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs = random("lstm"), np.random.default_rng(3).normal(size=(6, 3))
    at_once = integrated_gradients(network, inputs, one_output(0))
    monkeypatch.setattr("app.cells.influence.NUMBERS_AT_ONCE", 6 * 24 * 5)  # 5 points at a time
    in_parts = integrated_gradients(network, inputs, one_output(0))
    np.testing.assert_allclose(in_parts.values, at_once.values, rtol=1e-12)
