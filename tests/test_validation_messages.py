"""Check that no message of pydantic reaches a caller."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import _pydantic_core

from app.errors import Unprocessable
from app.recipes.recipe import Kind
from app.recipes.resolve import resolve_recipe
from app.validation_messages import MESSAGES, message_of, wrong_fields

PYDANTICS_WORDS = ("Input", "input", "Tuple", "tuple", "should", "valid", "None", "{", "Python")
# These errors cannot come from JSON, a query or a form.
ONLY_FOR_PYTHON_OBJECTS = {
    *("no_such_attribute", "get_attribute_error", "needs_python_object", "is_instance_of"),
    *("is_subclass_of", "callable_type", "dataclass_exact_type", "named_tuple_type"),
    *("iteration_error", "set_item_not_hashable", "missing_sentinel_error", "ellipsis_error"),
    *("arguments_type", "missing_argument", "unexpected_keyword_argument"),
    *("missing_keyword_only_argument", "unexpected_positional_argument"),
    *("missing_positional_only_argument", "multiple_argument_values", "assertion_error"),
    *("default_factory_not_called", "bytes_invalid_encoding", "timezone_offset"),
    *("frozen_dict_type", "ordered_dict_type", "counter_type", "deque_type"),
    *("fraction_type", "fraction_parsing", "complex_type", "complex_str_parsing"),
    *("decimal_max_digits", "decimal_max_places", "decimal_whole_digits"),
}
ELSEWHERE = {"json_invalid", "json_type", "value_error"}  # invalid JSON, and our own validators
ERRORS: list[dict[str, Any]] = [dict(error) for error in _pydantic_core.list_all_errors()]


@pytest.mark.parametrize("error", ERRORS, ids=[error["type"] for error in ERRORS])
def test_every_error_of_pydantic_has_words_of_our_own(error: dict[str, Any]) -> None:
    kind = error["type"]
    if kind not in ONLY_FOR_PYTHON_OBJECTS | ELSEWHERE:
        assert kind in MESSAGES
    if kind != "value_error":
        said = message_of({**error, "ctx": error.get("example_context") or {}, "msg": "Input …"})
        assert not [word for word in PYDANTICS_WORDS if word in said], said


@pytest.mark.parametrize(
    ("kind", "recipe", "field", "message"),
    [
        ("series", {"layers": []}, "layers", "must have at least 1 entries; it has 0"),
        ("series", {"layers": [1] * 5}, "layers", "must have at most 4 entries"),
        ("series", {"layers": 5}, "layers", "must be a list"),
        ("series", {"layers": [0]}, "layers.0", "must be at least 1"),
        ("series", {"window": "3"}, "window", "must be a whole number"),
        ("series", {"cell": "gpt"}, "cell", "must be 'lstm', 'gru' or 'rnn'"),
        ("series", {"learning_rate": float("nan")}, "learning_rate", "must be a finite number"),
        ("series", {"colour": 1}, "colour", "is not a known field"),
        ("text", {"embedding": 0}, "embedding", "must be 'one-hot' or must be at least 1"),
    ],
)
def test_a_wrong_recipe_is_described_as_predict_describes_its_fields(
    kind: Kind, recipe: Mapping[str, object], field: str, message: str
) -> None:
    with pytest.raises(Unprocessable) as caught:
        resolve_recipe(kind, recipe)
    (error,) = caught.value.errors
    assert error.field == f"recipe.{field}"
    assert error.message.startswith(message)


class Lists(BaseModel):
    lists: dict[str, list[int]] | list[int] = Field(min_length=1)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([1, "x"], "lists.1"),
        ({"int": ["x"]}, "lists.int.0"),  # a column may be named like a type
        ("x", "lists"),
    ],
)
def test_of_what_may_be_a_list_or_an_object_only_the_one_that_was_meant_is_named(
    given: object, field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Lists.model_validate({"lists": given}, strict=True)
    (wrong,) = wrong_fields(caught.value.errors())
    assert wrong.field == field
