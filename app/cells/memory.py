"""How far back a network's memory reaches: the gradient, step by step back through time.

The gradient of an output by the state k steps before is a product of k Jacobians (the chapter:
∂h_t/∂h_{t-1}, repeated). If they shrink, it vanishes, and the distant past teaches nothing. If they
grow, it explodes (Bengio, Simard & Frasconi 1994).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cells.network import Network

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]

# Below this share of the last step's gradient, a step does not reach the output.
NEGLIGIBLE = 0.01


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How a layer's gradient changes back through time."""

    norms: Floats  # (steps,), mean over the windows; index 0 is the last step
    half_life: int | None  # steps back from which it stays below half; None: none
    reached: int  # number of the last steps with a gradient that is not negligible


def reach(network: Network, inputs: Floats | Ids, d_outputs: Floats) -> tuple[Reach, ...]:
    """Return the reach of each layer, from the input up.

    It is measured on everything that a layer remembers: the norm of the gradient by hidden and cell
    state.

    Args:
        network: to measure.
        inputs: (batch, steps, inputs) or ids (batch, steps), real windows.
        d_outputs: (batch, outputs), gradient of the measured quantity by the output after the last
            step: ones for a forecast, the gradient of the cross-entropy for a text.
    """
    trace = network.forward(inputs, every_step=False)
    found = []
    for layer in network.backward(trace, d_outputs).layers:
        states = np.stack(list(layer.states.values()))  # (states, batch, steps, units)
        by_step = np.sqrt((states**2).sum(axis=(0, 3))).mean(axis=0)  # (steps,)
        found.append(_reach(by_step[::-1]))
    return tuple(found)


def _reach(norms: Floats) -> Reach:
    if not norms.any():  # an output layer of zeros: nothing flows back
        return Reach(norms=norms, half_life=None, reached=0)
    half = _stays_below(norms, 0.5 * norms[0])
    return Reach(
        norms=norms,
        half_life=half if half < len(norms) else None,
        reached=_stays_below(norms, NEGLIGIBLE * norms[0]),
    )


def _stays_below(norms: Floats, limit: float) -> int:
    """Return the first step after which all norms are below the limit, or their number."""
    above = np.flatnonzero(norms >= limit)
    return int(above[-1]) + 1 if len(above) else 0
