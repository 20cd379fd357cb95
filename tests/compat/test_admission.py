"""Who may call by another protocol, and how they are told that they may not."""

from __future__ import annotations  # that name types of libraries imported late

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import tritonclient.http as triton
from sqlalchemy import func, select
from tritonclient.utils import InferenceServerException

from app.storage.access_tables import AuditEntry
from tests.artifacts import persistence_artifact, stream_text_artifact
from tests.database import own_database
from tests.service import Service, running_service

ADMIN = "the admin's key"
AS_ADMIN = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def guarded(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("guarded")
    with own_database(cluster) as url, running_service(url, folder, api_key=ADMIN) as running:
        for name in ("prices", "others"):
            running.register(name, persistence_artifact())
        running.register("letters", stream_text_artifact())
        yield running


@pytest.fixture
def client(guarded: Service) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(guarded.url.removeprefix("http://")) as made:
        yield made


def make_key(service: Service, **wanted: object) -> dict[str, str]:
    """Return the headers of a new key that is for `prices`."""
    body = {"name": f"key {wanted}", "scope": "predict", "models": ["prices"], **wanted}
    answer = service.client.post("/keys", json=body, headers=AS_ADMIN)
    return {"Authorization": f"Bearer {answer.json()['key']}"}


def ask(
    client: triton.InferenceServerClient, model: str, headers: dict[str, str] | None, rows: int = 1
) -> triton.InferResult:
    history = np.ones((rows, 3))
    given = triton.InferInput("history", list(history.shape), "FP64")
    given.set_data_from_numpy(history)
    return client.infer(model, [given], headers=headers)


def test_probes_need_no_key_and_predictions_do(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    with pytest.raises(InferenceServerException) as refused:
        ask(client, "prices", None)
    assert refused.value.status() == "401"
    assert refused.value.message().startswith("this service requires a key")


def test_a_key_for_certain_models_reaches_no_other(
    guarded: Service, client: triton.InferenceServerClient
) -> None:
    key = make_key(guarded, name="one model")
    ask(client, "prices", key)
    ask(client, "prices@1", key)
    for name in ("others", "others@1"):
        with pytest.raises(InferenceServerException) as refused:
            ask(client, name, key)
        assert refused.value.status() == "403"
        assert "this key is for prices" in refused.value.message()
    index = client.get_model_repository_index(headers=key)
    assert {entry["name"] for entry in index} == {"prices"}


def test_each_row_counts_against_the_limit_of_a_key(
    guarded: Service, client: triton.InferenceServerClient
) -> None:
    key = make_key(guarded, name="few", limits={"predictions_per_minute": 5})
    ask(client, "prices", key, rows=4)
    with pytest.raises(InferenceServerException) as refused:
        ask(client, "prices", key, rows=4)
    assert refused.value.status() == "429"


def test_a_completion_needs_a_key_for_its_model(guarded: Service) -> None:
    def complete(key: str, model: str) -> openai.APIStatusError:
        with (
            openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=key, max_retries=0) as client,
            pytest.raises(openai.APIStatusError) as refused,
        ):
            client.completions.create(model=model, prompt="a")
        return refused.value

    key = make_key(guarded, name="completions")["Authorization"].removeprefix("Bearer ")
    wrong = complete("nobody's", "prices")
    assert (wrong.status_code, wrong.code) == (401, "invalid_api_key")
    assert complete(key, "others").status_code == 403
    assert "forecasts series" in complete(key, "prices").message
    limits = {"predictions_per_minute": 1}
    few = make_key(guarded, name="one completion", models=["letters"], limits=limits)
    asked = {"model": "letters", "prompt": ["a", "b"]}
    limited = guarded.client.post("/v1/completions", json=asked, headers=few)
    assert limited.status_code == 429
    assert limited.headers["Retry-After"]
    assert limited.json()["error"]["type"] == "rate_limit_error"


def test_a_tool_does_what_its_key_may_do(guarded: Service) -> None:
    def use(key: dict[str, str], name: str, **arguments: object) -> str:
        params = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"Accept": "application/json, text/event-stream", **key}
        answer = guarded.client.post("/mcp", json=body, headers=headers)
        return answer.text

    assert "requires a key" in use({}, "list_models")
    key = make_key(guarded, name="agent")
    history = [1.0, 2.0, 3.0]
    assert "step 1: 3" in use(key, "forecast_values", model="prices", history=history)
    assert "this key is for prices" in use(key, "forecast_values", model="others", history=history)
    refused = use(key, "upload_csv", content="a\n1\n")
    assert "this key has the scope predict" in refused
    few = make_key(guarded, name="two calls", limits={"predictions_per_minute": 1})
    assert "step 1: 3" in use(few, "forecast_values", model="prices", history=history)
    assert "limit" in use(few, "forecast_values", model="prices", history=history)


def test_a_refusal_keeps_its_headers(guarded: Service) -> None:
    answer = httpx.get(f"{guarded.url}/v2/models/prices")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.headers["X-Request-Id"]


def test_asking_is_no_change_for_the_audit_list(
    guarded: Service, client: triton.InferenceServerClient
) -> None:
    def entries() -> int | None:
        with guarded.sessions() as session:
            return session.scalar(select(func.count()).select_from(AuditEntry))

    before = entries()
    ask(client, "prices", AS_ADMIN)
    client.get_model_repository_index(headers=AS_ADMIN)
    assert entries() == before
