"""How much of a network can be opened up at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.cells.influence import DEFAULT_POINTS, Explained, Influence, integrated_gradients
from app.cells.network import Network
from app.errors import Unprocessable

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]

# Multiplications of one explanation; a few seconds on one core.
MOST_WORK = 2e10
# Where 32 points leave a gap (large weights, relu): there it fell from a thousandth to hardly any.
MOST_POINTS = 128
# Share of the change explained above which more points are worth their time.
LARGEST_GAP = 1e-5
# Below these, the integral is too rough to be shown.
FEWEST_POINTS = 8
# Forward once, backward about twice that.
PASSES = 3
# Numbers in the gates and states of an answer; some 2 MB of JSON.
MOST_NUMBERS = 200_000


def influence_of(
    network: Network,
    inputs: Floats | Ids,
    explained: Explained,
    *,
    initial: Sequence[Floats] | None = None,
    field: str,
) -> Influence:
    """Integrated gradients with as many points as are needed and can be afforded.

    Args:
        network: what is explained.
        inputs: (steps, inputs), or ids (steps,).
        explained: which output.
        initial: states before the first step, (1, units) each; zero if None.
        field: of the request, to be named where it is too much.

    Raises:
        Unprocessable: too few points to be worth showing can be afforded.
    """
    most = points_for(network, len(inputs), field=field)
    found = integrated_gradients(
        network, inputs, explained, initial=initial, points=min(DEFAULT_POINTS, most)
    )
    if most > DEFAULT_POINTS and abs(found.gap) > LARGEST_GAP * abs(found.output - found.baseline):
        return integrated_gradients(network, inputs, explained, initial=initial, points=most)
    return found


def points_for(network: Network, steps: int, *, field: str) -> int:
    """Return how many points of the path can be afforded over so many steps.

    Raises:
        Unprocessable: too few to be worth showing; `field` is named.
    """
    work = PASSES * steps * work_per_step(network)
    points = min(MOST_POINTS, int(MOST_WORK / work))
    if points < FEWEST_POINTS:
        possible = int(MOST_WORK / (FEWEST_POINTS * PASSES * work_per_step(network)))
        raise Unprocessable.at(
            field,
            f"the influence of {steps} steps on a network of this size takes too long; "
            f"at most {possible} can be explained",
        )
    return points


def work_per_step(network: Network) -> int:
    """Multiplications of one step forward."""
    return sum(layer.kernel.size + layer.recurrent.size for layer in network.layers)


def check_size(network: Network, *, steps: int, units: int) -> None:
    """Whether an answer can hold so many steps and units.

    Raises:
        Unprocessable: more than `MOST_NUMBERS`.
    """
    numbers = 0
    for layer in network.layers:
        rows = len(layer.zero_states(0)) + layer.kernel.shape[1] // layer.units
        numbers += steps * min(units, layer.units) * rows
    if numbers > MOST_NUMBERS:
        raise Unprocessable.at(
            "units",
            f"{units} units over {steps} steps make {numbers:,} numbers; at most "
            f"{MOST_NUMBERS:,} are shown: ask for fewer units or steps",
        )
