import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from rich.console import Console, RenderableType

from app.terminal.client import Service, short
from app.terminal.commands.follow_job import loss_to_beat
from app.terminal.commands.lists import jobs_table, models_table
from app.terminal.commands.other_series import others_table
from app.terminal.rendering.figures import ago
from app.terminal.rendering.problems import CommandError

JOB = "01a22f47-227c-7146-b18b-e59e056571fd"
OTHER = "01a22f47-227c-7146-b18b-e59e0410b141"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def shown(table: RenderableType) -> list[str]:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text().splitlines()


def test_a_job_is_one_line_of_80_columns_with_an_id_that_commands_accept() -> None:
    job = {
        "id": JOB,
        "model": "a-model-with-a-very-long-name",
        "status": "succeeded",
        "version": 12,
        "progress": {},
        "created_at": datetime.now(UTC).isoformat(),
    }
    head, _, line = shown(jobs_table([job]))
    assert head.split() == ["job", "model", "status", "version", "progress", "queued"]
    assert line.split() == ["056571fd", "a-model-with-a-very-…", "succeeded", "12", "just", "now"]


def test_a_model_is_one_line_with_what_its_verdict_found() -> None:
    verdict = "no better than `universal`, the best baseline: RMSE 2,160 against 2,122, and so on"
    made = (datetime.now(UTC) - timedelta(hours=3, minutes=5)).isoformat()
    champion = {"version": 3, "skill": 0.72, "verdict": verdict, "created_at": made}
    model = {"name": "wine", "kind": "series", "champion": champion}
    lines = shown(models_table([model, {"name": "new", "kind": "text", "champion": None}]))
    assert lines[2].split("  ")[0] == "wine@3"
    assert lines[2].rstrip().endswith("+0.72  no better than universal  3 h ago")
    assert lines[3].split() == ["new", "text", "–", "nothing", "is", "served", "–"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(59, "just now"), (60, "1 min ago"), (7300, "2 h ago"), (2e5, "2 d ago")]
)
def test_times_are_relative(seconds: float, told: str) -> None:
    assert ago((NOW - timedelta(seconds=seconds)).isoformat(), NOW) == told


def service_with(*ids: str) -> Service:
    answer = {"items": [{"id": each} for each in ids], "next": None}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    return Service("http://127.0.0.1:8000", transport=transport)


def test_a_short_id_stands_for_the_whole_one() -> None:
    with service_with(JOB, OTHER) as service:
        assert service.whole_id("/jobs", short(JOB)) == JOB
        assert service.whole_id("/jobs", OTHER) == OTHER
        with pytest.raises(CommandError, match="0 of the newest 2 ids end with abcdef01"):
            service.whole_id("/jobs", "abcdef01")


def test_the_simple_forecast_sets_the_loss_to_beat() -> None:
    curve = [
        {"stage": "refitting", "epoch": 0, "validation_loss": 9.0},
        {"stage": "training", "epoch": 0, "validation_loss": 0.45},
        {"stage": "training", "epoch": 1, "validation_loss": 0.44},
    ]
    job = {"recipe": {"anchor": "season"}, "start_from": None, "curve": curve}
    assert loss_to_beat(job) == 0.45
    assert loss_to_beat({**job, "curve": curve[2:]}) is None
    assert loss_to_beat({**job, "recipe": {"anchor": "none"}}) is None
    assert loss_to_beat({**job, "start_from": 2}) is None  # then it starts from weights
    assert loss_to_beat(None) is None


def test_the_other_series_of_a_file_are_shown_with_their_next_value() -> None:
    step = {"timestamp": "2007-01-01", "value": 17485.3, "intervals": [{"low": 1.5, "high": 2}]}
    problem = {"error": {"detail": "3 values are too few"}}
    answers: list[dict[str, Any]] = [{"predictions": [step]}, problem]
    lines = shown(others_table(["VIC", "NT"], answers))
    assert lines[2].split() == ["VIC", "2007-01-01", "17485.3", "1.5", "–", "2"]
    assert "3 values are too few" in lines[3]
