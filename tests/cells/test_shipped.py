"""Compute the shipped recurrent networks with `app.cells`, and compare with their ONNX graphs.

`universal` is more than layers of cells; tests/training/universal compares it.
"""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from app.artifact.files import (
    FORECAST,
    HISTORY,
    LENGTHS,
    MODEL,
    PROBABILITIES,
    TOKENS,
    WEIGHTS,
    read_artifact,
)
from app.artifact.manifest import Manifest, SeriesInput, TextInput
from app.cells.losses import softmax
from app.cells.network import Network
from app.config import shipped_dir
from app.forecasting.scaling import Affine, WindowScaling
from app.recipes.recipe import SeriesRecipe
from app.registry.references import UNIVERSAL

FOLDERS = sorted(
    path.parent
    for path in shipped_dir("models").glob("*/*/manifest.json")
    if path.parts[-3] != UNIVERSAL
)


def names(folder: Path) -> str:
    return f"{folder.parent.name}@{folder.name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=names)
def test_equals_the_graph_it_is_served_with(folder: Path) -> None:
    manifest, _ = read_artifact(folder)
    network = Network.from_weights(
        load_file(folder / WEIGHTS),
        cell=manifest.recipe.cell,
        activation=manifest.recipe.activation,
    )
    session = ort.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
    if manifest.series is not None:
        check_series(network, session, manifest, manifest.series)
    else:
        assert manifest.text is not None
        check_text(network, session, manifest, manifest.text)


def test_there_are_shipped_versions() -> None:
    assert len(FOLDERS) >= 3


def check_series(
    network: Network, session: ort.InferenceSession, manifest: Manifest, series: SeriesInput
) -> None:
    assert isinstance(manifest.recipe, SeriesRecipe)
    assert manifest.window is not None
    low = np.array([feature.low for feature in series.features])
    high = np.array([feature.high for feature in series.features])
    shape = (20, manifest.window, len(low))
    history = np.random.default_rng(0).uniform(low, high, shape)  # (batch, window, features)
    target = [feature.name for feature in series.features].index(series.target)
    expected = forecast(network, manifest.recipe, history, target=target, low=low, high=high)
    given = session.run([FORECAST], {HISTORY: history})[0]
    assert np.abs(given - expected).max() < 1e-4 * (high - low)[target]


def forecast(
    network: Network,
    recipe: SeriesRecipe,
    history: NDArray[np.float64],
    *,
    target: int,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Forecast raw values from raw values, (batch, horizon)."""
    if recipe.scaling == "window":
        by_window = WindowScaling.of(history)
        outputs = network.forward(by_window.transform(history), every_step=False).outputs
        return by_window.inverse(outputs, feature=target)
    assert recipe.scaling == "minmax"  # no other is shipped
    scaling = Affine.minmax(np.stack((low, high)))
    outputs = network.forward(scaling.transform(history), every_step=False).outputs
    if recipe.anchor == "persistence":
        last = history[:, -1, target, None]  # (batch, 1)
        anchored: NDArray[np.float64] = last + outputs * scaling.scale[target]
        return anchored
    return scaling.column(target).inverse(outputs)


def check_text(
    network: Network, session: ort.InferenceSession, manifest: Manifest, text: TextInput
) -> None:
    size = len(text.vocabulary)
    ids = np.random.default_rng(0).integers(0, size, (20, manifest.window or 12))
    inputs = {TOKENS: ids}
    if text.reading == "stream":
        inputs[LENGTHS] = np.full(20, ids.shape[1], dtype=np.int32)
        for state in text.states:
            inputs[state.name] = np.zeros((1, 20, state.units), dtype=np.float32)
    outputs = [PROBABILITIES, *(f"{state.name}_out" for state in text.states)]
    given, *states = session.run(outputs, inputs)
    trace = network.forward(ids, every_step=False)
    np.testing.assert_allclose(softmax(trace.outputs), given, atol=1e-5)
    for mine, state in zip(trace.final, states, strict=False):
        np.testing.assert_allclose(mine, state[0], atol=1e-5)
