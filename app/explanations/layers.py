"""The gates and states of a run, reduced to what a page can draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.cells.layer import LayerTrace
from app.explanations.schemas import OpenedLayer

Floats = NDArray[np.float64]

# Gates are between 0 and 1; nobody sees more digits.
DECIMALS = 6


def opened_layers(traces: Sequence[LayerTrace], *, steps: int, units: int) -> list[OpenedLayer]:
    """Return each layer's last steps and the units that change most.

    Args:
        traces: of one example, from the input up.
        steps: number of the newest steps.
        units: maximum number of units per layer.
    """
    return [_opened(number, trace, steps=steps, units=units) for number, trace in enumerate(traces)]


def _opened(number: int, trace: LayerTrace, *, steps: int, units: int) -> OpenedLayer:
    hidden = trace.states["hidden"][0, -steps - 1 :]  # (steps + 1, units)
    # How far each unit's state travels over these steps, (units,).
    travelled = np.abs(np.diff(hidden, axis=0)).sum(axis=0)
    liveliest = np.sort(np.argsort(-travelled, kind="stable")[:units])
    return OpenedLayer(
        layer=number,
        size=hidden.shape[1],
        units=liveliest.tolist(),
        gates={name: _grid(gate[0, -steps:, liveliest].T) for name, gate in trace.gates.items()},
        states={
            name: _grid(state[0, -steps:, liveliest].T) for name, state in trace.states.items()
        },
        before={
            name: _grid(state[0, -steps - 1, liveliest]) for name, state in trace.states.items()
        },
    )


def _grid(values: Floats) -> Any:  # noqa: ANN401 - numbers, or lists of them, as deep as given
    return np.round(values, DECIMALS).tolist()
