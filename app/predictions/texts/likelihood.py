"""Measure how well a version expected the text that really followed a prompt."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.artifact.files import PROBABILITIES, TOKENS
from app.language.mixture import NGRAM_PROBABILITIES
from app.predictions.loaded import Arrays, Loaded
from app.predictions.texts.generation import Ids, piece_tokens, states_of, step

# A probability may underflow to 0; the scorecard takes the same in its place.
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """How well the tokens of a text were expected, each after those before it."""

    tokens: int
    correct: int  # those that were the most probable one; the unknown symbol never is
    nats: float  # the sum of -ln(probability)
    ngram_nats: float | None  # of the n-gram in the version's graph; None: it has none


def likelihood(version: Loaded, prompt: Ids, following: Ids) -> Likelihood:
    """Measure the tokens that followed a prompt.

    Args:
        version: if its graph puts out `NGRAM_PROBABILITIES`, the n-gram is measured, too.
        prompt: (tokens,), at least as many as the version needs.
        following: (tokens,), at least one.

    Raises:
        ValueError: the graph returns probabilities that are not finite.
    """
    read = _read_stream if version.is_stream else _read_windows
    correct, nats = 0, 0.0
    ngram_nats: float | None = 0.0
    for outputs, targets in read(version, prompt, following):
        probabilities = outputs[PROBABILITIES]  # (targets, vocabulary)
        if not np.isfinite(probabilities).all():
            raise ValueError(f"{version} gives probabilities that are not finite")
        nats += _nats(probabilities, targets)
        correct += _correct(version, probabilities, targets)
        grams = outputs.get(NGRAM_PROBABILITIES)
        if ngram_nats is None or grams is None or grams.shape != probabilities.shape:
            ngram_nats = None
        else:
            ngram_nats += _nats(grams, targets)
    return Likelihood(tokens=len(following), correct=correct, nats=nats, ngram_nats=ngram_nats)


def _read_stream(version: Loaded, prompt: Ids, following: Ids) -> Iterator[tuple[Arrays, Ids]]:
    """Yield what the graph puts out before each following token, and the token."""
    states: Arrays = {}
    length = piece_tokens(version)
    for start in range(0, len(prompt), length):
        outputs = step(version, [prompt[start : start + length]], states)
        states = states_of(outputs)
    for place in range(len(following)):
        if place:
            outputs = step(version, [following[place - 1 : place]], states)
            states = states_of(outputs)
        yield outputs, following[place : place + 1]


def _read_windows(version: Loaded, prompt: Ids, following: Ids) -> Iterator[tuple[Arrays, Ids]]:
    """Yield what the graph puts out for windows before following tokens, and the tokens."""
    window = version.manifest.window or len(prompt)
    ids = np.concatenate((prompt[-window:], following[:-1]))
    windows = np.lib.stride_tricks.sliding_window_view(ids, window)  # (tokens, window)
    rows = version.rows_per_run
    for start in range(0, len(windows), rows):
        part = np.ascontiguousarray(windows[start : start + rows])
        yield version.run({TOKENS: part}), following[start : start + rows]


def _correct(version: Loaded, probabilities: npt.NDArray[np.float32], targets: Ids) -> int:
    unknown = None if version.tokenizer is None else version.tokenizer.unknown_id
    if unknown is not None:
        probabilities = probabilities.copy()
        probabilities[:, unknown] = -1.0
    return int((probabilities.argmax(axis=1) == targets).sum())


def _nats(probabilities: npt.NDArray[np.float32], targets: Ids) -> float:
    given = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return float(-np.log(np.maximum(given, LEAST_PROBABILITY)).sum())
