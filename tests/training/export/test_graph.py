"""Compare the exported graph with Keras for the same random weights."""

import itertools
from typing import Any

import numpy as np
import pytest

from app.artifact.onnx_session import forecasts, session_of, token_probabilities, zero_states
from app.forecasting.anchors import Anchor, Scale, persistence
from app.forecasting.linear_maps import LinearMap, season_change_map, season_map
from app.forecasting.scaling import Affine, WindowScaling
from app.recipes.recipe import Activation, Cell
from app.training.architecture import Architecture
from app.training.export.graph import series_graph, text_graph
from app.training.keras_network import build_network, with_weights
from tests.training.test_recurrence import ACTIVATIONS, CELLS, form, random_weights

WINDOW = 5
SCALINGS = ("minmax", "standard", "window")
CHANCE = np.random.default_rng(2)
ANCHORS = (
    persistence(window=WINDOW, horizon=2),
    Anchor.of_maps([season_map(season=3, window=WINDOW, horizon=2)], [Scale()], name="season"),
    Anchor.of_maps(
        [season_change_map(season=4, window=WINDOW, horizon=2)], [Scale()], name="season-change"
    ),
    Anchor.of_maps(
        [LinearMap(weights=CHANCE.normal(0.0, 0.5, (WINDOW, 2)), intercept=np.array([0.5, -0.25]))],
        [Scale()],
        name="autoregression",
        centers=[290.0],
    ),
    Anchor.of_maps(
        [
            LinearMap(
                weights=CHANCE.normal(0.0, 0.2, (WINDOW, 2)), intercept=np.array([0.05, -0.02])
            )
        ],
        [Scale(log=True, floor=1.0)],
        name="average",
    ),
)
HISTORY = 300.0 + np.random.default_rng(5).normal(0.0, 20.0, (7, WINDOW, 2)).cumsum(axis=1)


def network_outputs(
    architecture: Architecture, weights: dict[str, Any], scaling: str
) -> np.ndarray[Any, Any]:
    """Return Keras's output for the scaled history, (n, horizon)."""
    network = with_weights(build_network(architecture, steps=WINDOW, every_step=False), weights)
    if scaling == "window":
        scaled = WindowScaling.of(HISTORY).transform(HISTORY)
    else:
        scaled = affine_of(scaling).transform(HISTORY)
    return np.asarray(network(scaled.astype(np.float32)).numpy(), dtype=np.float64)


def expected_forecasts(
    outputs: np.ndarray[Any, Any], scaling: str, anchor: Anchor | None
) -> np.ndarray[Any, Any]:
    """Invert the scaling in NumPy; the target is the second feature."""
    if scaling == "window":
        own = WindowScaling.of(HISTORY)
        scale, center = own.scale[:, :, 1], own.center[:, :, 1]
    else:
        target = affine_of(scaling).column(1)
        scale, center = target.scale, target.center
    added = center if anchor is None else anchor.forecasts(HISTORY[:, :, 1])
    return np.asarray(added + scale * outputs)


def affine_of(scaling: str) -> Affine:
    rows = HISTORY.reshape(-1, 2)
    return Affine.minmax(rows) if scaling == "minmax" else Affine.standard(rows)


def graph_of(
    architecture: Architecture,
    weights: dict[str, Any],
    scaling: str,
    anchor: Anchor | None,
    *,
    at_least: float | None = None,
) -> bytes:
    affine = None if scaling == "window" else affine_of(scaling)
    return series_graph(
        architecture,
        weights,
        window=WINDOW,
        scaling=affine,
        target=1,
        target_scaling=affine.column(1) if affine else None,
        anchor=anchor,
        at_least=at_least,
    )


@pytest.mark.parametrize(
    ("cell", "activation", "scaling"), list(itertools.product(CELLS, ACTIVATIONS, SCALINGS))
)
def test_a_series_graph_forecasts_what_keras_forecasts(
    cell: Cell, activation: Activation, scaling: str
) -> None:
    architecture = form(cell, activation)
    weights = random_weights(architecture)
    outputs = network_outputs(architecture, weights, scaling)
    for anchor in (None, *ANCHORS):
        given = forecasts(graph_of(architecture, weights, scaling, anchor), HISTORY)
        expected = expected_forecasts(outputs, scaling, anchor)
        assert given.shape == (7, 2)
        np.testing.assert_allclose(given, expected, atol=1e-5 * HISTORY.std())


