"""A series version without its graph: the scaled window, and what the network's output stands for.

The same arithmetic as the artifact's ONNX file, from manifest and weights alone:

    forecast = anchor + scale · network(scaled window)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import Conflict
from app.explanations.anchors import ANCHORS, target_index
from app.forecasting.scaling import Affine, WindowScaling
from app.recipes import SeriesRecipe
from app.registry.artifacts import Manifest, SeriesInput

Floats = NDArray[np.float64]

# As in the graph: finite inputs stay finite.
LARGEST_VALUE = 1e300
LARGEST_SCALED = 1e9


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A window made ready for the network."""

    scaled: Floats  # (window, features), what the network sees
    anchor_name: str
    anchor: Floats  # (horizon,), what an output of 0 stands for, in the target's unit
    scale: float  # what an output of 1 adds to it

    def forecast(self, outputs: Floats) -> Floats:
        """Outputs (horizon,) in the target's unit."""
        result: Floats = self.anchor + self.scale * outputs
        return result


def prepare(window: Floats, manifest: Manifest) -> Prepared:
    """A raw window (window, features) as its version sees it.

    Raises:
        Conflict: the version's manifest does not say how it was scaled.
    """
    recipe, described = manifest.recipe, manifest.series
    if not isinstance(recipe, SeriesRecipe) or described is None:
        raise TypeError("no series version")
    if recipe.scaling == "window":
        return _by_window(window, manifest, recipe, described)
    features, target = _measured(recipe, described)
    return Prepared(
        scaled=np.clip(features.transform(window), -LARGEST_SCALED, LARGEST_SCALED),
        anchor_name=recipe.anchor,
        anchor=_anchor(window, manifest, recipe, described, without=float(target.center[0])),
        scale=float(target.scale[0]),
    )


def _by_window(
    window: Floats, manifest: Manifest, recipe: SeriesRecipe, described: SeriesInput
) -> Prepared:
    values = np.clip(window, -LARGEST_VALUE, LARGEST_VALUE)
    scaling, index = WindowScaling.of(values[None]), target_index(described)
    last = float(scaling.center[0, 0, index])
    return Prepared(
        scaled=scaling.transform(values[None])[0],  # (window, features)
        # Scaled by itself, a window is centred on its last value: that is persistence in any case.
        anchor_name="persistence" if recipe.anchor == "none" else recipe.anchor,
        anchor=_anchor(values, manifest, recipe, described, without=last),
        scale=float(scaling.scale[0, 0, index]),
    )


def _anchor(
    window: Floats,
    manifest: Manifest,
    recipe: SeriesRecipe,
    described: SeriesInput,
    *,
    without: float,
) -> Floats:
    if recipe.anchor == "none":
        return np.full(manifest.horizon, without)
    if recipe.anchor not in ANCHORS:
        raise Conflict(f"versions anchored on {recipe.anchor} cannot be opened up yet")
    return ANCHORS[recipe.anchor](window, manifest, described)


def _measured(recipe: SeriesRecipe, described: SeriesInput) -> tuple[Affine, Affine]:
    """Scaling of features and target, as measured on the training rows."""
    if described.scaling is not None:
        measured = described.scaling
        features = Affine(center=np.array(measured.center), scale=np.array(measured.scale))
        target = Affine(
            center=np.array([measured.target_center]), scale=np.array([measured.target_scale])
        )
        return features, target
    if recipe.scaling != "minmax":
        raise Conflict(
            "this version's manifest does not say what its training rows were scaled with; "
            "train it again to open it up"
        )
    ends = [[feature.low, feature.high] for feature in described.features]
    features = Affine.minmax(np.array(ends).T)  # of (2, features)
    return features, features.column(target_index(described))
