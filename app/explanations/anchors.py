"""What the network's output is added to, told apart from the network.

One function for each anchor of a recipe: from the window that a version sees to what it would
forecast without its network. A new anchor is a function here and its name in `ANCHORS`.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from app.registry.artifacts import Manifest, SeriesInput

Floats = NDArray[np.float64]

# The raw window (window, features), its version's manifest and description: to (horizon,), in the
# target's unit.
Anchor = Callable[[Floats, Manifest, SeriesInput], Floats]


def persistence(window: Floats, manifest: Manifest, described: SeriesInput) -> Floats:
    """The target's last value."""
    return np.full(manifest.horizon, window[-1, target_index(described)])


ANCHORS: Mapping[str, Anchor] = {"persistence": persistence}


def target_index(described: SeriesInput) -> int:
    """The target's place among the features.

    Raises:
        ValueError: it is none of them.
    """
    return [feature.name for feature in described.features].index(described.target)
