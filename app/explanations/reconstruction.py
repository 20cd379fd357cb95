"""A series version without its graph: the scaled window, and what the network's output stands for.

The same arithmetic as the artifact's ONNX file, from manifest and weights alone:

    forecast = anchor + scale · network(scaled window), raised to the least where it is lower
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.artifact.manifest import Manifest, SeriesInput
from app.errors import Conflict
from app.explanations.anchors import target_index
from app.forecasting.anchors import LARGEST_VALUE, Anchor
from app.forecasting.scaling import Affine, WindowScaling
from app.recipes.recipe import SeriesRecipe

Floats = NDArray[np.float64]

# As in the graph: finite inputs stay finite.
LARGEST_SCALED = 1e9


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """What an output of 0 stands for, in the target's unit."""

    name: str
    start: Floats  # (horizon,), what it would be if the last value had stood all through the window
    shares: Floats  # (window, horizon), what each step's distance from the last value adds

    @property
    def forecast(self) -> Floats:
        """(horizon,)."""
        whole: Floats = self.start + self.shares.sum(axis=0)
        return whole

    @classmethod
    def fixed(cls, name: str, value: float, *, window: int, horizon: int) -> "Anchored":
        """Return the same for every step, and by no other step of the window."""
        return cls(name=name, start=np.full(horizon, value), shares=np.zeros((window, horizon)))


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A window made ready for the network."""

    scaled: Floats  # (window, features), what the network sees
    anchored: Anchored
    scale: float  # what an output of 1 adds to it
    at_least: float | None = None  # no forecast is lower

    def forecast(self, outputs: Floats) -> Floats:
        """Outputs (horizon,) in the target's unit."""
        result = self.added(outputs)
        return result if self.at_least is None else np.maximum(result, self.at_least)

    def added(self, outputs: Floats) -> Floats:
        """Return the same, before any of it is raised."""
        result: Floats = self.anchored.forecast + self.scale * outputs
        return result


def prepare(window: Floats, manifest: Manifest, anchor: Anchor | None) -> Prepared:
    """Return a raw window (window, features) as its version sees it.

    Raises:
        Conflict: the version's manifest does not say how it was scaled.
    """
    recipe, described = manifest.recipe, manifest.series
    if not isinstance(recipe, SeriesRecipe) or described is None:
        raise TypeError("no series version")
    horizon = manifest.horizon
    values = np.clip(window, -LARGEST_VALUE, LARGEST_VALUE)
    anchored = None if anchor is None else _anchored(values[:, target_index(described)], anchor)
    if recipe.scaling == "window":
        own, index = WindowScaling.of(values[None]), target_index(described)
        # Scaled by itself, a window is centred on its last value: that is persistence in any case.
        last = float(own.center[0, 0, index])
        return Prepared(
            scaled=own.transform(values[None])[0],  # (window, features)
            anchored=anchored
            or Anchored.fixed("persistence", last, window=len(window), horizon=horizon),
            scale=float(own.scale[0, 0, index]),
            at_least=described.at_least,
        )
    features, target = _measured(recipe, described)
    center = float(target.center[0])
    return Prepared(
        scaled=np.clip(features.transform(window), -LARGEST_SCALED, LARGEST_SCALED),
        anchored=anchored or Anchored.fixed("none", center, window=len(window), horizon=horizon),
        scale=float(target.scale[0]),
        at_least=described.at_least,
    )


def _anchored(values: Floats, anchor: Anchor) -> Anchored:
    """Return the anchor taken apart on the target's window (window,)."""
    return Anchored(
        name=anchor.name,
        start=anchor.start(values[None, -1:])[0],
        shares=(values - values[-1])[:, None] * anchor.weights,
    )


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
