"""How far back a network's memory reaches: the gradient, step by step back through time.

The gradient of an output by the state k steps before is a product of k Jacobians (the chapter:
∂h_t/∂h_{t-1} again and again). If they shrink it vanishes and the far past teaches nothing; if they
grow it explodes (Bengio, Simard & Frasconi 1994).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.cells.network import Network

Floats = NDArray[np.float64]
Ids = NDArray[np.integer]

# A gradient below this share of the last step's does not reach the output.
NEGLIGIBLE = 0.01


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How a layer's gradient changes back through time."""

    norms: Floats  # (steps,), mean over the windows; 0: the last step, then further back
    half_life: int | None  # steps back from which it stays below half; None: not in the window
    reached: int  # how many of the last steps have a gradient that is not negligible


def reach(network: Network, inputs: Floats | Ids, d_outputs: Floats) -> tuple[Reach, ...]:
    """Return the reach of each layer, from the input up.

    Measured on all that a layer remembers: the norm of the gradient by hidden and cell state.

    Args:
        network: what is measured.
        inputs: (batch, steps, inputs) or ids (batch, steps), real windows.
        d_outputs: (batch, outputs), gradient of what is measured by the output after the last
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
    if not norms.any():  # an output layer of zeros: nothing flows back at all
        return Reach(norms=norms, half_life=None, reached=0)
    half = _stays_below(norms, 0.5 * norms[0])
    return Reach(
        norms=norms,
        half_life=half if half < len(norms) else None,
        reached=_stays_below(norms, NEGLIGIBLE * norms[0]),
    )


def _stays_below(norms: Floats, limit: float) -> int:
    """The first step back from which all further ones are below the limit; their number if none."""
    above = np.flatnonzero(norms >= limit)
    return int(above[-1]) + 1 if len(above) else 0
