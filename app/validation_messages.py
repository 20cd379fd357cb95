"""What pydantic finds wrong, in this service's own words: what would be right, and where.

pydantic's messages speak of Python ("Tuple should have at least 1 item after validation, not 0").
None of them reaches a caller.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import FieldError

A_NUMBER = "must be a number"
A_WHOLE_NUMBER = "must be a whole number"
A_STRING = "must be a string"
TRUE_OR_FALSE = "must be true or false"
A_LIST = "must be a list"
AN_OBJECT = "must be an object"
A_UUID = "must be a UUID"
A_DATE = "must be a date, as in 2026-11-01"
A_TIME = "must be a time in ISO form with its zone, as in 2026-11-01T00:00:00Z"
A_DURATION = "must be a duration in ISO form, as in PT30S"
A_URL = "must be a URL, as in https://example.com"

# By pydantic's name of the error; the fields of its context may be used.
MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "frozen_field": "cannot be changed",
    "frozen_instance": "cannot be changed",
    "none_required": "must be null",
    "invalid_key": "has a key that is not a string",
    "recursion_loop": "refers to itself",
    "recursion_depth_exceeded": "is nested too deeply",
    "union_tag_invalid": "must have {expected_tags} as {discriminator}",
    "union_tag_not_found": "must have the field {discriminator}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    # Numbers
    "float_type": A_NUMBER,
    "float_parsing": A_NUMBER,
    "decimal_type": A_NUMBER,
    "decimal_parsing": A_NUMBER,
    "int_type": A_WHOLE_NUMBER,
    "int_parsing": A_WHOLE_NUMBER,
    "int_from_float": A_WHOLE_NUMBER,
    "int_parsing_size": "must be a whole number with fewer digits",
    "finite_number": "must be a finite number; NaN, infinity and numbers beyond 1.8e308 are not",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "bool_type": TRUE_OR_FALSE,
    "bool_parsing": TRUE_OR_FALSE,
    # Strings
    "string_type": A_STRING,
    "string_unicode": "must be a string of Unicode characters; half a surrogate pair is none",
    "string_not_ascii": "must have ASCII characters only",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "bytes_type": A_STRING,
    "bytes_too_short": "must have at least {min_length} bytes",
    "bytes_too_long": "must have at most {max_length} bytes",
    "uuid_type": A_UUID,
    "uuid_parsing": A_UUID,
    "uuid_version": "must be a UUID of version {expected_version}",
    "url_type": A_URL,
    "url_parsing": A_URL,
    "url_syntax_violation": A_URL,
    "url_too_long": "must have at most {max_length} characters",
    "url_scheme": "must be a URL that begins with {expected_schemes}",
    # Lists and objects
    "list_type": A_LIST,
    "tuple_type": A_LIST,
    "set_type": A_LIST,
    "frozen_set_type": A_LIST,
    "iterable_type": A_LIST,
    "dict_type": AN_OBJECT,
    "mapping_type": AN_OBJECT,
    "model_type": AN_OBJECT,
    "model_attributes_type": AN_OBJECT,
    "dataclass_type": AN_OBJECT,
    "too_short": "must have at least {min_length} entries; it has {actual_length}",
    "too_long": "must have at most {max_length} entries",
    # Times
    "date_type": A_DATE,
    "date_parsing": A_DATE,
    "date_from_datetime_parsing": A_DATE,
    "date_from_datetime_inexact": A_DATE,
    "date_past": "must be a date in the past",
    "date_future": "must be a date in the future",
    "time_type": "must be a time of day, as in 09:30:00",
    "time_parsing": "must be a time of day, as in 09:30:00",
    "datetime_type": A_TIME,
    "datetime_parsing": A_TIME,
    "datetime_object_invalid": A_TIME,
    "datetime_from_date_parsing": A_TIME,
    "datetime_past": "must be a time in the past",
    "datetime_future": "must be a time in the future",
    "timezone_aware": A_TIME,
    "timezone_naive": "must be a time without a zone, as in 2026-11-01T00:00:00",
    "time_delta_type": A_DURATION,
    "time_delta_parsing": A_DURATION,
}
A_NAME = (
    "must have up to {characters} lower-case letters, digits, dots, dashes and underscores, and "
    "begin with a letter or digit"
)
FALLBACK = "has a value that is not accepted here"
# In words, the rules that our models write as regular expressions.
PATTERNS = {
    r"^[^\x00]*$": "must not contain a NUL character",
    r"^[^\x00]+$": "must not be empty or contain a NUL character",
    r"^[a-z0-9][a-z0-9._-]{0,99}$": A_NAME.format(characters=100),
    r"^[a-z0-9][a-z0-9._-]{0,49}$": A_NAME.format(characters=50),
    r"^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$": A_UUID,
}
PARTS_OF_A_REQUEST = frozenset({"body", "query", "path", "header"})
MAX_MESSAGE_CHARACTERS = 500


def message_of(entry: Mapping[str, Any]) -> str:
    """Return what is wrong with a field, from pydantic's entry about it."""
    kind, context = entry["type"], entry.get("ctx", {})
    if kind == "value_error":  # raised by a validator of ours
        return str(context["error"])
    if kind == "string_pattern_mismatch" and context["pattern"] in PATTERNS:
        return PATTERNS[context["pattern"]]
    return MESSAGES.get(kind, FALLBACK).format(**context)


def wrong_fields(entries: Iterable[Mapping[str, Any]]) -> tuple[FieldError, ...]:
    """Return one error per wrong field, from pydantic's entries.

    A field that may be a list or an object gives an entry for each of the two. If pydantic read one
    of them further than its type, the caller meant that one, and the other entry is left out.
    """
    located = [(path_of(entry["loc"]), entry) for entry in entries]
    found: dict[tuple[str, ...], list[str]] = {}
    for path, entry in located:
        has_better = any(
            other[: len(path)] == path
            and (len(other) > len(path) or not another["type"].endswith("_type"))
            for other, another in located
            if another is not entry
        )
        # A list is "too short" when its entries were wrong, too.
        is_vague = entry["type"].endswith("_type") or entry["type"] == "too_short"
        if not (is_vague and has_better):
            found.setdefault(path, []).append(message_of(entry))
    return tuple(
        FieldError(
            field=".".join(path) or "body",
            message=" or ".join(dict.fromkeys(messages))[:MAX_MESSAGE_CHARACTERS],
        )
        for path, messages in found.items()
    )


def path_of(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the parts of a dotted path.

    The part of the request (body, query …) and pydantic's names for the members of a union
    ("constrained-int", "literal['a','b']") are left out.
    """
    parts = [str(part) for part in location]
    if parts and parts[0] in PARTS_OF_A_REQUEST:
        parts = parts[1:]
    return tuple(part for part in parts if "[" not in part and not part.startswith("constrained-"))
