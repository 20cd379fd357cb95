"""Continue several texts at once: read them, then choose one token after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

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
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    count: int = 1  # number of continuations
    # (tokens,) of the text whose own probabilities are wanted; a window reads fewer than that.
    echo: Ids | None = None
    # Called with each token as it is chosen, in the thread that works.
    listen: "Callable[[Continuation], None] | None" = None


class Echoed(NamedTuple):
    """What was expected where a token of the text stands."""

    probability: float  # of that token
    ids: Ids  # (top_k,) of the most probable tokens
    values: Probabilities  # (top_k,) their probabilities


@dataclass(kw_only=True)
class Continuation:
    """The tokens chosen for a text so far."""

    wanted: Wanted
    number: int = 0  # of several continuations of the text
    ids: Ids  # what the graph reads next: the text, its window, or the last token
    generator: np.random.Generator
    stopped: bool = False
    echoed: list[Echoed] = field(default_factory=list)  # of the text's last tokens
    chosen: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    alternatives: list[tuple[Ids, Probabilities]] = field(default_factory=list)  # (top_k,) each

    @property
    def is_finished(self) -> bool:
        """Whether all tokens have been chosen."""
        return self.stopped or len(self.chosen) == self.wanted.steps


def continued(version: Loaded, wanted: Sequence[Wanted]) -> Work[list[Continuation]]:
    """Continue texts, in order; several continuations of a text follow each other.

    Raises:
        ValueError: the graph returns probabilities that are not finite.
    """
    texts = [
        Continuation(wanted=each, number=number, ids=each.ids, generator=_generator(each, number))
        for each in wanted
        for number in range(each.count)
    ]
    for text in texts:
        if text.wanted.echo is not None and not text.number:
            text.echoed = yield from echoed(version, text.wanted.echo, text.wanted.top_k)
    if version.is_stream:
        yield from _continue_streams(version, texts)
    else:
        yield from _continue_windows(version, texts)
    return texts


def _generator(wanted: Wanted, number: int) -> np.random.Generator:
    """Return the random numbers of a continuation; the first has those of a single one."""
    if number == 0 or wanted.seed is None:
        return np.random.default_rng(wanted.seed)
    return np.random.default_rng([wanted.seed, number])


def echoed(version: Loaded, ids: Ids, top_k: int) -> Work[list[Echoed]]:
    """Return the probability of each token of a text after those before it.

    Args:
        version: the version that reads the text.
        ids: (tokens,) of the text.
        top_k: how many of the most probable tokens to give for each.

    Returns:
        Of all tokens but the first; for a window, of those after the first window.
    """
    if version.is_stream:
        return (yield from _echoed_by_stream(version, ids, top_k))
    window = version.manifest.window or 1
    rows_per_run = max(1, min(version.max_rows, version.steps_per_run // window))
    # (tokens - window, window): what stands before each token
    before = np.lib.stride_tricks.sliding_window_view(ids, window)[:-1]
    found: list[Echoed] = []
    for start in range(0, len(before), rows_per_run):
        tokens = np.ascontiguousarray(before[start : start + rows_per_run])
        outputs = version.run({TOKENS: tokens}, [PROBABILITIES])
        following = ids[start + window : start + window + len(tokens)]
        found += _expected(outputs[PROBABILITIES], following, top_k)
        yield
    return found


def _echoed_by_stream(version: Loaded, ids: Ids, top_k: int) -> Work[list[Echoed]]:
    states: Arrays = {}
    found: list[Echoed] = []
    for place in range(1, len(ids)):
        outputs = step(version, [ids[place - 1 : place]], states)
        states = states_of(outputs)
        found += _expected(outputs[PROBABILITIES], ids[place : place + 1], top_k)
        yield
    return found


def _expected(probabilities: Probabilities, tokens: Ids, top_k: int) -> list[Echoed]:
    """Return what was expected, (rows, vocabulary), where these tokens stand, (rows,)."""
    ids = most_probable(probabilities, top_k)  # (rows, top_k)
    values = np.take_along_axis(probabilities, ids, axis=1)  # (rows, top_k)
    own = probabilities[np.arange(len(tokens)), tokens]  # (rows,)
    return [Echoed(*each) for each in zip(own.tolist(), ids, values, strict=True)]


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
    outputs = yield from _read(version, [text for text in texts if not text.number])
    if any(text.number for text in texts):  # each text is read once
        of = np.cumsum([not text.number for text in texts]) - 1  # (continuations,)
        outputs = {
            name: value[of] if name == PROBABILITIES else value[:, of]
            for name, value in outputs.items()
        }
    while True:
        for text, chosen in zip(texts, _choose(version, texts, outputs), strict=True):
            text.ids = np.array([chosen])
        yield
        unfinished = [row for row, text in enumerate(texts) if not text.is_finished]
        if not unfinished:
            return
        states = states_of(outputs)
        if len(unfinished) < len(texts):
            texts = [texts[row] for row in unfinished]
            states = {name: state[:, unfinished] for name, state in states.items()}
        outputs = step(version, [text.ids for text in texts], states)


def _read(version: Loaded, texts: list[Continuation]) -> Work[Arrays]:
    """Read texts to their ends.

    Returns:
        Probabilities (rows, vocabulary) and states (1, rows, units), in the order of the texts.
    """
    parts = []
    for part in _read_together(version, texts):
        states: Arrays = {}
        longest = max(len(ids) for ids in part)
        for start in range(0, longest, piece_tokens(version)):
            pieces = [ids[start : start + piece_tokens(version)] for ids in part]
            outputs = step(version, pieces, states)
            states = states_of(outputs)
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
        if part and (is_full or length > piece_tokens(version)):
            yield part
            part, length = [], len(text.ids)
        part.append(text.ids)
        longest = length
    yield part


def piece_tokens(version: Loaded) -> int:
    """Return how many tokens of a text are read in one run."""
    return min(PIECE_TOKENS, version.steps_per_run)


def step(version: Loaded, texts: list[Ids], states: Arrays) -> Arrays:
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


def states_of(outputs: Arrays) -> Arrays:
    """Return the states after a run, by the names under which the next one reads them."""
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
    weights = allowed = penalised(texts, probabilities)
    if unknown is not None:  # it is shown among the alternatives but never chosen
        allowed = weights.copy()
        allowed[:, unknown] = -1.0
    chosen: list[int] = allowed.argmax(axis=1).tolist()
    for row, text in enumerate(texts):
        if text.wanted.temperature > 0:
            chosen[row] = choose(
                weights[row],
                top_p=text.wanted.top_p,
                temperature=text.wanted.temperature,
                generator=text.generator,
                exclude=() if unknown is None else (unknown,),
            )
    for row, (text, token) in enumerate(zip(texts, chosen, strict=True)):
        text.chosen.append(token)
        text.probabilities.append(float(probabilities[row, token]))
    _note_alternatives(texts, probabilities)
    for text in texts:
        text.stopped = _has_stop(version, text)
        if text.wanted.listen is not None:
            text.wanted.listen(text)
    return chosen


def penalised(texts: list[Continuation], probabilities: Probabilities) -> Probabilities:
    """Return what tokens are chosen by, (rows, vocabulary): less for those that occurred."""
    if all(text.wanted.repetition_penalty <= 1 for text in texts):
        return probabilities
    weights = probabilities.copy()
    for row, text in enumerate(texts):
        seen = list({*text.wanted.ids.tolist(), *text.chosen})
        weights[row, seen] **= text.wanted.repetition_penalty
    return weights


def _has_stop(version: Loaded, text: Continuation) -> bool:
    """Return whether a continuation contains one of its stops, which its last token completes."""
    stops = text.wanted.stop
    if not stops or version.tokenizer is None:
        return False
    # Each token is at least a quarter of a character.
    recent = text.chosen[-4 * max(map(len, stops)) :]
    written = version.tokenizer.text(recent)
    return any(stop in written for stop in stops)


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
