import pytest
from pydantic import ValidationError

from app.reading.read_options import ReadOptions


def test_equal_options_have_one_canonical_form() -> None:
    one = ReadOptions.model_validate_json('{"gaps": "fill", "kind": "series"}')
    other = ReadOptions.model_validate_json('{"kind":"series","gaps":"fill","date":null}')
    assert one.canonical() == other.canonical() == '{"gaps":"fill","kind":"series"}'


def test_nothing_set_is_the_empty_object() -> None:
    assert ReadOptions().canonical() == "{}"


@pytest.mark.parametrize(
    "text",
    [
        '{"colour": "red"}',
        '{"kind": "number"}',
        '{"frequency": "fortnight"}',
        '{"frequency": "0D"}',
        '{"header": 1}',
    ],
)
def test_unknown_fields_and_values_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ReadOptions.model_validate_json(text)
