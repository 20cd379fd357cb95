"""Test complete trainings on texts."""

import math
from typing import Any

import numpy as np
import pytest

from app.artifact.files import JUDGED, MODEL, WEIGHTS
from app.artifact.manifest import State
from app.artifact.onnx_session import session_of
from app.errors import Unprocessable
from app.language.ngram import baseline_bits
from app.language.tokenizer import Tokenizer
from app.reading.content import TextContent
from tests.training.runs import (
    SMALL_TEXT,
    Artifact,
    Recorder,
    Train,
    evaluated,
    series_of,
    wave,
)

# A random sequence of two sentences: there is something to learn, and a limit to it.
SENTENCES = ("the cat sees a mouse .", "a dog , it barks !")
TEXT = " ".join(SENTENCES[i] for i in np.random.default_rng(0).integers(0, 2, 60))
WINDOWED: dict[str, Any] = {
    **SMALL_TEXT,
    "reading": "window",
    "window": 3,
    "truncate": None,
    "embedding": "one-hot",
}


def stream_step(artifact: Artifact, name: str, token: int, states: dict[str, Any]) -> Any:  # noqa: ANN401
    """Pass one token through a stream graph, as serving does."""
    session = session_of(artifact.bytes_of(name))
    feed = {"tokens": np.array([[token]]), "lengths": np.ones(1, np.int32), **states}
    probabilities, *ends = session.run(None, feed)
    return probabilities[0], dict(zip(states, ends, strict=True))


def test_a_stream_is_judged_token_by_token_on_what_it_has_not_seen(train: Train) -> None:
    control = Recorder()
    artifact = train(TextContent(text=TEXT), SMALL_TEXT, control=control)
    manifest, card = artifact.manifest, artifact.scorecard
    assert manifest.text is not None
    assert card.text is not None
    assert (manifest.window, manifest.min_history) == (None, 1)
    assert [(state.name, state.units) for state in manifest.text.states] == [("layer0.h", 6)]
    vocabulary = manifest.text.judged_vocabulary or manifest.text.vocabulary
    tokenizer = Tokenizer(unit="word", vocabulary=vocabulary, unknown="<unk>")
    ids = tokenizer.encode(TEXT).ids
    cut = len(ids) - math.ceil(len(ids) / 5)
    assert card.text.tokens == len(ids) - cut

    states = {"layer0.h": np.zeros((1, 1, 6), np.float32)}
    bits, right = 0.0, 0
    for position in range(len(ids) - 1):
        given, states = stream_step(artifact, JUDGED, int(ids[position]), states)
        if position + 1 >= cut:
            bits -= math.log2(given[ids[position + 1]])
            right += int(given.argmax() == ids[position + 1])
    assert card.text.bits_per_token == pytest.approx(bits / card.text.tokens, abs=1e-4)
    assert card.text.correct == right
    expected = baseline_bits(ids[:cut], ids, vocabulary_size=len(tokenizer), start=cut)
    ngrams = {name: card.text.baselines[name] for name in expected}
    assert ngrams == pytest.approx(expected)
    assert card.text.bits_per_token is not None
    assert card.text.perplexity == pytest.approx(2**card.text.bits_per_token)
    assert np.mean(card.text.curve) == pytest.approx(card.text.bits_per_token)
    assert card.text.baselines["mlp"] is not None
    assert set(card.text.against) == {*expected, "mlp"}
    assert card.text.correct_in_5 is not None
    assert card.text.correct <= card.text.correct_in_5 <= card.text.tokens
    assert card.text.bits_per_token is not None
    assert card.skill == pytest.approx(1 - card.text.bits_per_token / expected["trigram"])
    assert card.network == "judged"
    assert "refitting" in control.stages
    again = evaluated(artifact, TextContent(text=TEXT), TextContent(text=TEXT), "judged")
    assert again.text is not None
    assert again.judged_on == "held-out"
    assert again.text.bits_per_token == pytest.approx(card.text.bits_per_token, rel=1e-5)
    assert again.text.baselines == card.text.baselines
    assert again.text.correct == card.text.correct


