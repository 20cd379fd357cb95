"""Pretrain a tiny network for a few updates."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from app.artifact.files import read_artifact
from models.pretrain import loop, program
from models.pretrain.__main__ import main
from models.pretrain.loop import Loop
from models.pretrain.plan import DECAY_SHARE, WARM_UP, Plan

UPDATES = 4


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks of one or two updates instead of dozens, and leave the graph uncompiled."""
    monkeypatch.setattr(loop, "BLOCK", 48)
    monkeypatch.setattr(program, "XLA", False)


def plan(updates: int = UPDATES) -> Plan:
    return Plan(seed=3, minutes=None, updates=updates, units=8, hidden=8, learning_rate=0.01)


def trained(folder: Path, *updates: int) -> Loop:
    """Run the loop up to each number of updates in turn, always from the previous checkpoint."""
    folder.mkdir()
    for count in updates:
        run = Loop(plan(), folder, say=lambda _: None)
        run.run(until=count / UPDATES)
    return run


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_resumed_run_gives_the_weights_of_one_that_was_not_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    straight = trained(tmp_path / "straight", UPDATES)
    resumed = trained(tmp_path / "resumed", 1, UPDATES)

    assert straight.progress.updates == resumed.progress.updates == UPDATES
    for name, array in straight.averaged().items():
        np.testing.assert_array_equal(array, resumed.averaged()[name])
    start = Loop(plan(), tmp_path, say=lambda _: None).averaged()
    assert any((array != start[name]).any() for name, array in straight.averaged().items())


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pretraining_ends_in_an_artifact_that_says_what_it_was_judged_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch)
    arguments = ["--seed", "3", "--units", "8", "--hidden", "8", "--updates", "3"]
    folders = ["--checkpoints", str(tmp_path / "runs"), "--output", str(tmp_path / "1")]
    assert main([*arguments, *folders]) == 0

    assert "validation, long" in capsys.readouterr().out
    manifest, scorecard = read_artifact(tmp_path / "1")
    assert manifest.parity < 1e-3
    assert scorecard.series is not None
    assert {step.step for step in scorecard.series.steps} >= {1, 64}
    assert any("no training saw" in note for note in scorecard.notes)
    weights = load_file(tmp_path / "1" / "weights.safetensors")
    assert weights["layer1.recurrent"].shape == (8, 32)


def test_the_learning_rate_warms_up_stays_and_goes_down() -> None:
    shares = plan()
    rates = [
        shares.rate(share=share, updates=updates)
        for share, updates in ((0.0, 0), (0.1, WARM_UP), (1 - DECAY_SHARE, 10**6), (1.0, 10**6))
    ]

    assert rates[0] < 0.01 * rates[1]
    assert rates[1] == pytest.approx(rates[2]) == pytest.approx(0.01)
    assert rates[3] < 0.02 * rates[2]
