"""Judging a text network: every judged token given what comes before it, beside n-grams."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.language.ngram import baseline_bits
from app.registry.artifacts import TextScore
from app.training.architecture import Architecture
from app.training.onnx_session import token_probabilities, zero_states
from app.training.task import JudgedOn, Judgement

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PROBABILITIES_AT_ONCE = 1 << 20
STEPS_AT_ONCE = 256
WARMING_TOKENS = 1024  # a stream reads so many of the tokens before those it is judged on
EVEN_SKILL = 0.005


@dataclass(frozen=True, kw_only=True, eq=False)
class Passage:
    """Tokens to be judged, and what is known before them."""

    training_ids: Ids  # what the baselines are fitted on
    ids: Ids  # -1: not in a strict vocabulary
    start: int  # the first judged position; those before are read only
    vocabulary_size: int
    unknown_id: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Outcome:
    """Per judged token."""

    bits: Floats  # (n,)
    right: npt.NDArray[np.bool_]  # (n,)


def judge_text(
    graph: bytes,
    passage: Passage,
    *,
    architecture: Architecture,
    window: int | None,
    judged_on: JudgedOn,
    unit: str,
    check: Callable[[], None],
) -> Judgement:
    """Reads the passage with the graph and compares it with uni-, bi- and trigram.

    Args:
        graph: the ONNX file; for a stream the form that gives every step.
        passage: what is judged.
        architecture: the network's form.
        window: tokens in a window; None: a stream.
        judged_on: for the verdict.
        unit: what a token is, in the plural.
        check: called between runs; may raise to stop.
    """
    known = passage.ids >= 0
    judged = len(passage.ids) - passage.start
    missing = int((~known[passage.start :]).sum())
    start = int(known[: passage.start].sum())
    ids = passage.ids[known]
    if window is None:
        outcome = _read_stream(
            graph,
            ids,
            start=start,
            architecture=architecture,
            unknown_id=passage.unknown_id,
            check=check,
        )
    else:
        outcome = _read_windows(
            graph,
            ids,
            start=max(start, window),
            window=window,
            unknown_id=passage.unknown_id,
            check=check,
        )
    correct = int(outcome.right.sum())
    bits: float | None = None
    baselines: dict[str, float | None] = dict.fromkeys(("unigram", "bigram", "trigram"))
    if not missing:
        bits = float(outcome.bits.mean())
        measured = baseline_bits(
            passage.training_ids,
            passage.ids,
            vocabulary_size=passage.vocabulary_size,
            start=passage.start,
        )
        baselines = {
            name: value if math.isfinite(value) else None for name, value in measured.items()
        }
    skill, skill_missing = _skill(
        bits, baselines["trigram"], judged_on, missing=missing, judged=judged, unit=unit
    )
    return Judgement(
        verdict=_verdict(
            correct, judged, bits=bits, trigram=baselines["trigram"], judged_on=judged_on, unit=unit
        ),
        skill=skill,
        skill_missing=skill_missing,
        notes=_notes(window, start, missing, unit),
        text=TextScore(tokens=judged, correct=correct, bits_per_token=bits, baselines=baselines),
    )


def _read_windows(
    graph: bytes,
    ids: Ids,
    *,
    start: int,
    window: int,
    unknown_id: int | None,
    check: Callable[[], None],
) -> _Outcome:
    contexts = np.lib.stride_tricks.sliding_window_view(ids, window)[start - window : -1]
    targets = ids[start:]
    outcomes, at_once = [], STEPS_AT_ONCE
    for first in range(0, len(targets), at_once):
        part = slice(first, first + at_once)
        probabilities, _ = token_probabilities(graph, np.ascontiguousarray(contexts[part]), None)
        outcomes.append(_outcome(probabilities, targets[part], unknown_id))
        check()
    return _joined(outcomes)


def _read_stream(
    graph: bytes,
    ids: Ids,
    *,
    start: int,
    architecture: Architecture,
    unknown_id: int | None,
    check: Callable[[], None],
) -> _Outcome:
    begin = max(0, start - 1 - WARMING_TOKENS)
    states = zero_states(architecture, 1)
    outcomes = []
    at_once = max(1, min(STEPS_AT_ONCE, PROBABILITIES_AT_ONCE // architecture.outputs))
    for first in range(begin, len(ids) - 1, at_once):
        stop = min(first + at_once, len(ids) - 1)
        read = ids[None, first:stop]  # (1, steps)
        probabilities, states = token_probabilities(graph, read, states)
        skipped = max(0, start - 1 - first)  # of what is only warming up
        outcomes.append(
            _outcome(probabilities[0, skipped:], ids[first + 1 + skipped : stop + 1], unknown_id)
        )
        check()
    return _joined(outcomes)


def _outcome(
    probabilities: npt.NDArray[np.float32], targets: Ids, unknown_id: int | None
) -> _Outcome:
    """Bits and hits of some tokens; the unknown symbol is never a right answer."""
    given = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    answers = probabilities
    if unknown_id is not None:
        answers = probabilities.copy()
        answers[:, unknown_id] = -1.0
    # A float's smallest step above 0 stands for what the softmax rounded to 0.
    bits = -np.log2(np.maximum(given, np.finfo(np.float32).tiny))
    return _Outcome(bits=bits, right=answers.argmax(axis=1) == targets)


def _joined(outcomes: list[_Outcome]) -> _Outcome:
    return _Outcome(
        bits=np.concatenate([np.empty(0), *(outcome.bits for outcome in outcomes)]),
        right=np.concatenate([np.empty(0, dtype=bool), *(outcome.right for outcome in outcomes)]),
    )


def _skill(
    bits: float | None,
    trigram: float | None,
    judged_on: JudgedOn,
    *,
    missing: int,
    judged: int,
    unit: str,
) -> tuple[float | None, str | None]:
    if judged_on == "training":
        return None, "nothing was held out: the figures are on the text it was trained on"
    if missing:
        return None, (
            f"{missing} of {judged} judged {unit} are not in the training part, and unknown: error "
            "leaves no probability for them; set unknown: warn"
        )
    if bits is None or not trigram:
        return None, "the trigram makes no error on the judged tokens"
    return 1 - bits / trigram, None


def _verdict(
    correct: int,
    judged: int,
    *,
    bits: float | None,
    trigram: float | None,
    judged_on: JudgedOn,
    unit: str,
) -> str:
    right = f"{correct} of {judged} {unit} right"
    if judged_on == "training":
        return (
            f"not judged: {right} in the text it was trained on, nothing was held out, so this "
            "says nothing about other texts"
        )
    if bits is None or not trigram:
        return f"{right}; not comparable with a trigram"
    figures = f"{bits:.2f} bits per {unit[:-1]} against {trigram:.2f}, {right}"
    skill = 1 - bits / trigram
    if abs(skill) < EVEN_SKILL:
        return f"as good as a trigram: {figures}"
    return f"{'better' if skill > 0 else 'worse'} than a trigram: {figures}"


def _notes(window: int | None, start: int, missing: int, unit: str) -> tuple[str, ...]:
    notes = []
    if window is None and start > 1:
        read = min(start, WARMING_TOKENS + 1)
        notes.append(f"the state was warmed up on the {read} {unit} before those judged")
    if missing:
        notes.append(f"{missing} {unit} unknown to the training part count as wrong")
    return tuple(notes)
