"""Test `evaluate` and `compare` with answers like the service's."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from rich.console import Console

from app.terminal.client import Service
from app.terminal.commands import compare, evaluate
from app.terminal.commands.compare import run_newest, shown
from app.terminal.commands.evaluate import EvaluationOrder, run_evaluate
from app.terminal.rendering.problems import CommandError

MODELS = Path(__file__).resolve().parents[3] / "models"
SCORECARD = json.loads((MODELS / "google-stock" / "1" / "scorecard.json").read_text())


def cell(name: str, status: str, **figures: Any) -> dict[str, Any]:  # noqa: ANN401
    whole = {
        "rmse": 2.5,
        "mae": 2.0,
        "accuracy": None,
        "bits_per_token": None,
        "parameters": 4385,
        "training_seconds": 12.3,
        "beside": "best",
        "p_value": None,
    }
    return {
        "cell": name,
        "job": name,
        "status": status,
        "note": None,
        "progress": {"stage": "training", "epoch": 3, "epochs": 60},
        "error": None,
        "version": 1 if figures else None,
        "figures": {**whole, **figures} if figures else None,
    }


def comparison(status: str, *cells: dict[str, Any], verdict: str | None = None) -> dict[str, Any]:
    mlp = {"name": "mlp", "rmse": 5.0, "mae": 4.0, "best_cell_is": {"verdict": "better"}}
    return {
        "id": "c",
        "model": "prices",
        "kind": "series",
        "status": status,
        "cells": list(cells),
        "baselines": [mlp],
        "best": "gru",
        "verdict": verdict,
    }


DONE = comparison(
    "succeeded",
    cell("rnn", "succeeded", rmse=2.6, beside="worse", p_value=0.0004),
    cell("gru", "succeeded", rmse=2.5),
    cell("lstm", "succeeded", rmse=2.51, beside="within noise", p_value=0.4),
    verdict="GRU has the least error",
)
HALF = comparison(
    "running", cell("rnn", "succeeded", rmse=2.6), cell("gru", "running"), cell("lstm", "queued")
)


def text_of(whole: dict[str, Any]) -> str:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(shown(whole))
    return console.export_text()


def answering(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, answers: dict[str, Iterator[Any]]
) -> list[httpx.Request]:
    """Let a command talk to a table of answers by path; return its requests."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        request.read()
        return httpx.Response(200, json=next(answers[request.url.path]))

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(module, "Service", lambda url: Service(url, transport=transport))
    return asked


def test_cells_stand_beside_the_baselines_with_bars_and_a_verdict() -> None:
    told = text_of(DONE)

    lines = {line.split()[0].partition("@")[0]: line for line in told.splitlines() if "█" in line}
    assert "worse, p < 0.001" in lines["RNN"]
    assert "the best" in lines["GRU"]
    assert "within noise, p = 0.4" in lines["LSTM"]
    assert lines["multilayer"].count("█") == 2 * lines["GRU"].count("█")
    assert "best cell: better" in lines["multilayer"]
    assert told.rstrip().endswith("GRU has the least error")


def test_what_trains_is_shown_with_its_progress() -> None:
    told = text_of(HALF)

    assert "training, epoch 3 of 60" in told
    assert "waiting for a worker" in told


def test_the_newest_comparison_is_followed_to_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "LOOK_AGAIN_SECONDS", 0.0)
    answers: dict[str, Iterator[Any]] = {
        "/models/prices/comparisons": iter([{"items": [HALF], "next": None}]),
        "/models/prices/comparisons/c": iter([HALF, DONE]),
    }
    answering(monkeypatch, compare, answers)

    run_newest("http://service", "prices", as_json=True)

    assert json.loads(capsys.readouterr().out) == DONE


def test_without_a_file_or_a_comparison_it_is_told_what_to_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty: dict[str, Any] = {"items": [], "next": None}
    answering(monkeypatch, compare, {"/models/prices/comparisons": iter([empty])})

    with pytest.raises(CommandError, match="compare FILE"):
        run_newest("http://service", None, as_json=False)
    with pytest.raises(CommandError, match="prices has no comparison yet"):
        run_newest("http://service", "prices", as_json=False)


def test_a_file_is_sent_and_its_scorecard_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "january.csv"
    file.write_text("Date,Open\n2017-01-03,1\n")
    base = "/models/google-stock"
    version = {"model": "google-stock", "version": 1}
    answers: dict[str, Iterator[Any]] = {
        base: iter([{"aliases": {"champion": 1}}]),
        f"{base}/versions/1": iter([version]),
        f"{base}/versions/1/evaluate": iter([{"scorecard": SCORECARD}]),
    }
    asked = answering(monkeypatch, evaluate, answers)

    order = EvaluationOrder(model="google-stock", file=file, network="served", read=("decimal=,",))
    run_evaluate("http://service", order, as_json=False)

    sent = asked[-1].content
    assert b"2017-01-03,1" in sent
    assert b'{"decimal": ","}' in sent
    assert b"served" in sent
    told = capsys.readouterr().out
    assert "Version 1 of google-stock on january.csv" in told
    assert SCORECARD["verdict"][:40] in told
    assert "copy the previous value" in " ".join(told.split())
