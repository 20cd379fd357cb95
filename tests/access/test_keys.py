import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.access.admission import WrongKeys
from app.access.secrets import digest_of
from app.errors import TooManyRequests
from app.storage.access_tables import ApiKey, AuditEntry
from app.storage.tables import AliasMove
from tests.artifacts import persistence_artifact, stream_text_artifact
from tests.database import own_database
from tests.service import Service, eventually, running_service

ADMIN = "the admin's key"
AsKey = Callable[[Service, str], httpx.Client]
ASK = {"model": "prices", "history": [1.0, 2.0, 3.0]}


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("keys")
    with own_database(cluster) as url, running_service(url, folder, api_key=ADMIN) as running:
        for name in ("prices", "others"):
            running.register(name, persistence_artifact())
        running.register("words", stream_text_artifact())
        running.client.headers["Authorization"] = f"Bearer {ADMIN}"
        yield running


def make(service: Service, **wanted: Any) -> dict[str, Any]:  # noqa: ANN401
    body = {"name": f"test {secrets.token_hex(4)}", "scope": "predict", **wanted}
    answer = service.client.post("/keys", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture
def as_key() -> Iterator[AsKey]:
    """Return a client that sends a key to a service."""
    with ExitStack() as clients:

        def made(service: Service, key: str) -> httpx.Client:
            headers = {"Authorization": f"Bearer {key}"}
            client = httpx.Client(base_url=service.url, headers=headers, timeout=60)
            return clients.enter_context(client)

        yield made


def test_a_key_is_shown_once_and_kept_as_a_digest(service: Service) -> None:
    made = make(service)
    (listed,) = [
        key for key in service.client.get("/keys").json()["items"] if key["id"] == made["id"]
    ]
    assert "key" not in listed
    assert "digest" not in listed
    with service.sessions() as session:
        kept = session.scalars(select(ApiKey).where(ApiKey.name == made["name"])).one()
    assert made["key"].encode() not in kept.digest
    assert digest_of(b"another secret", made["key"]) != kept.digest


@pytest.mark.parametrize("name", ["pri\0ces", "No Model", ""])
def test_a_key_is_for_names_that_a_model_can_have(service: Service, name: str) -> None:
    body = {"name": "narrow", "scope": "predict", "models": ["prices", name]}
    answer = service.client.post("/keys", json=body)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "models.1"
    assert "lower-case letters" in error["message"]


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        ("predict", "GET", "/models", True),
        ("predict", "GET", "/models/prices", True),
        ("predict", "GET", "/models/prices/versions/1", True),
        ("predict", "GET", "/docs", True),
        ("predict", "GET", "/metrics", True),
        ("predict", "GET", "/predictions", False),
        ("predict", "GET", "/jobs", False),
        ("predict", "GET", "/models/prices/versions/1/files/scorecard.json", False),
        ("predict", "PATCH", "/models/prices", False),
        ("predict", "GET", "/keys", False),
        ("predict", "GET", "/v2", True),
        ("predict", "GET", "/v2/models/prices/versions/1/config", True),
        ("predict", "POST", "/v2/models/prices/infer", True),
        ("predict", "POST", "/v2/repository/index", True),
        ("predict", "POST", "/v1/timeseries/forecast", True),
        ("predict", "POST", "/v1/completions", True),
        ("predict", "POST", "/v2/forecast", True),
        ("predict", "GET", "/validate_api_key", True),
        ("predict", "POST", "/mcp", True),
        ("predict", "GET", "/v1/models/hello/tokenizer_info", True),
        ("predict", "POST", "/v1/chat/completions", False),
        ("predict", "POST", "/v2/repository/models/prices/load", False),
        ("train", "GET", "/predictions", True),
        ("train", "PATCH", "/models/prices", True),
        ("train", "GET", "/audit", False),
        ("train", "DELETE", "/models/prices", False),
        ("train", "POST", "/keys", False),
        ("admin", "GET", "/keys", True),
        ("admin", "GET", "/audit", True),
    ],
)
def test_a_key_is_for_its_scope(
    service: Service, as_key: AsKey, scope: str, method: str, path: str, *, allowed: bool
) -> None:
    client = as_key(service, make(service, scope=scope)["key"])
    body: dict[str, Any] | None = {} if method in {"PATCH", "POST"} else None
    status = client.request(method, path, json=body).status_code
    assert (status != 403) is allowed, status


def test_every_scope_predicts(service: Service, as_key: AsKey) -> None:
    for scope in ("predict", "train", "admin"):
        client = as_key(service, make(service, scope=scope)["key"])
        assert client.post("/predict", json=ASK).status_code == 200


