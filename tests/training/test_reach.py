"""Test what training reports about gradients: their reach, and how far the weights moved."""

import numpy as np

from app.reading.content import TextContent
from tests.training.runs import SMALL, SMALL_TEXT, Train, series_of, wave


def test_a_series_version_knows_how_far_its_memory_reaches(train: Train) -> None:
    scorecard = train(series_of(wave(120)), SMALL).scorecard
    memory = scorecard.memory
    assert memory is not None
    assert memory.steps == SMALL["window"]
    assert 1 <= memory.examples <= 24
    (layer,) = memory.layers
    assert len(layer.norms) == memory.steps
    assert np.isfinite(layer.norms).all()
    assert 0 <= layer.reached <= memory.steps


def test_so_does_a_text_version(train: Train) -> None:
    text = TextContent(text="the cat saw the dog and the dog saw the cat . " * 12)
    memory = train(text, SMALL_TEXT).scorecard.memory
    assert memory is not None
    assert memory.steps > 1
    assert all(norm > 0 for norm in memory.layers[0].norms[:2])


def test_every_epoch_tells_its_gradient_and_how_far_the_weights_moved(train: Train) -> None:
    epochs = train(series_of(wave(120)), {**SMALL, "early_stopping": None}).scorecard.epochs
    trained = [epoch for epoch in epochs if epoch.epoch > 0]
    assert len(trained) == SMALL["epochs"]
    for epoch in trained:
        assert epoch.gradient_norm is not None
        assert epoch.update_ratio is not None
        # Adam moves each weight by about its learning rate per batch at most; there are 3 batches.
        assert 0 < epoch.update_ratio < 1
