"""The Model Context Protocol, by the client of its SDK."""

import asyncio
from typing import Any

import httpx
import mcp
import pytest
from sqlalchemy import select

from app.compat.agents.wording import job_in_words, scorecard_in_words, worth_of
from app.storage.access_tables import AuditEntry
from app.storage.tables import Prediction
from tests.service import Service

CSV = "day,Open\n" + "".join(f"2026-01-{day:02d},{100 + day}\n" for day in range(1, 31))


class Result:
    """What an agent reads."""

    def __init__(self, *, words: str, structured: dict[str, Any] | None, is_error: bool) -> None:
        self.words = words
        self.structured = structured or {}
        self.is_error = is_error


def use(service: Service, tool: str, **arguments: object) -> Result:
    async def ask() -> Result:
        async with mcp.Client(f"{service.url}/mcp") as client:
            found = await client.call_tool(tool, arguments)
        (content,) = found.content
        assert isinstance(content, mcp.types.TextContent)
        return Result(
            words=content.text,
            structured=found.structured_content,
            is_error=bool(found.is_error),
        )

    return asyncio.run(ask())


def test_the_tools_describe_themselves(service: Service) -> None:
    async def ask() -> dict[str, dict[str, Any]]:
        async with mcp.Client(f"{service.url}/mcp") as client:
            assert "verdict" in (client.instructions or "")
            return {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}

    schemas = asyncio.run(ask())
    assert set(schemas) == {
        *("list_models", "scorecard", "forecast_values", "forecast_dataset", "continue_text"),
        *("upload_csv", "start_training", "read_job"),
    }
    assert schemas["forecast_values"]["required"] == ["history"]
    for schema in schemas.values():
        assert all(field["description"] for field in schema["properties"].values())


def test_models_are_listed_with_their_verdicts(service: Service) -> None:
    found = use(service, "list_models")
    assert "fable@1 (text): made up\n" in found.words
    assert [model["name"] for model in found.structured["models"]] == sorted(
        model["name"] for model in found.structured["models"]
    )


def test_a_forecast_begins_with_its_worth_and_is_logged(service: Service) -> None:
    found = use(
        service,
        "forecast_values",
        model="calibrated",
        history=[1.0, 2.0, 3.5],
        horizon=3,
        levels=[80],
        timestamps=["2026-01-01", "2026-01-02", "2026-01-04"],
        series="agents",
    )
    lines = found.words.splitlines()
    assert lines[0].startswith("calibrated@1: ")
    assert lines[1].startswith("Skill: ")
    assert any(line.startswith("Warning: ") for line in lines[2 : lines.index("Forecast:")])
    assert "step 1 (2026-01-05): 4.5, 80 % between -3.5 and 12.5" in lines
    assert found.structured["verdict"] == lines[0].removeprefix("calibrated@1: ")
    with service.sessions() as session:
        row = session.scalars(select(Prediction).where(Prediction.series == "agents")).one()
    assert str(row.id) == found.structured["id"]


def test_a_text_is_continued(service: Service) -> None:
    found = use(service, "continue_text", model="fable@1", text="long ago cat", steps=2)
    assert found.words.startswith("fable@1: made up\nSkill: not measured")
    assert found.structured["text"] == "long ago cat bell ."


def test_a_scorecard_is_put_into_words(service: Service) -> None:
    for reference in ("prices", "prices@champion", "prices@1"):
        found = use(service, "scorecard", model=reference)
        assert found.words.startswith("prices@1: ")
        assert "\n- persistence: 1\n" in found.words + "\n"
        assert "curve" not in found.structured["scorecard"]["series"]


