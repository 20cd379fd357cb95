"""Limits on the size of an explanation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.cells.influence import DEFAULT_POINTS, Explained, Influence, integrated_gradients
from app.cells.network import Network
from app.errors import Unprocessable

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]

# Multiplications of one explanation: a few seconds on one core.
MOST_WORK = 2e10
# If 32 points leave a gap (large weights, relu), more points reduce it from a thousandth to almost
# nothing.
MOST_POINTS = 128
# Gap, relative to the explained change, above which more points are used.
LARGEST_GAP = 1e-5
# With fewer points, the integral is too rough to be shown.
FEWEST_POINTS = 8
# Once forward, and about twice that backward.
PASSES = 3
# Numbers in the gates and states of an answer: about 2 MB of JSON.
MOST_NUMBERS = 200_000


def influence_of(
    network: Network,
    inputs: Floats | Ids,
    explained: Explained,
    *,
    initial: Sequence[Floats] | None = None,
    field: str,
) -> Influence:
    """Compute integrated gradients, with as many points as are needed and affordable.

    Args:
        network: to explain.
        inputs: (steps, inputs), or ids (steps,).
        explained: selects the output.
        initial: states before the first step, (1, units) each; zero if None.
        field: of the request, for errors.

    Raises:
        Unprocessable: so few points are affordable that the result would be too rough.
    """
    most = points_for(network, len(inputs), field=field)
    found = integrated_gradients(
        network, inputs, explained, initial=initial, points=min(DEFAULT_POINTS, most)
    )
    if most > DEFAULT_POINTS and abs(found.gap) > LARGEST_GAP * abs(found.output - found.baseline):
        return integrated_gradients(network, inputs, explained, initial=initial, points=most)
    return found


def points_for(network: Network, steps: int, *, field: str) -> int:
    """Return how many points of the path are affordable over so many steps.

    Raises:
        Unprocessable: too few; the error names `field`.
    """
    work = PASSES * steps * work_per_step(network)
    points = min(MOST_POINTS, int(MOST_WORK / work))
    if points < FEWEST_POINTS:
        possible = int(MOST_WORK / (FEWEST_POINTS * PASSES * work_per_step(network)))
        raise Unprocessable.at(
            field,
            f"the influence of {steps} steps on a network of this size takes too long; at most "
            f"{possible} can be explained",
        )
    return points


def work_per_step(network: Network) -> int:
    """Return the number of multiplications of one step forward."""
    return sum(layer.kernel.size + layer.recurrent.size for layer in network.layers)


def check_size(network: Network, *, steps: int, units: int) -> None:
    """Check that an answer can hold so many steps and units.

    Raises:
        Unprocessable: it would have more than `MOST_NUMBERS`.
    """
    numbers = 0
    for layer in network.layers:
        rows = len(layer.zero_states(0)) + layer.kernel.shape[1] // layer.units
        numbers += steps * min(units, layer.units) * rows
    if numbers > MOST_NUMBERS:
        raise Unprocessable.at(
            "units",
            f"{units} units over {steps} steps make {numbers:,} numbers, but at most "
            f"{MOST_NUMBERS:,} are shown; ask for fewer units or steps",
        )
