"""A file of very many series is learnt from some of them, and says so."""

import numpy as np
import pytest

from app.training.series import data
from tests.training.runs import SMALL, Train, long_file


def test_very_many_series_are_sampled_and_the_scorecard_says_so(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_SERIES", 4)
    days = np.arange(60)
    content = long_file([100 + level + np.sin(days) for level in range(6)])
    trained = train(
        content, {**SMALL, "anchor": "average", "window": None, "epochs": 1, "horizon": 2}
    )
    described = trained.manifest.series
    assert described is not None
    # A series that was left out is forecast in the same way as one that was not.
    assert described.labels == ()
    assert described.anchor is not None
    assert not described.anchor.own
    assert any("4 of 6 series" in note for note in trained.scorecard.notes)
