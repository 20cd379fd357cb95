"""Run an artifact's graph, so that judging uses exactly what will be served."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from app.artifact.files import (
    FORECAST,
    FUTURE,
    HISTORY,
    INTERVALS,
    LENGTHS,
    LEVELS,
    SERIES,
    TOKENS,
    UNIVERSAL_FORECAST,
)

Floats = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]
States = dict[str, npt.NDArray[np.float32]]
WINDOWS_AT_ONCE = 1024
# With `universal` in the graph, more windows at once take no less time, but much memory.
WITH_UNIVERSAL_AT_ONCE = 16
MOST_BOUNDS = 30_000_000  # of a long horizon, only the first steps get intervals


@lru_cache(maxsize=4)
def session_of(graph: bytes) -> onnxruntime.InferenceSession:
    """Load the graph with one thread, so that sums are always added in the same order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def forecasts(
    graph: bytes,
    history: Floats,
    *,
    numbers: Ids | None = None,
    future: Floats | None = None,
    output: str = FORECAST,
    check: Callable[[], None] = lambda: None,
) -> Floats:
    """Compute the forecasts of a series graph.

    Args:
        graph: the ONNX file.
        history: (n, window, features), raw values.
        numbers: (n,), the number by which the graph knows each window's series; None for 0, any
            other series.
        future: (n, horizon, known), for a graph with columns known ahead.
        output: the forecast itself or another of this shape.
        check: called between runs; may raise to stop.

    Returns:
        (n, horizon), raw values.

    Raises:
        ValueError: there are no windows.
    """
    session = session_of(graph)
    parts: list[Floats] = []
    for rows in _runs(session, len(history)):
        parts += session.run([output], _fed(session, history, numbers, future, rows))
        check()
    return np.concatenate(parts)


def forecasts_with_intervals(
    graph: bytes,
    history: Floats,
    levels: Sequence[int],
    *,
    numbers: Ids | None = None,
    future: Floats | None = None,
    check: Callable[[], None],
) -> tuple[Floats, Floats | None]:
    """Compute the forecasts of a series graph, and its intervals if it has any.

    Args:
        graph: the ONNX file.
        history: (n, window, features), raw values.
        levels: whole numbers from 50 to 99.
        numbers: (n,), the number by which the graph knows each window's series; None for 0, any
            other series.
        future: (n, horizon, known), for a graph with columns known ahead.
        check: called between runs; may raise to stop.

    Returns:
        Forecasts (n, horizon) and bounds (n, steps, levels, 2), low and high, of the first steps.

    Raises:
        ValueError: there are no windows.
    """
    session = session_of(graph)
    if INTERVALS not in {output.name for output in session.get_outputs()}:
        return forecasts(graph, history, numbers=numbers, future=future, check=check), None
    asked = np.array(levels, np.int64)
    steps = max(1, MOST_BOUNDS // (2 * len(asked) * len(history) or 1))
    given: list[Floats] = []
    bounds: list[Floats] = []
    for rows in _runs(session, len(history)):
        fed = {**_fed(session, history, numbers, future, rows), LEVELS: asked}
        ahead, around = session.run([FORECAST, INTERVALS], fed)
        given.append(ahead)
        bounds.append(around[:, :steps])
        check()
    return np.concatenate(given), np.concatenate(bounds)


def _runs(session: onnxruntime.InferenceSession, count: int) -> list[slice]:
    """Return the windows of each run."""
    is_slow = UNIVERSAL_FORECAST in {each.name for each in session.get_outputs()}
    most = WITH_UNIVERSAL_AT_ONCE if is_slow else WINDOWS_AT_ONCE
    return [slice(start, start + most) for start in range(0, count, most)]


def _fed(
    session: onnxruntime.InferenceSession,
    history: Floats,
    numbers: Ids | None,
    future: Floats | None,
    rows: slice,
) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of one run; numbers only for a graph that tells series apart."""
    fed: dict[str, npt.NDArray[Any]] = {HISTORY: np.ascontiguousarray(history[rows])}
    has_numbers = any(each.name == SERIES for each in session.get_overridable_initializers())
    if has_numbers and numbers is not None:
        fed[SERIES] = np.ascontiguousarray(numbers[rows], dtype=np.int64)
    if future is not None and any(each.name == FUTURE for each in session.get_inputs()):
        fed[FUTURE] = np.ascontiguousarray(future[rows])
    return fed


def zero_states(states: Sequence[tuple[str, int]], batch: int) -> States:
    """Return zero states, (1, batch, units) each, by name."""
    return {name: np.zeros((1, batch, units), np.float32) for name, units in states}


def token_probabilities(
    graph: bytes, tokens: npt.NDArray[np.int64], states: States | None
) -> tuple[npt.NDArray[np.float32], States]:
    """Compute a text graph's probabilities and, for a stream, the states after the tokens.

    Args:
        graph: the ONNX file.
        tokens: (batch, steps), ids.
        states: of a stream, by name; None for a graph that reads windows.
    """
    session = session_of(graph)
    feed: dict[str, npt.NDArray[Any]] = {TOKENS: tokens}
    if states is not None:
        feed[LENGTHS] = np.full(len(tokens), tokens.shape[1], np.int32)
        feed |= states
    probabilities, *ends = session.run(None, feed)
    return probabilities, dict(zip(states or {}, ends, strict=True))
