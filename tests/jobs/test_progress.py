import itertools
from math import inf, nan

from app.jobs.messages import Progress
from app.jobs.progress import CURVE_POINTS, JobProgress


def epoch(number: int, of: int, *, loss: float = 1.0, stage: str = "training") -> Progress:
    return Progress(stage=stage, epoch=number, epochs=of, loss=loss, validation_loss=None)


def test_the_last_report_and_the_curve_are_kept() -> None:
    progress = JobProgress({})

    progress.report(Progress(stage="loading"))
    progress.report(epoch(1, 2, loss=0.5))
    progress.report(epoch(2, 2, loss=0.25))
    progress.report(Progress(stage="judging", eta_seconds=1.5))

    kept = progress.as_json()
    assert kept["stage"] == "judging"
    assert kept["eta_seconds"] == 1.5
    assert kept["epoch"] is None
    assert [(point["epoch"], point["loss"]) for point in kept["curve"]] == [(1, 0.5), (2, 0.25)]


def test_a_resumed_run_replaces_the_epochs_that_it_repeats() -> None:
    first = JobProgress({})
    for number in range(1, 6):
        first.report(epoch(number, 10, loss=9.0))

    second = JobProgress(first.as_json())
    second.report(epoch(3, 10, loss=1.0))

    curve = second.as_json()["curve"]
    assert [(point["epoch"], point["loss"]) for point in curve] == [(1, 9.0), (2, 9.0), (3, 1.0)]


def test_stages_have_curves_of_their_own() -> None:
    progress = JobProgress({})
    progress.report(epoch(1, 1))
    progress.report(epoch(1, 1, stage="refitting"))

    stages = [point["stage"] for point in progress.as_json()["curve"]]
    assert stages == ["training", "refitting"]


def test_a_long_curve_is_thinned_evenly_and_keeps_its_end() -> None:
    progress = JobProgress({})
    for number in range(1, 10_002):
        progress.report(epoch(number, 10_001))

    numbers = [point["epoch"] for point in progress.as_json()["curve"]]
    assert len(numbers) <= CURVE_POINTS + 1
    assert numbers[-1] == 10_001
    steps = {after - before for before, after in itertools.pairwise(numbers[:-1])}
    assert len(steps) == 1


def test_what_json_cannot_say_is_unknown() -> None:
    progress = JobProgress({})
    progress.report(epoch(1, 2, loss=nan))
    progress.report(epoch(2, 2, loss=inf))

    kept = progress.as_json()
    assert kept["loss"] is None
    assert [point["loss"] for point in kept["curve"]] == [None, None]


def test_news_is_marked_until_it_is_written() -> None:
    progress = JobProgress({"stage": "training"})
    assert not progress.unsaved
    progress.report(epoch(1, 2))
    assert progress.unsaved


def test_a_stage_has_a_line_and_its_epochs_about_ten() -> None:
    progress = JobProgress({})
    progress.report(Progress(stage="loading"))
    progress.report(Progress(stage="training"))
    for number in range(1, 196):
        progress.report(epoch(number, 200, loss=0.5))
    progress.report(Progress(stage="judging"))

    assert progress.untold[:3] == ["loading the data", "training", "epoch 20 of 200: loss 0.5"]
    assert progress.untold[-2:] == ["epoch 180 of 200: loss 0.5", "judging on held-out data"]
    assert len(progress.untold) == 12


def test_few_epochs_have_a_line_each_and_a_resumed_run_says_where() -> None:
    progress = JobProgress({})
    for number in (2, 3):
        progress.report(epoch(number, 3, loss=0.25))

    assert progress.untold == [
        "training, from epoch 2 of 3",
        "epoch 2 of 3: loss 0.25",
        "epoch 3 of 3: loss 0.25",
    ]
