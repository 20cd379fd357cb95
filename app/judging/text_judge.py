"""Judge a text network: each judged token given those before, beside n-grams and an MLP."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from app.artifact.onnx_session import States, token_probabilities, zero_states
from app.artifact.scorecard import TextScore
from app.judging.judgement import WITHOUT_SCIKIT, JudgedOn, Judgement
from app.judging.text_score import MLP, NGRAM, TRIGRAM, against_bits, curve_of, ngram_bits
from app.language.ngram import BASELINE_ORDERS

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PROBABILITIES_AT_ONCE = 1 << 20
STEPS_AT_ONCE = 256
WARMING_TOKENS = 1024  # how many earlier tokens a stream reads before those it is judged on
MOST_SHOWN = 5
BY_HEART = 0.95  # share of the tokens it was trained on that it gets right


@dataclass(frozen=True, kw_only=True, eq=False)
class Passage:
    """Tokens to be judged, and what is known before them."""

    training_ids: Ids  # what the baselines are fitted on
    ids: Ids  # -1: not in a strict vocabulary
    start: int  # the first judged position, see `judged_from`; earlier tokens are only read
    vocabulary_size: int
    unknown_id: int | None
    characters: int  # the judged tokens as text
    order: int | None = None  # of the best n-gram, if one was chosen


@dataclass(frozen=True, kw_only=True, eq=False)
class _Outcome:
    """The results for each judged token."""

    bits: Floats  # (n,)
    right: npt.NDArray[np.bool_]  # (n,)
    in_5: npt.NDArray[np.bool_]  # (n,), whether it is among the five most probable tokens


def judge_text(
    graph: bytes,
    passage: Passage,
    *,
    states: Sequence[tuple[str, int]],
    window: int | None,
    judged_on: JudgedOn,
    unit: str,
    check: Callable[[], None],
    every_step: bool = True,
) -> Judgement:
    """Read the passage with the graph, and compare it with n-grams and an MLP.

    Args:
        graph: the ONNX file.
        passage: what is judged.
        states: of a stream: name and units.
        window: tokens in a window; None: a stream.
        judged_on: for the verdict.
        unit: what a token is called, in the plural.
        check: called between runs; may raise to stop.
        every_step: whether the graph of a stream returns probabilities after every token; the
            served graph returns them only after the last.
    """
    known = passage.ids >= 0
    judged = len(passage.ids) - passage.start
    missing = int((~known[passage.start :]).sum())
    ids, start = passage.ids[known], int(known[: passage.start].sum())
    if window is None:
        outcome = _read_stream(
            graph,
            ids,
            start=start,
            states=zero_states(states, 1),
            at_once=_steps_at_once(passage) if every_step else 1,
            unknown_id=passage.unknown_id,
            check=check,
        )
    else:
        outcome = _read_windows(
            graph,
            ids,
            start=start,
            window=window,
            unknown_id=passage.unknown_id,
            check=check,
        )
    correct = int(outcome.right.sum())
    score = _score(outcome, None, judged=judged, passage=passage)
    if not missing:
        read = replace(passage, ids=ids, start=start)  # tokens before an unknown one are not read
        score = _score(
            outcome, _baselines(read, unit=unit, check=check), judged=judged, passage=passage
        )
    reference = reference_of(score)
    skill, skill_missing = _skill(
        score.bits_per_token,
        score.baselines[reference],
        judged_on,
        missing=missing,
        judged=judged,
        unit=unit,
    )
    if reference in score.missing and skill is None:
        skill_missing = f"no n-gram to compare with: {score.missing[reference]}"
    return Judgement(
        verdict=_verdict(correct, judged, score=score, judged_on=judged_on, unit=unit),
        skill=skill,
        skill_missing=skill_missing,
        notes=_notes(window, start, missing, unit),
        text=score,
    )


def reference_of(score: TextScore) -> str:
    """Return the baseline that skill and verdict are relative to."""
    return TRIGRAM if score.ngram_order is None else NGRAM


def stream_probabilities(
    graph: bytes,
    ids: Ids,
    *,
    states: Sequence[tuple[str, int]],
    start: int,
    check: Callable[[], None],
) -> Floats:
    """Return a stream's probability of each token from `start` on, (tokens - start,).

    Args:
        graph: returns probabilities after every token.
        ids: (tokens,)
        states: name and units.
        start: the first token that is predicted, above 0.
        check: called between runs; may raise to stop.
    """
    outcome = _read_stream(
        graph,
        ids,
        start=start,
        states=zero_states(states, 1),
        at_once=STEPS_AT_ONCE,
        unknown_id=None,
        check=check,
    )
    probabilities: Floats = 2.0**-outcome.bits
    return probabilities


def judged_from(ids: Ids, *, start: int, context: int) -> int:
    """Return the first position from `start` on with enough known tokens before it, or the end."""
    known = np.flatnonzero(ids >= 0)
    return max(start, int(known[context - 1]) + 1) if len(known) >= context else len(ids)


def contains(tokens: Sequence[str], part: Sequence[str]) -> bool:
    """Return whether the part occurs in the tokens, so that it may have been trained on."""
    return "\0".join(("", *part, "")) in "\0".join(("", *tokens, ""))


def _baselines(
    passage: Passage, *, unit: str, check: Callable[[], None]
) -> dict[str, Floats | str]:
    """Return the bits of each judged token by each baseline, or why a baseline has none."""
    if not len(passage.training_ids):
        names = (*BASELINE_ORDERS, MLP, *([] if passage.order is None else [NGRAM]))
        return dict.fromkeys(names, "there is no training text to count")
    ngrams = ngram_bits(
        passage.training_ids,
        passage.ids,
        vocabulary_size=passage.vocabulary_size,
        start=passage.start,
        order=passage.order,
    )
    return {**ngrams, MLP: _perceptron(passage, unit=unit, check=check)}


def _perceptron(passage: Passage, *, unit: str, check: Callable[[], None]) -> Floats | str:
    if find_spec("sklearn") is None:
        return WITHOUT_SCIKIT
    from app.judging.text_mlp import mlp_bits  # noqa: PLC0415 - heavy, and not everywhere

    return mlp_bits(
        passage.training_ids,
        passage.ids,
        start=passage.start,
        vocabulary_size=passage.vocabulary_size,
        unit=unit,
        check=check,
    )


def _score(
    outcome: _Outcome,
    baselines: Mapping[str, Floats | str] | None,
    *,
    judged: int,
    passage: Passage,
) -> TextScore:
    """Return the figures; baselines are None where a token has no probability."""
    every_token, baselines = baselines is not None, baselines or {}
    correct, in_5 = int(outcome.right.sum()), int(outcome.in_5.sum())
    told = {name: given for name, given in baselines.items() if not isinstance(given, str)}
    bits = float(outcome.bits.mean()) if every_token and len(outcome.bits) else None
    means = {name: float(given.mean()) if len(given) else math.nan for name, given in told.items()}
    return TextScore(
        tokens=judged,
        correct=correct,
        correct_in_5=in_5,
        accuracy=correct / judged if judged else None,
        accuracy_in_5=in_5 / judged if judged else None,
        bits_per_token=bits,
        perplexity=None if bits is None else 2.0**bits,
        bits_per_character=(
            None
            if bits is None or not passage.characters
            else float(outcome.bits.sum()) / passage.characters
        ),
        baselines={
            name: value if math.isfinite(value := means.get(name, math.nan)) else None
            for name in (*BASELINE_ORDERS, MLP, *([] if passage.order is None else [NGRAM]))
        },
        ngram_order=passage.order,
        against=against_bits(outcome.bits, told) if told else {},
        missing={name: given for name, given in baselines.items() if isinstance(given, str)},
        curve=curve_of(outcome.bits) if every_token else (),
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
    states: States,
    at_once: int,
    unknown_id: int | None,
    check: Callable[[], None],
) -> _Outcome:
    begin = max(0, start - 1 - WARMING_TOKENS)
    outcomes = []
    for first in range(begin, len(ids) - 1, at_once):
        stop = min(first + at_once, len(ids) - 1)
        read = ids[None, first:stop]  # (1, steps)
        probabilities, states = token_probabilities(graph, read, states)
        probabilities = probabilities.reshape(1, stop - first, -1)  # (1, steps, vocabulary)
        skipped = max(0, start - 1 - first)  # tokens that only warm up the state
        outcomes.append(
            _outcome(probabilities[0, skipped:], ids[first + 1 + skipped : stop + 1], unknown_id)
        )
        check()
    return _joined(outcomes)


def _steps_at_once(passage: Passage) -> int:
    return max(1, min(STEPS_AT_ONCE, PROBABILITIES_AT_ONCE // passage.vocabulary_size))


def _outcome(
    probabilities: npt.NDArray[np.float32], targets: Ids, unknown_id: int | None
) -> _Outcome:
    """Return bits and hits of some tokens; the unknown symbol is never a right answer."""
    given = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    answers = probabilities
    if unknown_id is not None:
        answers = probabilities.copy()
        answers[:, unknown_id] = -1.0
    # If the softmax underflowed to 0, the smallest positive float takes its place.
    bits = -np.log2(np.maximum(given, np.finfo(np.float32).tiny))
    own = answers[np.arange(len(targets)), targets]
    # (n,), number of tokens more probable than the right one
    above = (answers > own[:, None]).sum(axis=1)
    return _Outcome(
        bits=bits, right=answers.argmax(axis=1) == targets, in_5=(above < MOST_SHOWN) & (own >= 0)
    )


def _joined(outcomes: list[_Outcome]) -> _Outcome:
    return _Outcome(
        bits=np.concatenate([np.empty(0), *(outcome.bits for outcome in outcomes)]),
        right=np.concatenate([np.empty(0, dtype=bool), *(outcome.right for outcome in outcomes)]),
        in_5=np.concatenate([np.empty(0, dtype=bool), *(outcome.in_5 for outcome in outcomes)]),
    )


def _skill(
    bits: float | None,
    baseline: float | None,
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
    if bits is None or not baseline:
        return None, "the n-gram makes no error on the judged tokens"
    return 1 - bits / baseline, None


def _verdict(
    correct: int,
    judged: int,
    *,
    score: TextScore,
    judged_on: JudgedOn,
    unit: str,
) -> str:
    right = f"{correct} of {judged} {unit} right"
    if judged_on == "training":
        if judged and correct / judged >= BY_HEART:
            return (
                "not judged: nothing was held out; it knows the text it was trained on by heart "
                f"({right}), and nothing else"
            )
        return (
            f"not judged: {right} in the text it was trained on, nothing was held out, so this "
            "says nothing about other texts"
        )
    reference = reference_of(score)
    spoken = f"the best n-gram (order {score.ngram_order})" if reference == NGRAM else "a trigram"
    bits, theirs = score.bits_per_character, score.per_character(score.baselines[reference])
    if bits is None or not theirs:
        return f"{right}; not comparable with {spoken}"
    figures = f"{bits:.2f} bits per character against {theirs:.2f}, {right}"
    told = score.against[reference].verdict
    if told == "within noise":
        return f"no better than {spoken}: {figures}, a difference within noise"
    few = ", too few to tell it from noise" if told == "not to be told" else ""
    return f"{'better' if bits < theirs else 'worse'} than {spoken}: {figures}{few}"


def _notes(window: int | None, start: int, missing: int, unit: str) -> tuple[str, ...]:
    notes = []
    if window is None and start > 1:
        read = min(start, WARMING_TOKENS + 1)
        notes.append(f"the state was warmed up on the {read} {unit} before those judged")
    if missing:
        notes.append(f"{missing} {unit} unknown to the training part count as wrong")
    return tuple(notes)