def test_a_key_for_certain_models_reaches_no_other(service: Service, as_key: AsKey) -> None:
    client = as_key(service, make(service, scope="train", models=["prices"])["key"])
    other = {**ASK, "model": "others"}
    assert client.post("/predict", json=ASK).status_code == 200
    refused = client.post("/predict", json={**other, "model": "others@1"})
    assert refused.status_code == 403
    assert "this key is for prices" in refused.json()["detail"]
    assert client.post("/predict/batch", json={"items": [ASK, other]}).status_code == 403
    many = [ASK] * 39 + [other]
    assert client.post("/predict/batch", json={"items": many}).status_code == 403
    assert client.post("/explain", json=other).status_code == 403
    assert client.get("/models/others").status_code == 403
    assert client.get("/models/prices").status_code == 200
    assert client.get("/predictions").status_code == 403
    assert client.get("/predictions", params={"model": "prices"}).status_code == 200
    assert client.get("/predictions", params={"model": "others"}).status_code == 403
    assert client.get("/jobs").status_code == 403
    assert client.get("/datasets").status_code == 403
    actual = {"model": "others", "timestamp": "2020-01-01", "value": 1.0}
    assert client.post("/actuals", json={"items": [actual]}).status_code == 403


def test_a_prediction_of_another_model_is_not_shown(service: Service, as_key: AsKey) -> None:
    theirs = service.predict(**{**ASK, "model": "others"}).json()["id"]
    client = as_key(service, make(service, scope="train", models=["prices"])["key"])
    assert client.get(f"/predictions/{theirs}").status_code == 403
    replay = client.post(f"/predictions/{theirs}/replay", json={"version": 1})
    assert replay.status_code == 403


def test_a_revoked_key_ends_everywhere(service: Service, as_key: AsKey, tmp_path: Path) -> None:
    made = make(service)
    with running_service(service.database_url, tmp_path, api_key=ADMIN) as second:
        clients = [as_key(each, made["key"]) for each in (service, second)]
        eventually(lambda: all(client.get("/models").is_success for client in clients))
        assert service.client.delete(f"/keys/{made['id']}").json()["revoked_at"] is not None
        eventually(lambda: all(client.get("/models").status_code == 401 for client in clients))


def test_a_key_runs_out(service: Service, as_key: AsKey) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    client = as_key(service, make(service, expires_at=soon.isoformat())["key"])
    eventually(lambda: client.get("/models").status_code == 401)