def test_windows_of_a_text_learn_it(train: Train) -> None:
    recipe = {**WINDOWED, "epochs": 60, "early_stopping": 10, "learning_rate": 0.02}
    artifact = train(TextContent(text=TEXT), recipe)
    card = artifact.scorecard
    assert card.text is not None
    assert card.text.bits_per_token is not None
    assert card.text.baselines["unigram"] is not None
    # At the end of a sentence either may follow: about one bit in every six tokens.
    assert card.text.bits_per_token < 1.0 < card.text.baselines["unigram"]
    assert artifact.manifest.window == 3
    assert artifact.manifest.text is not None
    assert artifact.manifest.text.states == ()
    own = evaluated(artifact, TextContent(text=TEXT), TextContent(text=TEXT), "judged")
    assert own.text == card.text
    seen = evaluated(artifact, TextContent(text=TEXT), TextContent(text=TEXT), "served")
    assert seen.judged_on == "training"


def test_words_after_the_cut_are_unknown_to_the_judged_network(train: Train) -> None:
    artifact = train(TextContent(text=f"{TEXT} zebra zebra"), SMALL_TEXT)
    text = artifact.manifest.text
    assert text is not None
    assert text.judged_vocabulary is not None
    assert "zebra" in text.vocabulary
    assert "zebra" not in text.judged_vocabulary


def test_a_strict_vocabulary_leaves_unknown_words_unmeasured(train: Train) -> None:
    recipe = {**WINDOWED, "unknown": "error", "epochs": 1}
    card = train(TextContent(text=f"{TEXT} zebra"), recipe).scorecard
    assert card.text is not None
    assert card.text.bits_per_token is None
    assert card.skill is None
    assert card.skill_missing is not None
    assert card.skill_missing.startswith("1 of ")
    assert card.notes == ("1 words unknown to the training part count as wrong",)


def test_a_test_text_is_judged_by_the_served_network(train: Train) -> None:
    test = TextContent(text=" ".join(reversed(" ".join(SENTENCES).split())))
    artifact = train(TextContent(text=TEXT), SMALL_TEXT, test=test)
    card = artifact.scorecard
    assert card.text is not None
    assert (card.judged_on, card.network) == ("test", "served")
    assert card.text.tokens == 11
    assert not (artifact.folder / JUDGED).exists()
    again = evaluated(artifact, test, TextContent(text=TEXT), "served")
    assert again.text is not None
    assert again.text.bits_per_token == pytest.approx(card.text.bits_per_token, rel=1e-5)
    assert again.text.correct == card.text.correct


@pytest.mark.parametrize("reading", [WINDOWED, {**SMALL_TEXT, "min_count": 1}])
def test_an_unknown_word_before_those_judged_is_passed_over(
    train: Train, reading: dict[str, Any]
) -> None:
    trained_on = TextContent(text=TEXT)
    artifact = train(trained_on, {**reading, "unknown": "error", "epochs": 1})
    known = " ".join(reversed(TEXT.split()[:40]))
    without = evaluated(artifact, TextContent(text=known), trained_on, "served").text
    behind = evaluated(artifact, TextContent(text=f"zebra {known}"), trained_on, "served").text
    assert without is not None
    assert without.baselines["trigram"] is not None
    assert behind == without


def test_one_judged_word_is_too_few_to_be_better_or_worse(train: Train) -> None:
    trained_on = TextContent(text=TEXT)
    artifact = train(trained_on, {**SMALL_TEXT, "epochs": 1})
    card = evaluated(artifact, TextContent(text="dog cat"), trained_on, "served")
    assert card.text is not None
    assert card.text.tokens == 1
    assert card.verdict.endswith("0 of 1 words right, too few to tell it from noise")


def test_a_test_text_of_unknown_words_is_reported(train: Train) -> None:
    recipe, test = {**WINDOWED, "unknown": "error"}, TextContent(text="the cat zebra zebra sees")
    with pytest.raises(Unprocessable, match="test: has 5 tokens, 3 of which the text has"):
        train(TextContent(text=TEXT), recipe, test=test)


def test_a_test_text_that_was_trained_on_is_named_so(train: Train) -> None:
    test = TextContent(text=" ".join(TEXT.split()[-60:]))
    card = train(TextContent(text=TEXT), {**SMALL_TEXT, "epochs": 1}, test=test).scorecard
    assert (card.judged_on, card.skill) == ("training", None)
    assert card.verdict.startswith("not judged")