def test_each_series_has_its_own_anchor_and_any_other_the_first() -> None:
    maps = [
        LinearMap(weights=CHANCE.normal(0.0, 0.3, (WINDOW, 2)), intercept=CHANCE.normal(size=2))
        for _ in range(3)
    ]
    scales = [Scale(), Scale(log=True, floor=1.0), Scale()]
    anchor = Anchor.of_maps(maps, scales, name="average")
    architecture = form("lstm")
    weights = random_weights(architecture)
    graph = graph_of(architecture, weights, "window", anchor)
    outputs = network_outputs(architecture, weights, "window")
    own = WindowScaling.of(HISTORY)
    numbers = np.array([0, 1, 2, 2, 1, 0, 1])
    expected = anchor.forecasts(HISTORY[:, :, 1], numbers) + own.scale[:, :, 1] * outputs

    given = forecasts(graph, HISTORY, numbers=numbers)
    # A weight of a table has single precision.
    np.testing.assert_allclose(given, expected, atol=1e-4 * HISTORY.std())
    assert abs(given - forecasts(graph, HISTORY)).max() > 1
    np.testing.assert_array_equal(
        forecasts(graph, HISTORY), forecasts(graph, HISTORY, numbers=np.zeros(7, np.int64))
    )


def test_the_network_sees_the_newest_rows_of_what_its_anchor_reads() -> None:
    architecture = form("lstm")
    weights = random_weights(architecture)
    anchor = ANCHORS[1]
    graph = series_graph(
        architecture,
        weights,
        window=WINDOW,
        network_window=3,
        scaling=None,
        target=1,
        target_scaling=None,
        anchor=anchor,
    )
    network = with_weights(build_network(architecture, steps=3, every_step=False), weights)
    own = WindowScaling.of(HISTORY[:, -3:])
    outputs = network(own.transform(HISTORY[:, -3:]).astype(np.float32)).numpy()
    expected = anchor.forecasts(HISTORY[:, :, 1]) + own.scale[:, :, 1] * outputs
    np.testing.assert_allclose(forecasts(graph, HISTORY), expected, atol=1e-5 * HISTORY.std())


@pytest.mark.parametrize("scaling", SCALINGS)
def test_what_comes_out_lower_is_raised_to_the_least(scaling: str) -> None:
    architecture = form("lstm", "tanh")
    weights = random_weights(architecture)
    free = forecasts(graph_of(architecture, weights, scaling, ANCHORS[0]), HISTORY)
    least = float(np.median(free))
    raised = graph_of(architecture, weights, scaling, ANCHORS[0], at_least=least)
    np.testing.assert_array_equal(forecasts(raised, HISTORY), np.maximum(free, least))


