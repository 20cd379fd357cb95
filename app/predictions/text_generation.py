"""Continue several texts at once: read them, then choose one token after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.artifact.files import LENGTHS, PROBABILITIES, TOKENS
from app.language.sampling import choose, most_probable
from app.predictions.loaded import Arrays, Loaded
from app.predictions.questions import Work

Ids = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]

# Long texts are read in pieces of at most this many tokens.
PIECE_TOKENS = 512


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How to continue a text."""

    ids: Ids  # (tokens,) of the text
    steps: int  # number of tokens to choose
    top_k: int  # number of alternatives to keep for each step
    temperature: float
    seed: int | None


@dataclass(kw_only=True)
class Continuation:
    """The tokens chosen for a text so far."""

    wanted: Wanted
    ids: Ids  # what the graph reads next: the text, its window, or the last token
    generator: np.random.Generator
    chosen: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    alternatives: list[tuple[Ids, Probabilities]] = field(default_factory=list)  # (top_k,) each

    @property
    def is_finished(self) -> bool:
        """Whether all tokens have been chosen."""
        return len(self.chosen) == self.wanted.steps


def continued(version: Loaded, wanted: Sequence[Wanted]) -> Work[list[Continuation]]:
    """Continue texts, in order.

    Raises:
        ValueError: the graph returns probabilities that are not finite.
    """
    texts = [
        Continuation(wanted=each, ids=each.ids, generator=np.random.default_rng(each.seed))
        for each in wanted
    ]
    if version.is_stream:
        yield from _continue_streams(version, texts)
    else:
        yield from _continue_windows(version, texts)
    return texts


def _continue_windows(version: Loaded, texts: list[Continuation]) -> Work[None]:
    """Choose each token from a zero state and a sliding window of the last `window` tokens."""
    rows_per_run = max(1, version.steps_per_run // len(texts[0].ids))
    while texts:
        for start in range(0, len(texts), rows_per_run):
            part = texts[start : start + rows_per_run]
            tokens = np.stack([text.ids for text in part])  # (rows, window)
            outputs = version.run({TOKENS: tokens}, [PROBABILITIES])
            for text, chosen in zip(part, _choose(version, part, outputs), strict=True):
                text.ids = np.append(text.ids[1:], chosen)
            yield
        texts = [text for text in texts if not text.is_finished]


def _continue_streams(version: Loaded, texts: list[Continuation]) -> Work[None]:
    """Read the texts once, then take one step per token with carried state."""
    outputs = yield from _read(version, texts)
    while True:
        for text, chosen in zip(texts, _choose(version, texts, outputs), strict=True):
            text.ids = np.array([chosen])
        yield
        unfinished = [row for row, text in enumerate(texts) if not text.is_finished]
        if not unfinished:
            return
        states = _states_of(outputs)
        if len(unfinished) < len(texts):
            texts = [texts[row] for row in unfinished]
            states = {name: state[:, unfinished] for name, state in states.items()}
        outputs = _step(version, [text.ids for text in texts], states)


def _read(version: Loaded, texts: list[Continuation]) -> Work[Arrays]:
    """Read texts to their ends.

    Returns:
        Probabilities (rows, vocabulary) and states (1, rows, units), in the order of the texts.
    """
    parts = []
    for part in _read_together(version, texts):
        states: Arrays = {}
        longest = max(len(ids) for ids in part)
        for start in range(0, longest, _piece_tokens(version)):
            pieces = [ids[start : start + _piece_tokens(version)] for ids in part]
            outputs = _step(version, pieces, states)
            states = _states_of(outputs)
            yield
        parts.append(outputs)
    if len(parts) == 1:
        return parts[0]
    return {
        name: np.concatenate([part[name] for part in parts], axis=0 if name == PROBABILITIES else 1)
        for name in parts[0]
    }


def _read_together(version: Loaded, texts: list[Continuation]) -> Iterator[list[Ids]]:
    """Divide texts into parts that fit into a run; a text longer than a piece is alone."""
    part: list[Ids] = []
    longest = 0
    for text in texts:
        length = max(longest, len(text.ids))
        is_full = (len(part) + 1) * length > version.steps_per_run
        if part and (is_full or length > _piece_tokens(version)):
            yield part
            part, length = [], len(text.ids)
        part.append(text.ids)
        longest = length
    yield part


def _piece_tokens(version: Loaded) -> int:
    return min(PIECE_TOKENS, version.steps_per_run)


def _step(version: Loaded, texts: list[Ids], states: Arrays) -> Arrays:
    """Run a stream graph once over texts of different lengths.

    Args:
        version: a stream version.
        texts: ids of each, at least one.
        states: (1, rows, units) each; empty at the start of the texts.
    """
    described = version.manifest.text
    if described is None:
        raise TypeError(f"{version} is no text version")
    lengths = np.array([len(ids) for ids in texts], dtype=np.int32)
    tokens = np.zeros((len(texts), lengths.max()), dtype=np.int64)  # (rows, steps)
    for row, ids in enumerate(texts):
        tokens[row, : len(ids)] = ids
    inputs: Arrays = {TOKENS: tokens, LENGTHS: lengths}
    for state in described.states:
        zero = np.zeros((1, len(texts), state.units), dtype=np.float32)
        inputs[state.name] = states.get(state.name, zero)
    return version.run(inputs)


def _states_of(outputs: Arrays) -> Arrays:
    return {
        name.removesuffix("_out"): value for name, value in outputs.items() if name != PROBABILITIES
    }


def _choose(version: Loaded, texts: list[Continuation], outputs: Arrays) -> list[int]:
    """Choose the next token of each text, and record it with its alternatives.

    Returns:
        The ids of the tokens.
    """
    probabilities: Probabilities = outputs[PROBABILITIES]  # (rows, vocabulary)
    if not np.isfinite(probabilities).all():
        raise ValueError(f"{version} gives probabilities that are not finite")
    unknown = None if version.tokenizer is None else version.tokenizer.unknown_id
    allowed = probabilities
    if unknown is not None:  # it is shown among the alternatives but never chosen
        allowed = probabilities.copy()
        allowed[:, unknown] = -1.0
    chosen: list[int] = allowed.argmax(axis=1).tolist()
    for row, text in enumerate(texts):
        if text.wanted.temperature > 0:
            chosen[row] = choose(
                probabilities[row],
                temperature=text.wanted.temperature,
                generator=text.generator,
                exclude=() if unknown is None else (unknown,),
            )
    for row, (text, token) in enumerate(zip(texts, chosen, strict=True)):
        text.chosen.append(token)
        text.probabilities.append(float(probabilities[row, token]))
    _note_alternatives(texts, probabilities)
    return chosen


def _note_alternatives(texts: list[Continuation], probabilities: Probabilities) -> None:
    rows_by_count: dict[int, list[int]] = {}
    for row, text in enumerate(texts):
        rows_by_count.setdefault(text.wanted.top_k, []).append(row)
    for count, rows in rows_by_count.items():
        own = probabilities[rows]  # (rows of this count, vocabulary)
        ids = most_probable(own, count)  # (rows of this count, count)
        values = np.take_along_axis(own, ids, axis=1)
        for place, row in enumerate(rows):
            texts[row].alternatives.append((ids[place], values[place]))
