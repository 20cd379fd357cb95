import numpy as np
import pytest
import scipy

from app.cells.activations import sigmoid
from app.cells.cell import CELLS, CellName
from app.cells.layer import Layer
from app.cells.losses import cross_entropy, mean_squared_error, softmax
from app.cells.network import Network


def weights(
    cell: CellName = "lstm",
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return Network.random(
        np.random.default_rng(0), cell=cell, inputs=3, layers=(4, 2), outputs=5
    ).weights()


@pytest.mark.parametrize("cell", list(CELLS))
def test_a_trace_has_every_gate_and_state_of_every_step(cell: CellName) -> None:
    network = Network.from_weights(weights(cell), cell=cell)
    trace = network.forward(np.ones((2, 6, 3)))
    names = {
        "rnn": (["candidate"], ["hidden"]),
        "lstm": (["input", "forget", "candidate", "output"], ["hidden", "cell"]),
        "gru": (["update", "reset", "candidate"], ["hidden"]),
    }[cell]
    for layer, units in zip(trace.layers, (4, 2), strict=True):
        assert (list(layer.gates), list(layer.states)) == names
        assert all(gate.shape == (2, 6, units) for gate in layer.gates.values())
        assert all(state.shape == (2, 7, units) for state in layer.states.values())
        assert layer.outputs.shape == (2, 6, units)
    assert trace.outputs.shape == (2, 6, 5)
    assert [state.shape for state in trace.final] == [
        (2, units) for units in (4, 2) for _ in names[1]
    ]


def test_an_lstm_keeps_what_its_gates_let_it() -> None:
    # One unit with gates held open or shut by their biases (order: input, forget, candidate,
    # output).
    def run(forget: float, enter: float) -> list[float]:
        layer = Layer(
            cell="lstm",
            kernel=np.array([[0.0, 0.0, 1.0, 0.0]]),
            recurrent=np.zeros((1, 4)),
            bias=np.array([enter, forget, 0.0, 50.0]),
        )
        trace = layer.forward(np.array([[[1.0], [0.0], [0.0]]]))
        return [float(value) for value in trace.states["cell"][0, 1:, 0]]

    kept = np.tanh(1.0)
    assert run(forget=50, enter=50) == pytest.approx([kept, kept, kept])
    assert run(forget=-50, enter=50) == pytest.approx([kept, 0, 0])
    assert run(forget=50, enter=-50) == pytest.approx([0, 0, 0])
    assert run(forget=0, enter=50) == pytest.approx([kept, kept / 2, kept / 4])


def test_single_precision_weights_are_computed_in_double() -> None:
    single = {name: array.astype(np.float32) for name, array in weights().items()}
    network = Network.from_weights(single, cell="lstm")
    assert network.forward(np.ones((1, 2, 3))).outputs.dtype == np.float64


def test_weights_go_in_and_out_by_name() -> None:
    given = {**weights(), "embedding": np.ones((9, 3))}
    given["layer0.bias"] = given["layer0.bias"] + 0.5
    network = Network.from_weights(given, cell="lstm")
    assert next(iter(network.weights())) == "embedding"
    for name, array in network.weights().items():
        np.testing.assert_array_equal(array, given[name])


def test_random_weights_are_keras_own_kind() -> None:
    made = Network.random(
        np.random.default_rng(0), cell="lstm", inputs=30, layers=(20,), outputs=10
    ).weights()
    np.testing.assert_allclose(
        made["layer0.recurrent"] @ made["layer0.recurrent"].T, np.eye(20), atol=1e-12
    )
    assert np.abs(made["layer0.kernel"]).max() <= np.sqrt(6 / 110)
    assert made["layer0.bias"].reshape(4, 20).mean(axis=1).tolist() == [0, 1, 0, 0]


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"missing or unknown: layer1\.bias"):
        Network.from_weights(
            {name: array for name, array in weights().items() if name != "layer1.bias"}, cell="lstm"
        )
    with pytest.raises(ValueError, match="missing or unknown: extra"):
        Network.from_weights({**weights(), "extra": np.ones(1)}, cell="lstm")
    with pytest.raises(ValueError, match="missing or unknown: no layer"):
        Network.from_weights(
            {"output.kernel": np.ones((1, 1)), "output.bias": np.ones(1)}, cell="rnn"
        )
    with pytest.raises(ValueError, match="gru weights"):
        Network.from_weights(weights("lstm"), cell="gru")
    with pytest.raises(ValueError, match="do not fit"):
        Network.from_weights({**weights(), "output.kernel": np.ones((3, 5))}, cell="lstm")
    with pytest.raises(ValueError, match="do not fit"):
        Network.from_weights({**weights(), "embedding": np.ones((9, 4))}, cell="lstm")


def test_softmax_and_cross_entropy_equal_scipy() -> None:
    logits = np.random.default_rng(0).normal(0, 5, (3, 4, 6))
    targets = np.random.default_rng(1).integers(0, 6, (3, 4))
    np.testing.assert_allclose(softmax(logits), scipy.special.softmax(logits, axis=-1))
    expected = -np.take_along_axis(
        scipy.special.log_softmax(logits, axis=-1), targets[..., None], -1
    )
    loss, gradient = cross_entropy(logits, targets)
    assert loss == pytest.approx(expected.sum())
    np.testing.assert_allclose(
        gradient, scipy.special.softmax(logits, axis=-1) - np.eye(6)[targets]
    )
    np.testing.assert_allclose(sigmoid(logits), scipy.special.expit(logits))


def test_extreme_outputs_cost_what_they_cost_and_no_more() -> None:
    loss, gradient = cross_entropy(np.array([[1000.0, -1000.0]]), np.array([1]))
    assert loss == 2000
    assert gradient.tolist() == [[1, -1]]
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0, 0.5, 1]


def test_mean_squared_error_by_hand() -> None:
    loss, gradient = mean_squared_error(np.array([[1.0, 3.0]]), np.array([[0.0, 1.0]]))
    assert loss == 2.5
    assert gradient.tolist() == [[1.0, 2.0]]
