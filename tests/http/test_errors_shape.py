"""Check that errors have the same form on every route, whatever goes wrong."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.errors import StepaheadError
from app.main import ERROR_FORMS
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, running_service

PLACE = {"field", "row", "column", "message"}
NOBODY = "00000000-0000-7000-8000-000000000000"
STRANGE = ("", "[]", "5", '"x"', "{", "\x00", '{"a": NaN}', '{"model": 5, "items": 5}', "\ud7ff")


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("shape")
    with own_database(cluster) as url, running_service(url, folder) as running:
        running.register("prices", persistence_artifact())
        yield running


def operations(service: Service) -> list[tuple[str, str]]:
    """All of ours; those of other protocols have errors of their own (tests/compat)."""
    paths = service.client.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), path)
        for path, item in paths.items()
        for method in item
        if not f"{path}/".startswith(tuple(ERROR_FORMS))
    ]


def assert_problem(answer: httpx.Response) -> None:
    where = f"{answer.request.method} {answer.request.url}: {answer.text[:500]}"
    assert answer.headers["Content-Type"] == "application/problem+json", where
    assert answer.headers["X-Request-Id"], where
    problem = answer.json()
    assert {"type", "title", "status", "detail", "errors"} <= set(problem), where
    assert problem["status"] == answer.status_code, where
    assert problem["type"].startswith("/problems/"), where
    assert problem["detail"], where
    assert all(set(error) == PLACE and error["message"] for error in problem["errors"]), where
    for inside in ("Traceback", "psycopg", "sqlalchemy", 'File "', "pydantic"):
        assert inside not in answer.text, where
    if answer.status_code == 503:
        assert int(answer.headers["Retry-After"]) >= 1


def filled(path: str) -> Iterator[str]:
    """Fill the path with names that do not exist, are invalid, or do not belong there."""
    for name, identifier in (("nobody", NOBODY), ("No Body", "x"), ("prices", "0"), ("%00", "%00")):
        yield (
            path.replace("{name}", name)
            .replace("{alias}", name)
            .replace("{file}", name)
            .replace("{n}", "99" if identifier == NOBODY else identifier)
            .replace("{job_id}", identifier)
            .replace("{dataset_id}", identifier)
            .replace("{evaluation_id}", identifier)
            .replace("{comparison_id}", identifier)
            .replace("{prediction_id}", identifier)
        )


def test_every_operation_fails_in_the_one_shape(service: Service) -> None:
    seen = set()
    for method, template in operations(service):
        for path in filled(template):
            for content in STRANGE if method in {"POST", "PUT"} else ("",):
                answer = service.client.request(
                    method,
                    path,
                    content=content.encode(),
                    headers={"Content-Type": "application/json"},
                )
                if answer.status_code >= 400:
                    assert_problem(answer)
                    seen.add(answer.status_code)
                assert answer.status_code != 500, f"{method} {path} {content!r}"
    assert {400, 404, 415, 422} <= seen


def test_every_path_refuses_a_method_it_does_not_take(service: Service) -> None:
    for _, template in operations(service):
        answer = service.client.request("TRACE", next(filled(template)))
        assert answer.status_code == 405
        assert_problem(answer)
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=x", 422),
        ("limit=501", 422),
        ("cursor=x", 400),
        ("cursor=%00", 400),
    ],
)
def test_every_list_refuses_a_wrong_page_in_the_one_shape(
    service: Service, query: str, status: int
) -> None:
    for path in ("/models", "/datasets", "/jobs", "/predictions"):
        answer = service.client.get(f"{path}?{query}")
        assert answer.status_code == status, path
        assert_problem(answer)


@pytest.mark.parametrize("query", ["model=%00", "from=yesterday", "kind=x", "version=a", "what=1"])
def test_a_wrong_filter_of_the_log_is_named(service: Service, query: str) -> None:
    answer = service.client.get(f"/predictions?{query}")
    assert answer.status_code == 422
    assert_problem(answer)
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("time", ["yesterday", "2026-13-01", "2026-11-01", "2026-11-01T00:00"])
def test_a_wrong_time_is_reported_with_what_would_be_right(service: Service, time: str) -> None:
    (error,) = service.client.get("/predictions", params={"from": time}).json()["errors"]
    assert error["message"].endswith("in ISO form with its zone, as in 2026-11-01T00:00:00Z")


def test_an_unknown_path_and_a_failed_upload_have_the_shape(service: Service) -> None:
    assert_problem(service.client.get("/nowhere"))
    answer = service.client.post("/datasets", files={"wrong": ("a.csv", b"1,2")})
    assert answer.status_code in {400, 422}
    assert_problem(answer)


def test_a_fault_of_ours_says_its_request_id_and_nothing_else(
    tmp_path: Path, cluster: tuple[str, str]
) -> None:
    with own_database(cluster) as url, running_service(url, tmp_path) as service:

        @service.app.get("/broken")
        async def broken() -> None:
            raise RuntimeError("secret")

        answer = service.client.get("/broken", headers={"X-Request-Id": "it-was-me"})
    assert answer.status_code == 500
    assert_problem(answer)
    assert "it-was-me" in answer.json()["detail"]
    assert "secret" not in answer.text


def test_every_error_of_the_tree_has_a_status_and_a_name_of_its_own() -> None:
    kinds = StepaheadError.__subclasses__()
    assert len({kind.slug for kind in kinds}) == len(kinds)
    assert {kind.status for kind in kinds} == {
        *(400, 401, 403, 404, 405, 408, 409, 413, 414),
        *(415, 422, 429, 431, 500, 503, 507),
    }


def test_a_method_that_is_not_there_is_told_all_that_are(service: Service) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    for path, item in paths.items():
        answer = service.client.options(next(filled(path)))
        assert answer.status_code == 405
        allowed = set(answer.headers["Allow"].split(", "))
        assert allowed - {"HEAD"} == {method.upper() for method in item}, path


def test_of_our_own_paths_that_is_a_problem(service: Service) -> None:
    for _, path in operations(service):
        assert_problem(service.client.options(next(filled(path))))


def test_mounted_files_are_read_only(service: Service) -> None:
    answer = service.client.post("/ui/static/nothing.js")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
