"""Check that an interrupted and resumed training ends like an uninterrupted one."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.artifact.files import JUDGED, MODEL, SCORECARD, WEIGHTS
from app.reading.content import DatasetContent, TextContent
from app.training import run_state
from app.training.checkpoints import (
    Saved,
    newest_checkpoint,
    read_checkpoint,
    run_key,
    write_checkpoint,
)
from app.training.control import StopRequestedError
from app.training.run import run_training
from tests.training.runs import SMALL, SMALL_TEXT, Recorder, Train, request_of, series_of, wave
from tests.training.test_run_text import TEXT

SERIES = series_of(wave(160))


@pytest.mark.parametrize(
    ("content", "recipe"),
    [(SERIES, {**SMALL, "anchor": "auto"}), (TextContent(text=TEXT), SMALL_TEXT)],
)
@pytest.mark.parametrize("stops", [(4,), (9, 9, 9)])
def test_a_stopped_and_resumed_run_gives_the_same_bytes(
    train: Train,
    tmp_path: Path,
    content: DatasetContent,
    recipe: dict[str, Any],
    stops: tuple[int, ...],
) -> None:
    straight = train(content, recipe)
    request = request_of(tmp_path / "stopped", content, recipe)
    for look in stops:
        control = Recorder(stop_at=look)
        with pytest.raises(StopRequestedError):
            run_training(request, control)
        assert control.checkpoints[-1] == newest_checkpoint(request.checkpoint_dir)
    run_training(request, Recorder())
    for name in (MODEL, JUDGED, WEIGHTS, SCORECARD):
        assert (request.output_dir / name).read_bytes() == straight.bytes_of(name)


class StoppedIn(Recorder):
    """Stops as soon as a certain stage, and an epoch in it, has been reached."""

    def __init__(self, stage: str, *, epoch: int) -> None:
        super().__init__()
        self.stage, self.epoch = stage, epoch

    def check(self) -> None:
        last = self.progressed[-1]
        if last.stage == self.stage and (last.epoch or 0) >= self.epoch:
            raise StopRequestedError(checkpoint=True)


def test_a_second_stop_does_not_lose_what_was_not_come_to_again(tmp_path: Path) -> None:
    request = request_of(tmp_path, SERIES, SMALL)
    for control in (StoppedIn("refitting", epoch=2), StoppedIn("judging", epoch=0)):
        with pytest.raises(StopRequestedError):
            run_training(request, control)
        saved = read_checkpoint(request.checkpoint_dir, run=run_key(request))
        assert saved is not None
        assert saved.values["fits"]["refitting"]["epoch"] == 3
        assert "refitting/weights.0" in saved.arrays


def test_a_stop_without_a_checkpoint_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_state, "CHECKPOINT_SECONDS", math.inf)
    request = request_of(tmp_path, SERIES, SMALL)
    control = Recorder(stop_at=5, leave_checkpoint=False)
    with pytest.raises(StopRequestedError):
        run_training(request, control)
    assert control.checkpoints == []
    assert newest_checkpoint(request.checkpoint_dir) is None


def test_checkpoints_come_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_state, "CHECKPOINT_SECONDS", 0.0)
    request, control = request_of(tmp_path, SERIES, SMALL), Recorder()
    run_training(request, control)
    names = [path.name for path in control.checkpoints]
    assert len(names) > 3
    assert names == sorted(set(names))


def test_a_checkpoint_of_another_run_or_a_broken_one_is_not_taken(tmp_path: Path) -> None:
    request = request_of(tmp_path, SERIES, SMALL)
    folder = request.checkpoint_dir
    key = run_key(request)
    assert key != run_key(request_of(tmp_path / "other", SERIES, {**SMALL, "epochs": 5}))
    array = np.arange(6, dtype=np.float64).reshape(2, 3).T
    arrays = {"a": array, "number": np.array(7)}
    path = write_checkpoint(folder, Saved(run=key, values={"x": 0.1}, arrays=arrays))
    saved = read_checkpoint(folder, run=key)
    assert saved is not None
    assert saved.values == {"x": 0.1}
    assert np.array_equal(saved.arrays["a"], array)
    assert saved.arrays["number"].shape == ()
    assert read_checkpoint(folder, run="another") is None
    path.write_bytes(path.read_bytes()[:-5])
    assert read_checkpoint(folder, run=key) is None
    run_training(request, Recorder())  # and the training simply starts again