@pytest.mark.parametrize(("cell", "activation"), list(itertools.product(CELLS, ACTIVATIONS)))
@pytest.mark.parametrize("embedding", [None, 3])
def test_a_window_of_tokens_gives_the_probabilities_of_keras(
    cell: Cell, activation: Activation, embedding: int | None
) -> None:
    architecture = form(cell, activation, inputs=7, outputs=7, tokens=True, embedding=embedding)
    weights = random_weights(architecture)
    ids = np.random.default_rng(1).integers(0, 7, (6, 4))
    network = with_weights(build_network(architecture, steps=4, every_step=False), weights)
    given, _ = token_probabilities(text_graph(architecture, weights, window=4), ids, None)
    np.testing.assert_allclose(given, network(ids.astype(np.int32)), atol=1e-5)
    np.testing.assert_allclose(given.sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize(("cell", "activation"), list(itertools.product(CELLS, ACTIVATIONS)))
def test_a_stream_read_in_pieces_of_unlike_length_equals_keras_on_the_whole(
    cell: Cell, activation: Activation
) -> None:
    architecture = form(cell, activation, inputs=7, outputs=7, tokens=True, embedding=3)
    weights = random_weights(architecture)
    ids = np.random.default_rng(1).integers(0, 7, (2, 9))
    session = session_of(text_graph(architecture, weights, window=None))
    names = [output.name for output in session.get_outputs()]
    # The first text is 3 tokens long, the second 5. They share a run in which the first is padded.
    first = {
        "tokens": np.array([[*ids[0, :3], 0, 0], ids[1, :5]]),
        "lengths": np.array([3, 5], np.int32),
        **zero_states(architecture.states(), 2),
    }
    answer = dict(zip(names, session.run(None, first), strict=True))
    states = {name: answer[f"{name}_out"] for name, _ in architecture.states()}
    second = {
        "tokens": np.array([ids[0, 3:7], [*ids[1, 5:8], 0]]),
        "lengths": np.array([4, 3], np.int32),
        **states,
    }
    last = session.run(["probabilities"], second)[0]
    network = build_network(architecture, steps=None, every_step=True)
    expected = with_weights(network, weights)(ids.astype(np.int32)).numpy()
    np.testing.assert_allclose(answer["probabilities"][0], expected[0, 2], atol=1e-5)
    np.testing.assert_allclose(answer["probabilities"][1], expected[1, 4], atol=1e-5)
    np.testing.assert_allclose(last[0], expected[0, 6], atol=1e-5)
    np.testing.assert_allclose(last[1], expected[1, 7], atol=1e-5)


def test_the_judging_form_of_a_stream_gives_every_step() -> None:
    architecture = form("lstm", inputs=7, outputs=7, tokens=True)
    weights = random_weights(architecture)
    ids = np.random.default_rng(1).integers(0, 7, (1, 6))
    graph = text_graph(architecture, weights, window=None, every_step=True)
    given, _ = token_probabilities(graph, ids, zero_states(architecture.states(), 1))
    network = with_weights(build_network(architecture, steps=6, every_step=True), weights)
    np.testing.assert_allclose(given, network(ids.astype(np.int32)), atol=1e-5)


def test_equal_weights_give_equal_bytes() -> None:
    architecture = form("lstm")
    first, again = (
        graph_of(architecture, random_weights(architecture), "window", ANCHORS[3]) for _ in range(2)
    )
    assert first == again


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("fill", [0.0, 5.0, -1e300, 1.7e308])
def test_a_constant_or_huge_window_gives_a_finite_forecast(scaling: str, fill: float) -> None:
    architecture = form("lstm")
    graph = graph_of(architecture, random_weights(architecture), scaling, ANCHORS[3])
    constant = np.full((1, WINDOW, 2), fill)
    jumping = constant * np.where(np.arange(WINDOW) % 2, 1.0, -1.0)[:, None]
    assert np.isfinite(forecasts(graph, np.concatenate([constant, jumping]))).all()


def test_small_changes_at_a_high_level_are_seen() -> None:
    # In single precision, 1,000,000.01 - 1,000,000.00 is 0, and both windows would look alike.
    architecture = form("lstm")
    graph = graph_of(architecture, random_weights(architecture), "window", ANCHORS[2])
    steps = np.array([0.0, 0.01, 0.03, 0.02, 0.05])
    windows = np.stack([np.stack([steps, steps], axis=1), np.stack([steps, -steps], axis=1)])
    low, high = forecasts(graph, windows), forecasts(graph, 1e6 + windows)
    np.testing.assert_allclose(high - 1e6, low, atol=1e-7)
    assert abs(low[0] - low[1]).max() > 1e-3


def test_a_window_of_zeros_is_scaled_as_numpy_does_it() -> None:
    architecture = form("rnn")
    graph = graph_of(architecture, random_weights(architecture), "window", ANCHORS[0])
    assert (np.abs(forecasts(graph, np.zeros((1, WINDOW, 2)))) < 1e-290).all()


def test_a_window_whose_values_differ_by_rounding_is_scaled_by_the_floor() -> None:
    # 0.1 + 0.2 and 0.3 are adjacent doubles. Scaled by their own spread, they would look like a
    # series with large changes.
    architecture = form("rnn")
    weights = random_weights(architecture)
    window = np.full((1, WINDOW, 2), 0.3)
    window[:, ::2] = 0.1 + 0.2
    floor = 2.0**-40 * window.max()
    network = with_weights(build_network(architecture, steps=WINDOW, every_step=False), weights)
    scaled = (window - window[:, -1:]) / floor
    assert np.abs(scaled).max() < 1e-3
    added = floor * np.asarray(network(scaled.astype(np.float32)).numpy(), dtype=np.float64)
    assert np.abs(added).min() > 1e-15  # several times the spacing of doubles at 0.3
    given = forecasts(graph_of(architecture, weights, "window", None), window)
    np.testing.assert_allclose(given - window[:, -1, 1], added, rtol=0.01)