def test_the_last_use_is_kept(
    service: Service, as_key: AsKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.access.keyring.NOTE_USE_SECONDS", 0.0)
    made = make(service)
    as_key(service, made["key"]).get("/models")

    def last_use() -> object:
        with service.sessions() as session:
            query = select(ApiKey.last_used_at).where(ApiKey.name == made["name"])
            return session.scalar(query)

    eventually(last_use)


def test_a_name_is_not_used_twice(service: Service) -> None:
    made = make(service)
    service.client.delete(f"/keys/{made['id']}")
    again = service.client.post("/keys", json={"name": made["name"], "scope": "predict"})
    assert again.status_code == 409


def test_predictions_are_limited_and_the_answer_says_how_many_are_left(
    service: Service, as_key: AsKey
) -> None:
    client = as_key(service, make(service, limits={"predictions_per_minute": 5})["key"])
    first = client.post("/predict", json=ASK)
    assert first.headers["ratelimit-policy"] == '"predictions";q=5;w=60'
    assert first.headers["ratelimit"].startswith('"predictions";r=4;t=')
    batch = client.post("/predict/batch", json={"items": [ASK] * 5})
    assert batch.status_code == 429
    assert 1 <= int(batch.headers["retry-after"]) <= 60
    assert client.post("/predict/batch", json={"items": [ASK] * 4}).status_code == 200
    assert client.post("/predict", json=ASK).status_code == 429
    assert client.get("/models").status_code == 200  # only predictions are limited


def test_requests_are_limited(service: Service, as_key: AsKey) -> None:
    client = as_key(service, make(service, limits={"requests_per_minute": 50})["key"])
    statuses = [client.get("/models").status_code for _ in range(60)]
    assert 429 in statuses
    assert statuses[0] == 200


def test_queued_trainings_are_limited(service: Service, as_key: AsKey) -> None:
    key = make(service, scope="train", limits={"queued_jobs": 1})["key"]
    client = as_key(service, key)
    rows = "".join(f"2020-01-{day:02d},{day}\n" for day in range(1, 31))
    statuses = [
        client.post(
            "/models/queued/train", files={"file": ("p.csv", f"date,price\n{rows}")}
        ).status_code
        for _ in range(2)
    ]
    assert statuses == [202, 429]


@pytest.mark.parametrize("announced", [True, False])
def test_uploaded_bytes_are_limited(service: Service, as_key: AsKey, *, announced: bool) -> None:
    key = make(service, scope="train", limits={"upload_bytes_per_day": 1500})["key"]
    client = as_key(service, key)
    rows = "".join(f"2020-01-{day:02d},{day}\n" for day in range(1, 31))
    request = client.build_request(
        "POST", "/datasets", files={"file": ("p.csv", f"date,price\n{rows}")}
    )
    body, kind = request.read(), request.headers["content-type"]

    def upload() -> httpx.Response:
        content = body if announced else iter([body])
        return client.post("/datasets", content=content, headers={"content-type": kind})

    statuses = [upload().status_code for _ in range(3)]
    assert [status < 300 for status in statuses] == [True, True, False]
    assert statuses[-1] == 429
    assert "may upload 1,500 bytes per day" in upload().json()["detail"]


def test_the_caller_is_named_in_the_audit_list_and_with_the_move(
    service: Service, as_key: AsKey
) -> None:
    made = make(service, scope="train")
    client = as_key(service, made["key"])
    moved = client.put("/models/prices/aliases/stable", json={"version": 1, "reason": "checked"})
    assert moved.status_code == 200
    entries = service.client.get("/audit", params={"key": made["name"]}).json()["items"]
    (entry,) = entries
    assert (entry["method"], entry["path"]) == ("PUT", "/models/prices/aliases/stable")
    assert (entry["scope"], entry["status"], entry["address"]) == ("train", 200, "127.0.0.1")
    with service.sessions() as session:
        move = session.scalars(select(AliasMove).where(AliasMove.alias == "stable")).one()
    assert move.key == made["name"]


def test_what_changes_nothing_is_not_audited(service: Service, as_key: AsKey) -> None:
    made = make(service, scope="train")
    client = as_key(service, made["key"])
    client.post("/predict", json=ASK)
    client.post("/explain", json=ASK)
    client.put("/models/prices/aliases/x", json={"version": 99, "reason": "not there"})
    with service.sessions() as session:
        found = session.scalars(select(AuditEntry).where(AuditEntry.key == made["name"])).all()
    assert found == []


@pytest.mark.parametrize("name", ["explain", "infer", "replay"])
def test_a_model_named_like_a_read_only_call_is_audited(service: Service, name: str) -> None:
    service.register(name, persistence_artifact())
    assert service.client.patch(f"/models/{name}", json={"tags": ["a"]}).is_success
    with service.sessions() as session:
        entries = select(AuditEntry).where(AuditEntry.path == f"/models/{name}")
        assert len(session.scalars(entries).all()) == 1


def test_the_audit_list_keeps_what_was_erased_without_the_series_name(
    service: Service, as_key: AsKey
) -> None:
    made = make(service, scope="admin")
    client = as_key(service, made["key"])
    which = {"model": "prices", "series": "Jane Doe", "until": "2030-01-01T00:00:00Z"}
    assert client.delete("/predictions", params={**which, "dry_run": "true"}).is_success
    assert client.delete("/predictions", params=which).is_success
    (entry,) = service.client.get("/audit", params={"key": made["name"]}).json()["items"]
    assert entry["path"].startswith("/predictions?model=prices&series=(erased)&until=2030")


def test_guessing_is_slowed_down_and_others_at_the_address_are_not(
    fresh_database: str, tmp_path: Path
) -> None:
    good = {"Authorization": f"Bearer {ADMIN}"}
    with (
        running_service(fresh_database, tmp_path, api_key=ADMIN) as own,
        httpx.Client(base_url=own.url) as client,
    ):
        assert client.get("/models", headers=good).status_code == 200
        answers = [
            client.get("/models", headers={"Authorization": f"Bearer guess-{number}"})
            for number in range(8)
        ]
        assert [answer.status_code for answer in answers[:5]] == [401] * 5
        slowed = next(answer for answer in answers if answer.status_code == 429)
        assert int(slowed.headers["retry-after"]) >= 1
        assert client.get("/models", headers=good).status_code == 200


def test_a_wrong_key_is_forgiven_in_time() -> None:
    now = 1000.0
    wrong = WrongKeys(clock=lambda: now)
    for number in range(20):
        wrong.count("10.0.0.1", f"guess {number}", good=False)
    with pytest.raises(TooManyRequests) as refused:
        wrong.check("10.0.0.1", "another guess")
    assert refused.value.retry_after_seconds == 60
    wrong.check("10.0.0.2", "somebody else")
    now += 61
    wrong.check("10.0.0.1", "another guess")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"scope": "everything"}, "scope"),
        ({"name": "\n"}, "name"),
        ({"models": []}, "models"),
        ({"limits": {"predictions_per_minute": 0}}, "limits.predictions_per_minute"),
        ({"limits": {"per_second": 1}}, "limits.per_second"),
        ({"expires_at": "tomorrow"}, "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    service: Service, wrong: dict[str, Any], field: str
) -> None:
    body = {"name": "n", "scope": "predict"} | wrong
    answer = service.client.post("/keys", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
