"""Measure a text version on another text."""

import numpy as np
import numpy.typing as npt

from app.artifact.manifest import Manifest, TextInput
from app.errors import Unprocessable
from app.forecasting.windows import split_rows
from app.judging.judgement import JudgedOn, Judgement
from app.judging.text_judge import Passage, contains, judge_text, judged_from
from app.language.mixture import ngram_order
from app.language.tokenizer import Tokenizer
from app.reading.content import DatasetContent, TextContent

Ids = npt.NDArray[np.int64]

MOST_TOKENS = 100_000
SHOWN = {"word": "words", "char": "characters"}


def judge_other_text(
    graph: bytes,
    other: DatasetContent,
    training: TextContent | None,
    *,
    manifest: Manifest,
    judged: bool,
    test_fraction: float,
    field: str,
) -> tuple[JudgedOn, Judgement]:
    """Read the other text with the version's tokens, and compare with n-grams and an MLP.

    Args:
        graph: the ONNX file of the network.
        other: the text to read.
        training: what the version was trained on; None if it is not here.
        manifest: of the version.
        judged: whether the network is the one before refitting.
        test_fraction: share of `training` that this network was not fitted on.
        field: name of the other text in errors.

    Raises:
        Unprocessable: it is a series, too short or too long, or none of it is known.
    """
    described = manifest.text
    if described is None or not isinstance(other, TextContent):
        raise Unprocessable.at(field, "is a series, but the model is for texts")
    tokenizer = _tokenizer(described, judged=judged)
    unit = SHOWN[described.tokenizer]
    tokens = tokenizer.tokens(other.text)
    before = [] if training is None else tokenizer.tokens(training.text)
    known = split_rows(len(before), test_fraction=test_fraction, validation_fraction=0.0).test_start
    fitted, first = before[:known], manifest.window or 1
    held_out = other == training and known < len(before)
    ids = _ids(tokenizer, tokens)
    _check_length(ids, needed=first + 1, unit=unit, field=field)
    start = judged_from(ids, start=known if held_out else 0, context=first)
    passage = Passage(
        training_ids=_known_ids(tokenizer, fitted),
        ids=ids,
        start=start,
        vocabulary_size=len(tokenizer),
        unknown_id=tokenizer.unknown_id,
        characters=len(tokenizer.decode(tokens[start:])),
        order=ngram_order([(state.name, state.units) for state in described.states]),
    )
    seen = not held_out and bool(tokens) and contains(fitted, tokens)
    judged_on: JudgedOn = "training" if seen else "held-out" if held_out else "test"
    return judged_on, judge_text(
        graph,
        passage,
        states=[(state.name, state.units) for state in described.states],
        window=manifest.window,
        judged_on=judged_on,
        unit=unit,
        check=lambda: None,
        every_step=False,
    )


def _check_length(ids: Ids, *, needed: int, unit: str, field: str) -> None:
    if len(ids) > MOST_TOKENS:
        raise Unprocessable.at(
            field, f"has {len(ids):,} {unit}; at most {MOST_TOKENS:,} are evaluated at once"
        )
    known = int((ids >= 0).sum())
    if known < needed:
        raise Unprocessable.at(
            field,
            f"has {len(ids)} {unit}, {known} of which the version knows; at least {needed} are "
            "needed",
        )


def _tokenizer(described: TextInput, *, judged: bool) -> Tokenizer:
    before_cut = described.judged_vocabulary if judged else None
    return Tokenizer(
        unit=described.tokenizer,
        vocabulary=before_cut or described.vocabulary,
        unknown=described.unknown,
        spells=described.spells,
    )


def _ids(tokenizer: Tokenizer, tokens: list[str]) -> Ids:
    """Return the ids (tokens,); -1 for a token that a strict vocabulary lacks."""
    missing = -1 if tokenizer.unknown_id is None else tokenizer.unknown_id
    id_of = tokenizer.id_of
    return np.array([id_of.get(token, missing) for token in tokens], np.int64)


def _known_ids(tokenizer: Tokenizer, tokens: list[str]) -> Ids:
    ids = _ids(tokenizer, tokens)
    return ids[ids >= 0]
