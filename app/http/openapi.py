"""Build the OpenAPI document, and serve the scripts that show it without a network."""

import json
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from starlette.staticfiles import StaticFiles

from app.errors import BY_STATUS, StepaheadError, Unprocessable
from app.http.problem_responses import DATABASE_FULL, MEDIA_TYPE

ASSETS = Path(fastapi_offline.__file__).parent / "static"
ASSETS_URL = "/docs/assets"
ALWAYS_POSSIBLE = (401, 500, 503)
# Answers of a service by operation, status and name of the example; long lists are cut.
ANSWER_EXAMPLES = Path(__file__).parent / "answer_examples.json"
ERROR_EXAMPLES = {
    400: "the body is not valid JSON: EOF while parsing an object at line 1 column 1",
    401: "this service requires a key: send `Authorization: Bearer KEY`",
    403: "this key is for prices, not for 'wages'",
    404: "There is no model 'nowhere'; GET /models lists them.",
    409: "job 01a22f47-227c-7146-b18b-e59e056571fd has ended already: it is succeeded",
    413: "the body may have at most 1048576 bytes",
    415: "the content type is text/plain; this call reads application/json (curl: -H "
    "'Content-Type: application/json')",
    429: "this key may have 2 trainings queued or running and has 2; wait for one to end, or "
    "cancel one",
    500: "an unexpected error occurred; the log contains it under request id "
    "01a22f44-5323-71f8-9ad8-a2c3b24f9cfd",
    503: "too many large requests are being received at the same time",
    507: DATABASE_FULL,
}


class ProblemPlace(BaseModel):
    """A wrong place in a request or a file."""

    field: str | None = Field(description="dotted path in the request")
    row: int | None = Field(description="line of a file, from 1")
    column: str | None = Field(description="column of a file")
    message: str = Field(description="what is wrong, and what would be right")


class Problem(BaseModel):
    """An error in the form of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str = Field(description="for people: what is wrong, where, and what would be right")
    errors: list[ProblemPlace]


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of an operation that may fail with these statuses.

    401, 500 and 503 are added, because every operation may fail with them.
    """
    return {
        status: {
            "description": _summary(BY_STATUS[status]),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _problem_example(status),
                }
            },
        }
        for status in sorted({*statuses, *ALWAYS_POSSIBLE})
    }


def _problem_example(status: int) -> dict[str, Any]:
    """Return an error of this status as the service words it."""
    if status == Unprocessable.status:
        return Unprocessable.at("history.0", "must be a number").problem()
    return BY_STATUS[status](ERROR_EXAMPLES[status]).problem()


def json_or_file(
    request: type[BaseModel], *, example: dict[str, Any], form: dict[str, Any], objects: list[str]
) -> dict[str, Any]:
    """Return the `openapi_extra=` of a call that takes JSON about a dataset, or a file.

    Args:
        request: the JSON.
        example: of the JSON, with a dataset that was uploaded before.
        form: the fields of multipart/form-data, as JSON schemas.
        objects: those of them that are JSON themselves.
    """
    summary = "a dataset that was uploaded before"
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    # Not by reference: FastAPI keeps only schemas that signatures name.
                    "schema": request.model_json_schema(),
                    "examples": {"dataset": {"summary": summary, "value": example}},
                },
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": form,
                    },
                    "encoding": {name: {"contentType": "application/json"} for name in objects},
                },
            },
        }
    }


def error_responses(shape: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of an operation of another protocol, whose errors have this shape."""
    return {
        status: {"description": _summary(BY_STATUS[status]), "model": shape}
        for status in sorted({*statuses, *ALWAYS_POSSIBLE})
    }


def _summary(kind: type[StepaheadError]) -> str:
    return (kind.__doc__ or kind.title).strip().splitlines()[0]


def describe(app: FastAPI) -> None:
    """Give the app its OpenAPI document, including the Problem schema and the key."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _document(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    template = "#/components/schemas/{model}"
    for model in (Problem, ProblemPlace):
        definition = model.model_json_schema(ref_template=template)
        definition.pop("$defs", None)
        schemas[model.__name__] = definition
    answers = json.loads(ANSWER_EXAMPLES.read_text(encoding="utf-8"))
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            _draw_validation_errors_as_problems(operation["responses"])
            for status, named in answers.get(f"{method.upper()} {path}", {}).items():
                content = operation["responses"][status]["content"]["application/json"]
                content["examples"] = {name: {"value": value} for name, value in named.items()}
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "a key of this service: STEPAHEAD_API_KEY, or one from POST /keys",
        }
    }
    schema["security"] = [{"key": []}, {}]
    return schema


def _draw_validation_errors_as_problems(responses: dict[str, Any]) -> None:
    """Replace FastAPI's own 422 response, which does not have the form of our errors."""
    content = responses.get("422", {}).get("content", {}).get("application/json", {})
    if content.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        responses["422"] = problem_responses(422)[422]


def assets() -> StaticFiles:
    """Return Swagger UI's scripts and styles, from the installed package."""
    return StaticFiles(directory=ASSETS)
