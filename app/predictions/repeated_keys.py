r"""Find repeated keys in the objects of a request's JSON.

pydantic silently takes the last value of such a key. What was validated would then differ from what
is logged: the first value may be one that PostgreSQL refuses, such as NaN.

Almost all requests are cleared by counting quotation marks. JSON has two for each of its strings,
including keys, and one more for each `\"` within a string. A validated request knows how many
strings it has; with a repeated key, its JSON has more. The few requests with a different count are
read again, key by key.
"""

import json
from collections import Counter
from typing import Any

from app.errors import Unprocessable
from app.predictions.schemas import PredictRequest

REPEATED = "stands more than once in its object; each key may be given once"

Json = Any


def batch_may_have_repeated_keys(body: bytes, *, strings: int) -> bool:
    """Return whether a batch could contain a repeated key; False is certain.

    Args:
        body: valid JSON.
        strings: number of strings in its items, including keys, if no key is repeated.
    """
    return body.count(b'"') != 2 * (strings + 1)  # and the key `items`


def refuse_repeated_keys(body: bytes, request: PredictRequest) -> None:
    """Check each key of a validated request, unless counting its strings clears it.

    Raises:
        Unprocessable: a key is repeated; it is named.
    """
    if body.count(b'"') == 2 * request.count_strings():
        return
    whole, has_repeated_keys = read_with_repeated_keys(body)
    error = repeated_key_in(whole) if has_repeated_keys else None
    if error is not None:
        raise error


class RepeatingObject(dict[str, Json]):
    """An object of JSON with a repeated key."""

    repeated: str


def read_with_repeated_keys(body: bytes) -> tuple[Json, bool]:
    """Parse valid JSON, and return whether any of it is a `RepeatingObject`."""
    has_repeated_keys = False

    def object_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        nonlocal has_repeated_keys
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        has_repeated_keys = True
        repeating = RepeatingObject(found)
        repeating.repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        return repeating

    return json.loads(body, object_pairs_hook=object_of), has_repeated_keys


def repeated_key_in(value: Json) -> Unprocessable | None:
    """Return the error that names the first repeated key in a value, or None."""
    path = _path_to_repeated(value)
    return None if path is None else Unprocessable.at(".".join(path), REPEATED)


def _path_to_repeated(value: Json) -> list[str] | None:
    if isinstance(value, RepeatingObject):
        return [value.repeated]
    if isinstance(value, dict):
        members: list[tuple[str | int, Json]] = list(value.items())
    elif isinstance(value, list):
        members = [(i, inner) for i, inner in enumerate(value) if isinstance(inner, dict | list)]
    else:
        return None
    for name, inner in members:
        path = _path_to_repeated(inner)
        if path is not None:
            return [str(name), *path]
    return None
