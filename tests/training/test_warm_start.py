"""Test starting from another version's weights."""

import numpy as np
import pytest

from app.errors import Unprocessable
from app.reading.content import TextContent
from app.training.export.artifact import read_weights
from app.training.warm_start import same_vocabulary
from tests.training.runs import SMALL, SMALL_TEXT, Train, series_of, wave
from tests.training.test_recurrence import form, random_weights
from tests.training.test_run_text import TEXT


def test_a_warm_start_begins_where_the_other_version_ended(train: Train) -> None:
    content = series_of(wave(160))
    first = train(content, {**SMALL, "epochs": 12, "learning_rate": 0.01})
    still = {**SMALL, "epochs": 1, "learning_rate": 1e-30, "early_stopping": 1}
    second = train(content, still, start_from=first.folder, start_from_name="trial@1")
    assert second.manifest.start_from == "trial@1"
    before, after = read_weights(first.folder), read_weights(second.folder)
    for name, weight in before.items():
        np.testing.assert_array_equal(after[name], weight)


def test_a_warm_start_says_that_its_figures_may_be_too_good(train: Train) -> None:
    # Held out, although the first version was finally fitted on these rows.
    content, recipe = series_of(wave(160)), {**SMALL, "epochs": 1}
    first = train(content, recipe)
    second = train(content, recipe, start_from=first.folder, start_from_name="trial@1")
    assert first.manifest.refitted
    assert not any("started from" in note for note in first.scorecard.notes)
    assert second.scorecard.notes[0] == (
        "started from trial@1, which may have been fitted on the judged rows: the figures may be "
        "too good"
    )


def test_another_form_is_refused_by_name(train: Train) -> None:
    content = series_of(wave(160))
    first = train(content, {**SMALL, "epochs": 1})
    with pytest.raises(Unprocessable, match=r"start_from: .*layer0.kernel is \(1, 4\) there"):
        train(content, {**SMALL, "layers": [5]}, start_from=first.folder)


def test_words_keep_their_weights_under_another_number(train: Train) -> None:
    first = train(TextContent(text=TEXT), {**SMALL_TEXT, "epochs": 1})
    longer = TextContent(text=f"{TEXT} " + "zebra " * 90)
    train(longer, {**SMALL_TEXT, "epochs": 1}, start_from=first.folder)

    there, here = ("a", "b", "c"), ("c", "new", "a")
    architecture = form("gru", inputs=3, outputs=3, tokens=True, embedding=2)
    fresh, old = random_weights(architecture, seed=1), random_weights(architecture, seed=2)
    moved = same_vocabulary(architecture, fresh, old, there=there, here=here)
    np.testing.assert_array_equal(
        moved["embedding"],
        np.stack([old["embedding"][2], fresh["embedding"][1], old["embedding"][0]]),
    )
    np.testing.assert_array_equal(moved["output.kernel"][:, 0], old["output.kernel"][:, 2])
    np.testing.assert_array_equal(moved["output.kernel"][:, 1], fresh["output.kernel"][:, 1])
    np.testing.assert_array_equal(moved["layer1.recurrent"], old["layer1.recurrent"])
