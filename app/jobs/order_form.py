"""The multipart form that orders a training, as OpenAPI has it."""

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
    "test": BINARY | {"description": "a second file, or a dataset's id, to be judged on"},
    "read": ReadOptions.model_json_schema()
    | {"description": "how the files are to be read, where a guess is wrong"},
    "target": {
        "type": "string",
        "description": "column to predict; left out: the champion's, or the one that the dataset's "
        "report suggests",
    },
}


def order_form(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request body of a call with `ORDER_PARTS` and these, for `openapi_extra`."""
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {**ORDER_PARTS, **parts},
    }
    as_json = {"contentType": "application/json"}
    form = {"schema": schema, "encoding": {"read": as_json, "recipe": as_json}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": form}}}
