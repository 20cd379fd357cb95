"""Compare a graph that contains `universal` with the shipped graph and with the anchor."""

import numpy as np

from app.artifact.files import UNIVERSAL_FORECAST
from app.artifact.onnx_session import forecasts
from app.forecasting.anchors import Anchor, Scale
from app.forecasting.linear_maps import LinearMap
from app.judging.universal_baseline import shipped_universal
from app.training.export.anchor_graph import UniversalPart
from app.training.export.graph import series_graph
from tests.training.test_recurrence import form, random_weights

WINDOW, HORIZON = 30, 2
CHANCE = np.random.default_rng(8)
SEASON = 20 * np.sin(2 * np.pi * np.arange(WINDOW) / 6)
TARGET = 300 + SEASON + CHANCE.normal(0.0, 5.0, (9, WINDOW)).cumsum(axis=1)
HISTORY = np.stack([CHANCE.normal(size=TARGET.shape), TARGET], axis=2)  # (n, window, features)
FUTURE = CHANCE.normal(size=(9, HORIZON, 1))
PERIODS = (6, 0)


def shipped_forecasts(windows: np.ndarray) -> np.ndarray:
    """Return what the shipped graph forecasts by itself."""
    universal = shipped_universal()
    context = np.full((len(windows), universal.window), np.nan)
    context[:, -WINDOW:] = windows
    told = np.array([PERIODS] * len(windows), np.int64)
    return universal.forecasts(context, told, horizon=HORIZON)


def anchor_of(scales: list[Scale], *, effect: float = 0.0) -> Anchor:
    maps = [
        LinearMap(weights=CHANCE.normal(0.0, 0.05, (WINDOW, HORIZON)), intercept=np.zeros(HORIZON))
        for _ in scales
    ]
    shares = [0.25 * (number + 1) for number in range(len(scales))]
    effects = [np.array([effect])] * len(scales) if effect else None
    return Anchor.of_maps(maps, scales, name="average", effects=effects, universal=shares)


def graph_of(anchor: Anchor) -> bytes:
    """Return a graph whose network adds nothing to its anchor."""
    architecture = form("lstm")
    weights = {**random_weights(architecture)}
    for name in ("output.kernel", "output.bias"):
        weights[name] = np.zeros_like(weights[name])
    return series_graph(
        architecture,
        weights,
        window=WINDOW,
        scaling=None,
        target=1,
        target_scaling=None,
        anchor=anchor,
        known=(0,) if anchor.known else (),
        universal=UniversalPart(graph=shipped_universal().graph, periods=PERIODS),
    )


def test_the_graph_of_a_version_mixes_what_the_shipped_one_forecasts() -> None:
    shipped = shipped_forecasts(TARGET)
    for scale in (Scale(), Scale(log=True, floor=1.0)):
        anchor = anchor_of([scale])
        graph = graph_of(anchor)
        part = forecasts(graph, HISTORY, output=UNIVERSAL_FORECAST)
        np.testing.assert_allclose(part, shipped, rtol=1e-4)
        affine = np.array(
            [
                scale.into(window[-1]) + (scale.into(window) - scale.into(window[-1])) @ weights
                for window, weights in zip(TARGET, [anchor.weights[0]] * len(TARGET), strict=True)
            ]
        )
        level = anchor.level[0] * scale.into(TARGET[:, -1:])
        expected = scale.out_of(0.75 * (affine + level) + 0.25 * scale.into(part))
        np.testing.assert_allclose(forecasts(graph, HISTORY), expected, rtol=1e-9)
        np.testing.assert_allclose(anchor.forecasts(TARGET, universal=part), expected, rtol=1e-9)


def test_universal_reads_the_series_without_the_effects_of_known_columns() -> None:
    anchor = anchor_of([Scale()], effect=50.0)
    graph = graph_of(anchor)
    part = forecasts(graph, HISTORY, future=FUTURE, output=UNIVERSAL_FORECAST)
    np.testing.assert_allclose(part, shipped_forecasts(TARGET - 50 * HISTORY[:, :, 0]), rtol=1e-4)
    known = HISTORY[:, :, :1]
    plain = anchor.without_effects(TARGET, None, known)
    np.testing.assert_allclose(plain, TARGET - 50 * HISTORY[:, :, 0])
    np.testing.assert_allclose(
        forecasts(graph, HISTORY, future=FUTURE),
        anchor.forecasts(TARGET, columns=known, future=FUTURE, universal=part),
        rtol=1e-9,
    )


def test_each_series_gives_universal_its_own_share() -> None:
    anchor = anchor_of([Scale(), Scale(log=True, floor=1.0), Scale()])
    graph = graph_of(anchor)
    numbers = np.arange(9) % 3
    part = forecasts(graph, HISTORY, numbers=numbers, output=UNIVERSAL_FORECAST)
    np.testing.assert_allclose(
        forecasts(graph, HISTORY, numbers=numbers),
        anchor.forecasts(TARGET, numbers, universal=part),
        rtol=1e-5,  # a weight of a table has single precision
    )
    restored = Anchor.of_arrays(anchor.arrays(), name="average", season=None)
    np.testing.assert_array_equal(restored.universal, [0.25, 0.5, 0.75])
