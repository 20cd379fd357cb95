"""The network as a whole, in TensorFlow and as the graph that is served."""

from collections import Counter

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from app.training.universal.export import level_weights, universal_graph
from app.training.universal.form import CONTEXT, HORIZON, QUANTILES, STEPS, Form
from app.training.universal.known import known
from app.training.universal.network import initial_weights
from app.training.universal.tensorflow_network import OPS, run

FORM = Form(units=16, hidden=24)
Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
Answer = tuple[Floats, Floats]


def trained_weights(form: Form) -> dict[str, npt.NDArray[np.float32]]:
    """Weights whose output layer is not zero, as after training."""
    chance = np.random.default_rng(2)
    return {
        name: (array + chance.normal(0, 0.1, array.shape)).astype(np.float32)
        for name, array in initial_weights(form, seed=1).items()
    }


class Served:
    """The graph in ONNX Runtime."""

    def __init__(self, form: Form) -> None:
        self.bytes = universal_graph(trained_weights(form), form)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(self.bytes, options)

    def __call__(
        self, *histories: Floats, levels: tuple[int, ...] = (80,), periods: Ids | None = None
    ) -> Answer:
        windows = np.full((len(histories), CONTEXT, 1), np.nan)
        for window, history in zip(windows, histories, strict=True):
            window[-len(history) :, 0] = history[-CONTEXT:]
        forecast, intervals = self.session.run(
            ["forecast", "intervals"],
            {
                "history": windows,
                "levels": np.array(levels, np.int64),
                **({} if periods is None else {"periods": periods}),
            },
        )
        return np.asarray(forecast), np.asarray(intervals)


@pytest.fixture(scope="module")
def served() -> Served:
    return Served(FORM)


def walk(rows: int, seed: int = 0) -> Floats:
    chance = np.random.default_rng(seed)
    season = 3 * np.sin(np.arange(rows) * 2 * np.pi / 12)
    values: Floats = 50 + np.cumsum(chance.normal(0, 0.5, rows)) + season
    return values


def periods(*pairs: tuple[int, int]) -> npt.NDArray[np.int64]:
    return np.array(pairs, np.int64)


@pytest.mark.slow
def test_the_graph_answers_as_the_trained_network(served: Served) -> None:
    histories = [walk(rows, seed=rows) for rows in (3, 14, 100, 511, CONTEXT)]
    histories[2][40:50] = np.nan
    told = periods((12, 0), (0, 0), (12, 24), (7, 365), (12, 0))
    forecast, intervals = served(*histories, levels=(50, 80, 95), periods=told)

    windows = np.full((len(histories), CONTEXT), np.nan)
    for window, history in zip(windows, histories, strict=True):
        window[-len(history) :] = history
    weights = {name: tf.constant(array) for name, array in trained_weights(FORM).items()}
    given = known(OPS, tf.constant(windows), tf.constant(told, tf.float32))
    found = run(weights, tf.constant(windows), tf.constant(told, tf.float32), FORM)
    median = found.median[:, -1].numpy() * given.scale.numpy() + given.center.numpy()
    deviation = np.array([np.nanstd(history) for history in histories])[:, None]
    assert np.abs((median - forecast) / deviation).max() < 1e-3
    upper_half = found.gaps[:, -1, :, QUANTILES.index(0.5)].numpy() * given.scale.numpy()
    assert np.abs((intervals[:, :, 0, 1] - forecast - upper_half) / deviation).max() < 1e-3


@pytest.mark.slow
def test_no_origin_sees_what_comes_after_it() -> None:
    form = Form(context=128, steps=16, units=8, hidden=8)
    weights = {name: tf.constant(array) for name, array in trained_weights(form).items()}
    told = tf.constant([[12.0, 0.0]] * 2)
    first = walk(128)
    changed = first.copy()
    changed[64:] = 1e4 * np.random.default_rng(1).normal(size=64)
    windows = tf.constant(np.stack([first, changed]))
    given = known(OPS, windows, told)
    found = run(weights, windows, told, form)

    median = found.median.numpy() * given.scale.numpy()[..., None]
    median += given.center.numpy()[..., None]
    before = slice(0, 8)  # origins up to the 64th value
    np.testing.assert_allclose(median[0, before], median[1, before], rtol=0.02, atol=0.2)
    assert np.abs(median[0, 8:] - median[1, 8:]).max() > 100


def test_another_unit_changes_nothing_but_the_unit(served: Served) -> None:
    history = walk(200)
    told = periods((12, 0))
    forecast, intervals = served(history, periods=told)
    for factor in (1e6, 1e-6):
        other, others = served(factor * history, periods=told)
        np.testing.assert_allclose(other, factor * forecast, rtol=1e-4)
        np.testing.assert_allclose(others, factor * intervals, rtol=1e-4)


def test_a_history_of_three_values_is_forecast(served: Served) -> None:
    forecast, intervals = served(np.array([10.0, 11.0, 12.0]))

    assert forecast.shape == (1, HORIZON)
    assert np.isfinite(forecast).all()
    assert np.isfinite(intervals).all()


@pytest.mark.parametrize("value", [0.0, 5.0, -1e289, 1e-300, 1e12])
def test_a_constant_history_continues(served: Served, value: float) -> None:
    forecast, intervals = served(np.full(30, value), periods=periods((7, 0)))

    np.testing.assert_allclose(forecast, value, rtol=1e-3, atol=1e-290)
    assert np.isfinite(intervals).all()


def test_neighbours_in_a_batch_do_not_matter(served: Served) -> None:
    histories = [walk(rows, seed=rows) for rows in (5, 300, 1024)]
    told = periods((12, 0), (4, 0), (24, 168))
    together, bounds = served(*histories, periods=told)
    for row, history in enumerate(histories):
        alone, own = served(history, periods=told[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5)
        np.testing.assert_allclose(own[0], bounds[row], rtol=1e-5)


def test_periods_left_out_are_none(served: Served) -> None:
    history = walk(120)

    np.testing.assert_array_equal(served(history)[0], served(history, periods=periods((0, 0)))[0])
    assert not np.allclose(served(history)[0], served(history, periods=periods((12, 0)))[0])


def test_wider_levels_lie_around_narrower_ones_and_the_forecast(served: Served) -> None:
    levels = tuple(range(50, 100))
    forecast, intervals = served(walk(150), levels=levels, periods=periods((12, 0)))
    low, high = intervals[0, :, :, 0], intervals[0, :, :, 1]

    assert (np.diff(low, axis=1) <= 0).all()
    assert (np.diff(high, axis=1) >= 0).all()
    assert (low[:, 0] <= forecast[0]).all()
    assert (forecast[0] <= high[:, 0]).all()


def test_levels_at_the_networks_own_quantiles_are_these() -> None:
    weights = level_weights()

    for level, low in ((50, 0.25), (80, 0.1), (95, 0.025), (99, 0.005)):
        expected = np.zeros(len(QUANTILES))
        expected[QUANTILES.index(low)] = 1
        np.testing.assert_allclose(weights[level, 0], expected, atol=1e-9)


def test_the_graph_is_small_in_bytes_steps_and_nodes() -> None:
    form = Form()
    graph = onnx.load_model_from_string(universal_graph(trained_weights(form), form)).graph
    operators = Counter(node.op_type for node in graph.node)
    products = STEPS * form.layers * 4 * form.units * 2 * form.units

    assert graph.ByteSize() < 4_000_000
    # What takes the time of one series and of many: the number of nodes and the LSTM's products.
    assert operators["LSTM"] == form.layers
    assert operators.total() < 1400
    assert products < 13_000_000
