import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from app.judging.series_score import score_series
from app.terminal.rendering.figures import measured
from app.terminal.rendering.scorecard import show_version
from tests.judging.series import judged_series, seasonal

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "google-stock",
            ["persistence", "linear autoregression", "worse, p = 0.006", "Its intervals covered"],
        ),
        ("belling-the-cat", ["trigram", "multilayer perceptron", "by heart"]),
        ("hello", ["trigram", "4 of 4"]),
    ],
)
def test_every_baseline_is_shown_with_what_noise_could_do(name: str, words: list[str]) -> None:
    scorecard = json.loads((MODELS / name / "1" / "scorecard.json").read_text())
    console = Console(width=120, record=True, file=io.StringIO())
    show_version(console, {"scorecard": scorecard, "decision": None})
    shown = console.export_text()
    assert scorecard["verdict"][:40] in shown
    for word in words:
        assert word in shown


def test_nothing_is_called_better_where_nothing_was_held_out() -> None:
    scorecard = json.loads((MODELS / "belling-the-cat" / "1" / "scorecard.json").read_text())
    assert scorecard["text"]["against"]["trigram"]["verdict"] == "better"
    console = Console(width=120, record=True, file=io.StringIO())
    show_version(console, {"scorecard": scorecard, "decision": None})
    assert "better" not in console.export_text()


def test_figures_are_over_the_horizon_with_the_first_step_and_the_curve_beside() -> None:
    score = score_series([judged_series(seasonal(140), 100, horizon=5)])
    scorecard = {
        "verdict": "made up",
        "judged_on": "held-out",
        "network": "served",
        "notes": [],
        "text": None,
        "series": json.loads(score.model_dump_json()),
    }
    console = Console(record=True, width=120, file=io.StringIO())
    show_version(console, {"scorecard": scorecard, "decision": None})
    shown = console.export_text()

    assert score.all_steps is not None
    assert "over 5 steps ahead" in shown
    assert measured(score.all_steps.model.rmse) in shown
    assert measured(score.model.rmse) in shown
    by_step = shown.split("RMSE by step ahead")[1]
    for step in score.steps:
        assert measured(step.model.rmse) in by_step
        assert measured(step.baselines["persistence"].rmse) in by_step