def test_a_file_becomes_a_dataset_a_forecast_and_a_training(service: Service) -> None:
    uploaded = use(service, "upload_csv", content=CSV, filename="sales.csv")
    assert "30 rows used, 2026-01-01 to 2026-01-30, every D." in uploaded.words
    dataset = uploaded.structured["dataset"]["id"]
    forecast = use(service, "forecast_dataset", model="calibrated", dataset=dataset, horizon=1)
    assert "step 1 (2026-01-31): 131" in forecast.words
    recipe = {"epochs": 3, "horizon": 1}
    ordered = use(service, "start_training", model="agents", dataset=dataset, recipe=recipe)
    job = ordered.structured["job"]
    assert (job["dataset"], job["target"], job["recipe"]["epochs"]) == (dataset, "Open", 3)
    read = use(service, "read_job", job=job["id"])
    assert read.words.startswith(f"Job {job['id']} for agents: queued.")
    with service.sessions() as session:
        changes = session.scalars(select(AuditEntry.path)).all()
    assert "/models/agents/train" in changes
    assert "/mcp" not in changes


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        (
            "forecast_values",
            {"model": "nobody", "history": [1, 2, 3]},
            "there is no model 'nobody'",
        ),
        ("forecast_values", {"model": "prices", "history": [1]}, "needs at least 3"),
        ("forecast_values", {}, "history"),
        (
            "forecast_values",
            {"model": "prices", "history": {"Open": [1, 2, 3]}, "future": {"day": ["Mon"]}},
            "prices@1 has no columns known ahead",
        ),
        ("scorecard", {"model": "prices@99"}, "99"),
        ("scorecard", {"model": "../audit"}, "model"),
        ("upload_csv", {"content": "https://example.com/data.csv"}, "Unprocessable"),
        ("read_job", {"job": "not a job"}, "job"),
    ],
)
def test_what_fails_says_why(
    service: Service, tool: str, arguments: dict[str, object], message: str
) -> None:
    found = use(service, tool, **arguments)
    assert found.is_error
    assert message in found.words


def test_an_older_client_begins_with_a_handshake(service: Service) -> None:
    def send(method: str, **params: object) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        accept = {"Accept": "application/json, text/event-stream"}
        found: dict[str, Any] = service.client.post("/mcp", json=body, headers=accept).json()
        result: dict[str, Any] = found["result"]
        return result

    about = {"name": "old", "version": "1"}
    begun = send("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=about)
    assert begun["serverInfo"]["name"] == "stepahead"
    listed = send("tools/call", name="list_models", arguments={})
    assert "prices@1" in listed["content"][0]["text"]


def test_nothing_is_sent_without_a_question(service: Service) -> None:
    answer = service.client.get("/mcp")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_no_page_of_another_site_uses_the_tools(service: Service) -> None:
    answer = httpx.post(f"{service.url}/mcp", json={}, headers={"Origin": "http://example.com"})
    assert answer.status_code == 403


def test_a_job_says_how_far_it_is_and_why_it_failed() -> None:
    progress = {"stage": "training", "epoch": 3, "epochs": 9, "eta_seconds": 4.6}
    job = {"id": "7", "model": "shop", "status": "running", "note": None, "error": None}
    assert job_in_words({**job, "progress": progress}, None) == (
        "Job 7 for shop: running.\nStage: training, epoch 3 of 9, about 5 s left."
    )
    failed = {**job, "status": "failed", "progress": progress, "error": {"detail": "no rows"}}
    assert job_in_words(failed, None) == "Job 7 for shop: failed.\nWhy: no rows"
    done = {**job, "status": "succeeded", "progress": progress, "version": 2}
    assert job_in_words(done, "worse").endswith("\nshop@2: worse")


def test_a_skill_is_told_with_what_it_is_measured_against() -> None:
    answer = {"model": "shop", "version": 2, "skill": -0.5, "baseline": "drift", "warnings": ["w"]}
    assert worth_of(answer, "worse") == [
        "shop@2: worse",
        "Skill: -0.50, not better than drift.",
        "Warning: w",
    ]


def test_bits_that_are_not_finite_are_told() -> None:
    text = {"bits_per_token": None, "baselines": {"trigram": 2.51234}}
    card: dict[str, Any] = {
        "verdict": "v",
        "judged_on": "test",
        "skill": None,
        "skill_missing": "zero",
        "notes": [],
    }
    version = {"model": "m", "version": 1, "scorecard": {**card, "series": None, "text": text}}
    assert scorecard_in_words(version).splitlines()[2:] == [
        "Skill: zero.",
        "Bits per token: not finite; of simple models:",
        "- trigram: 2.512",
    ]
