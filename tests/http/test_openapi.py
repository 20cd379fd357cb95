import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from app.http.openapi import ANSWER_EXAMPLES
from app.main import ERROR_FORMS
from app.registry.shipped import import_shipped
from tests.database import own_database
from tests.refresh_openapi import KEPT, document
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("openapi")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document())
    return found


def operations(kept: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in kept["paths"].items()
        for method, operation in item.items()
    ]


def test_the_kept_document_is_that_of_the_code() -> None:
    assert KEPT.read_text(encoding="utf-8") == document(), (
        "the API has changed: look at it, then run `python -m tests.refresh_openapi`"
    )


def test_every_operation_has_a_summary_a_stable_id_a_description_and_its_errors(
    kept: dict[str, Any],
) -> None:
    seen = set()
    for name, operation in operations(kept):
        assert operation["summary"], name
        assert operation["description"], name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), name
        seen.add(operation["operationId"])
        errors = {
            status: answer for status, answer in operation["responses"].items() if status >= "400"
        }
        assert {"401", "500", "503"} <= set(errors), name
        is_foreign = f"{name.split()[1]}/".startswith(tuple(ERROR_FORMS))
        form = "application/json" if is_foreign else "application/problem+json"
        for answer in errors.values():
            assert set(answer["content"]) == {form}, name
    assert len(seen) == len(operations(kept))


def test_every_json_body_has_an_example(kept: dict[str, Any]) -> None:
    for name, operation in operations(kept):
        for media_type, body in operation.get("requestBody", {}).get("content", {}).items():
            if media_type != "application/json":
                continue
            schema = body["schema"]
            reference = schema.get("$ref", "").rpartition("/")[2]
            described = kept["components"]["schemas"].get(reference, schema)
            has_example = {"example", "examples"} & (set(body) | set(described))
            assert has_example, f"{name} has no example"


def test_the_examples_of_answers_have_the_form_of_answers(kept: dict[str, Any]) -> None:
    by_name = dict(operations(kept))
    for name, statuses in json.loads(ANSWER_EXAMPLES.read_text(encoding="utf-8")).items():
        for status, examples in statuses.items():
            content = by_name[name]["responses"][status]["content"]["application/json"]
            form = Draft202012Validator({**content["schema"], "components": kept["components"]})
            assert content["examples"] == {key: {"value": value} for key, value in examples.items()}
            for value in examples.values():
                form.validate(value)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
def test_the_examples_of_predictions_work_when_tried(
    service: Service, kept: dict[str, Any], path: str
) -> None:
    content = kept["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    for name, example in content["examples"].items():
        answer = service.client.post(path, json=example["value"])
        assert answer.status_code == 200, (name, answer.text)
        assert "error" not in json.dumps(answer.json()), name


@pytest.mark.parametrize(
    "path", ["/docs", "/", "/ui/try", "/models/google-stock/versions/1/report"]
)
def test_no_page_stands_in_a_frame_of_another_site(service: Service, path: str) -> None:
    answer = service.client.get(path)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_the_page_works_without_a_network(service: Service) -> None:
    page = service.client.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert re.findall(r"https?://[^\s\"']+", page.text) == []
    assets = re.findall(r"<(?:link|script)[^>]* (?:src|href)=\"([^\"]+)\"", page.text)
    assert any("swagger" in asset for asset in assets)
    for asset in assets:
        assert service.client.get(asset).status_code == 200, asset


def test_the_page_speaks_the_documents_dialect(service: Service, kept: dict[str, Any]) -> None:
    assert kept["openapi"].startswith("3.1")
    script = service.client.get("/docs/assets/swagger-ui-bundle.js").text
    assert "OpenAPI 3.1" in script or "openapi31" in script.lower()
