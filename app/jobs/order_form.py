"""The multipart form that orders a training, for OpenAPI."""

from collections.abc import Mapping
from typing import Any

from app.reading.read_options import ReadOptions

BINARY = {"type": "string", "contentMediaType": "application/octet-stream"}
# The parts that every order has.
ORDER_PARTS: Mapping[str, Any] = {
    "file": BINARY | {"description": "a table of numbers over time, or a text"},
    "dataset": {
        "type": "string",
        "format": "uuid",
        "description": "in place of file: a dataset that was uploaded before",
    },
    "test": BINARY | {"description": "a second file, or the id of a dataset, to judge on"},
    "read": ReadOptions.model_json_schema()
    | {"description": "how to read the files, if a guess is wrong"},
    "target": {
        "type": "string",
        "description": (
            "column to predict; by default that of the champion, or the one that the "
            "report suggests"
        ),
    },
}


def order_form(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request body with `ORDER_PARTS` and these parts, for `openapi_extra`."""
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**ORDER_PARTS, **parts},
    }
    as_json = {"contentType": "application/json"}
    form = {"schema": schema, "encoding": {"read": as_json, "recipe": as_json}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": form}}}