def test_hello_by_characters(train: Train) -> None:
    recipe = {
        "preset": "chapter",
        "tokenizer": "char",
        "cell": "rnn",
        "layers": [3],
        "reading": "stream",
        "window": None,
        "truncate": 4,
        "batch_size": 1,
        "epochs": 300,
        "learning_rate": 0.03,
    }
    artifact = train(TextContent(text="hello"), recipe)
    card, text = artifact.scorecard, artifact.manifest.text
    assert card.text is not None
    assert text is not None
    assert (card.judged_on, card.text.correct, card.text.tokens) == ("training", 4, 4)
    assert card.skill is None
    assert "by heart (4 of 4 characters right), and nothing else" in card.verdict
    states = {"layer0.h": np.zeros((1, 1, 3), np.float32)}
    said = ""
    for character in "hell":
        token = text.vocabulary.index(character)
        given, states = stream_step(artifact, MODEL, token, states)
        said += text.vocabulary[int(given.argmax())]
    assert said == "ello"


def test_the_same_text_gives_the_same_bytes(train: Train) -> None:
    first, again = (train(TextContent(text=TEXT), SMALL_TEXT) for _ in range(2))
    for name in (MODEL, WEIGHTS):
        assert first.bytes_of(name) == again.bytes_of(name)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("", {}, "the text cannot be used: the text has no tokens"),
        ("one two", {}, "too short: of 2 tokens"),
        ("one two three four", {"validation_fraction": 0.0}, "early_stopping"),
    ],
)
def test_a_text_that_cannot_be_used_says_why(
    train: Train, text: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(Unprocessable, match=message):
        train(TextContent(text=text), {**SMALL_TEXT, **changes})


def test_kinds_that_do_not_go_together_are_reported(train: Train) -> None:
    with pytest.raises(Unprocessable, match="test: is a series"):
        train(TextContent(text=TEXT), SMALL_TEXT, test=series_of(wave(20)))


TALES = (
    "The Mice met; they long spoke of the Cat.\nWho will bell the Cat?\n",
    "No one spoke. \u00bbNot I,\u00ab said the old Mouse.\nThe young Mouse ran!\n",
    "Long ago, the Mice feared the Cat and met in the dark.\n",
)


def tale(lines: int) -> str:
    """Return sentences in an order that has no pattern."""
    order = np.random.default_rng(4).integers(0, len(TALES), lines)
    return "".join(TALES[number] for number in order)


@pytest.mark.parametrize("refit", [False, True])
def test_the_default_is_mixed_with_the_best_ngram_and_not_worse(
    train: Train, *, refit: bool
) -> None:
    small = {"layers": [8], "embedding": 4, "epochs": 3, "refit": refit, "truncate": 16}
    control = Recorder()
    recipe = {"preset": "default", **small}
    artifact = train(TextContent(text=tale(120)), recipe, control=control)
    assert control.stages[3:5] == ["weighing", "judging"]
    card, text = artifact.scorecard, artifact.manifest.text
    assert card.text is not None
    assert text is not None
    assert card.text.ngram_order is not None
    bits, ngram = card.text.bits_per_token, card.text.baselines["ngram"]
    assert bits is not None
    assert ngram is not None
    assert bits <= ngram + 0.01
    assert f"the best n-gram (order {card.text.ngram_order})" in card.verdict
    assert text.states[-1] == State(name="ngram.recent", units=card.text.ngram_order - 1)
    assert {"T", "\n", "<0xFF>"} <= set(text.vocabulary)
    assert artifact.manifest.parity < 1e-5
    assert (artifact.folder / JUDGED).exists() == refit
    other = TextContent(text=tale(120) + "\u732b?")  # nothing is unknown
    again = evaluated(artifact, other, TextContent(text=tale(120)), "served")
    assert again.text is not None
    assert again.text.ngram_order == card.text.ngram_order


def test_a_long_text_gets_fewer_epochs(train: Train) -> None:
    # Of the form that was compiled for the test before.
    small = {"layers": [8], "embedding": 4, "epochs": 5, "token_budget": 15_000, "truncate": 16}
    card = train(TextContent(text=tale(120)), {"preset": "default", **small}).scorecard
    assert card.epochs[-1].epoch == 2


def test_the_ngram_needs_a_stream_and_validation_data(train: Train) -> None:
    for changes, field in (
        ({"reading": "window", "window": 3}, "anchor"),
        ({"validation_fraction": 0.0, "early_stopping": None}, "anchor"),
        ({"tokenizer": "word"}, "unknown"),
    ):
        with pytest.raises(Unprocessable, match=f"recipe.{field}"):
            train(TextContent(text=TEXT), {"preset": "default", **changes})
