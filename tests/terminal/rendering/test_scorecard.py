import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from app.terminal.rendering.scorecard import show_version

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "google-stock",
            ["persistence", "linear autoregression", "worse, p = 0.006", "Its intervals covered"],
        ),
        ("belling-the-cat", ["trigram", "multilayer perceptron", "better, p < 0.001"]),
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
