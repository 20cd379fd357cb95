"""Test the api process as a whole: what it loads, who may call, what an operator sees."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.access.admission import WrongKeys
from app.config import Settings
from app.http.health import Health
from app.main import create_app, draining_at_sigterm
from app.storage.migrate import upgrade
from tests.artifacts import persistence_artifact
from tests.database import create_database, drop_database, own_database, url_of
from tests.service import Service, eventually, running_service

PROJECT = Path(__file__).resolve().parent.parent
KEY = "a key of the test"
BODY: dict[str, object] = {"model": "prices", "history": [1.0, 2.0, 3.0]}


def in_a_fresh_interpreter(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout


def test_the_api_starts_without_what_is_heavy_or_rarely_used() -> None:
    loaded = in_a_fresh_interpreter("import sys, app.main; print(*sys.modules)").split()
    heavy = {"tensorflow", "keras", "pandas", "sklearn", "scipy", "onnx", "h5py", "app.training"}
    rarely_used = {"httpx", "httpx2", "mcp", "mcp_types", "openai"}
    assert (heavy | rarely_used) & set(loaded) == set()


def test_without_a_database_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STEPAHEAD_DATABASE_URL", raising=False)
    with pytest.raises(ValueError, match="STEPAHEAD_DATABASE_URL"):
        create_app(Settings())


def test_a_key_is_taken_without_the_line_end_that_secrets_come_with() -> None:
    key = Settings(api_key=SecretStr(" sesame\n")).api_key
    assert key is not None
    assert key.get_secret_value() == "sesame"
    with pytest.raises(ValidationError, match="is blank"):
        Settings(api_key=SecretStr(" \n"))


KEYED, ANONYMOUS = {"api_key": SecretStr(KEY)}, {"allow_anonymous": True}


@pytest.mark.parametrize("beyond", ["0.0.0.0", "::", "192.168.0.7", "localhost.example"])  # noqa: S104
def test_beyond_this_machine_it_needs_a_key_or_leave_to_do_without(beyond: str) -> None:
    with pytest.raises(ValidationError, match="reachable from other machines: set STEPAHEAD_API"):
        Settings(host=beyond)
    for given in (KEYED, ANONYMOUS):
        assert not Settings(host=beyond, **given).is_for_this_machine


@pytest.mark.parametrize("here", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_it_needs_none_and_is_for_it_alone_without(here: str) -> None:
    assert Settings(host=here).is_for_this_machine
    for given in (KEYED, ANONYMOUS):
        assert not Settings(host=here, **given).is_for_this_machine


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("open")
    with (
        own_database(cluster) as database_url,
        running_service(database_url, folder, max_body_bytes=2000) as running,
    ):
        running.register("prices", persistence_artifact())
        yield running


@pytest.fixture(scope="module")
def guarded(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("guarded")
    with (
        own_database(cluster) as database_url,
        running_service(database_url, folder, api_key=KEY) as running,
    ):
        running.register("prices", persistence_artifact())
        yield running


@pytest.mark.parametrize("path", ["/predict", "/livez", "/nowhere"])
def test_every_answer_carries_a_request_id(service: Service, path: str) -> None:
    method = "POST" if path == "/predict" else "GET"
    given = service.client.request(
        method, path, json=BODY, headers={"X-Request-Id": "order-66.retry:2"}
    )
    assert given.headers["X-Request-Id"] == "order-66.retry:2"
    made = service.client.request(method, path, json=BODY)
    assert len(made.headers["X-Request-Id"]) == 36
    for asked, kept in (("a b", False), ("x" * 128, True), ("x" * 129, False)):
        answer = service.client.request(method, path, json=BODY, headers={"X-Request-Id": asked})
        assert (answer.headers["X-Request-Id"] == asked) is kept


def test_the_log_keeps_the_request_id(service: Service) -> None:
    answer = service.client.post("/predict", json=BODY, headers={"X-Request-Id": "find-me"})
    page = service.client.get("/predictions", params={"request_id": "find-me"}).json()
    assert [item["id"] for item in page["items"]] == [answer.json()["id"]]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer another"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer{KEY}"},
        {"Authorization": "bearer"},
        {"Authorization": f"Bearer {KEY} "[:-2]},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/models", "/metrics", "/openapi.json", "/nowhere"])
def test_with_a_key_set_nobody_asks_without_it(
    guarded: Service, path: str, headers: dict[str, str]
) -> None:
    method = "POST" if path == "/predict" else "GET"
    guarded.app.state.admission._wrong = WrongKeys()  # no other case counts here
    answer = guarded.client.request(method, path, json=BODY, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["status"] == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_with_the_key_one_is_answered(guarded: Service, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {KEY}"}
    assert guarded.client.post("/predict", json=BODY, headers=headers).status_code == 200
    assert guarded.client.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_a_probe_may_ask_for_the_head_alone(service: Service, path: str) -> None:
    answer = service.client.head(path)
    whole = service.client.get(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Content-Type"] == whole.headers["Content-Type"]
    assert whole.content


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_need_no_key(guarded: Service, path: str) -> None:
    assert guarded.client.get(path).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_write_from_another_sites_page_is_forbidden(service: Service, origin: str) -> None:
    answer = service.client.post("/predict", json=BODY, headers={"Origin": origin})
    assert answer.status_code == 403
    assert service.client.get("/livez", headers={"Origin": origin}).status_code == 200


def test_a_write_from_our_own_page_is_not(service: Service) -> None:
    answer = service.client.post("/predict", json=BODY, headers={"Origin": service.url})
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["evil.example:8000", "10.0.0.1", "localhost.evil.example"])
def test_a_service_for_this_machine_answers_to_no_other_name(service: Service, name: str) -> None:
    answer = service.client.post(
        "/predict", json=BODY, headers={"Host": name, "Origin": f"http://{name}"}
    )
    assert answer.status_code == 403
    assert "STEPAHEAD_API_KEY" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:80", "127.0.0.1", "[::1]:8000"])
def test_it_answers_to_any_name_of_this_machine(service: Service, name: str) -> None:
    answer = service.client.post("/predict", json=BODY, headers={"Host": name})
    assert answer.status_code == 200


def test_with_a_key_it_answers_to_any_name(guarded: Service) -> None:
    assert guarded.client.get("/livez", headers={"Host": "models.example"}).status_code == 200


def pieces() -> Iterator[bytes]:
    for _ in range(30):
        yield b" " * 100


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/predict"), ("PUT", "/models/prices/aliases/champion")]
)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused(
    service: Service, method: str, path: str, *, announced: bool
) -> None:
    content = b"".join(pieces()) if announced else pieces()
    headers = {"Content-Type": "application/json"}
    answer = service.client.request(method, path, content=content, headers=headers)
    assert answer.status_code == 413
    assert "2000" in answer.json()["detail"]


def test_a_body_over_the_limit_is_refused_even_if_it_arrives_in_one_piece(service: Service) -> None:
    address = service.client.base_url
    chunk = b" " * 3000
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(head + b"%x\r\n" % len(chunk) + chunk + b"\r\n0\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/predict", BODY),
        ("PUT", "/models/prices/aliases/limit", {"version": 1, "reason": "as large as it may be"}),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_just_the_limit_is_read(
    service: Service, method: str, path: str, body: dict[str, object], *, announced: bool
) -> None:
    whole = json.dumps(body).encode().ljust(2000)
    content = whole if announced else iter((whole[:1500], whole[1500:]))
    headers = {"Content-Type": "application/json"}
    answer = service.client.request(method, path, content=content, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_the_content_type_alone_does_not_make_an_upload(
    service: Service, *, announced: bool
) -> None:
    content = b"".join(pieces()) if announced else pieces()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    path = "/models/prices/aliases/champion"
    assert service.client.put(path, content=content, headers=headers).status_code == 413


def test_an_upload_has_a_limit_of_its_own_however_its_type_is_spelled(service: Service) -> None:
    headers = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    answer = service.client.post("/datasets", content=b" " * 3000, headers=headers)
    assert answer.status_code == 400  # it was read, but is not a form


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/predict"), ("PUT", "/models/prices/aliases/champion")]
)
def test_a_body_of_another_kind_is_refused_with_the_right_one(
    service: Service, method: str, path: str
) -> None:
    answer = service.client.request(
        method,
        path,
        content=json.dumps(BODY),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_metrics_count_what_happened(service: Service) -> None:
    def value(name: str) -> float:
        lines = service.client.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    answered = 'stepahead_http_requests_total{method="POST",path="/predict",status="200"}'
    before = value(answered), value("stepahead_log_writes_total")
    assert service.predict(**BODY).status_code == 200
    assert value(answered) == before[0] + 1
    assert value("stepahead_log_writes_total") == before[1] + 1
    assert value("stepahead_loaded_models ") == 1
    assert value("stepahead_batch_rows_count") >= 1
    assert value("stepahead_log_commit_rows_count") >= 1
    assert value('stepahead_jobs{status="queued"}') == 0


def test_metrics_name_routes_and_not_what_callers_typed(service: Service) -> None:
    service.client.get("/predictions/01a20512-d5de-77bb-9899-526fa6c83913")
    service.client.get("/whatever/comes/to/mind")
    figures = service.client.get("/metrics").text
    assert 'path="/predictions/{prediction_id}"' in figures
    assert 'path="unmatched"' in figures
    assert "whatever" not in figures


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_without_its_database_it_lives_and_says_that_it_is_not_ready(tmp_path: Path) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with running_service(nowhere, tmp_path) as service:
        assert service.client.get("/livez").status_code == 200
        ready = service.client.get("/readyz")
        assert ready.status_code == 503
        assert [error["message"] for error in ready.json()["errors"]] == [
            "the registry has not been read yet",
            "the database cannot be reached",
            "the log's partitions could not be made yet",
        ]
        for answer in (service.predict(**BODY), service.client.get("/models")):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
            assert "nobody" not in answer.text


def test_started_before_the_migration_it_gets_ready_by_itself(
    cluster: tuple[str, str], tmp_path: Path
) -> None:
    server_url, template = cluster
    name = f"{template}_early"
    create_database(server_url, name)
    try:
        with running_service(url_of(server_url, name), tmp_path) as service:
            assert service.client.get("/readyz").status_code == 503
            assert service.predict(**BODY).status_code == 503
            upgrade(service.engine)
            eventually(lambda: service.client.get("/readyz").status_code == 200)
            service.register("prices", persistence_artifact())
            assert service.predict(**BODY).status_code == 200
    finally:
        drop_database(server_url, name)


def test_at_sigterm_it_is_not_ready_and_the_server_continues_to_drain() -> None:
    received = []

    async def scenario() -> bool:
        health = Health()
        with draining_at_sigterm(health):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(health.draining.wait(), 30)
        return health.reasons() == ["this process is about to end"]

    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        assert asyncio.run(scenario())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
