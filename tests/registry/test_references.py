import pytest

from app.errors import Unprocessable
from app.registry.references import ModelReference, check_alias_name, parse_reference


@pytest.mark.parametrize(
    ("text", "name", "alias", "number"),
    [
        ("google-stock", "google-stock", "champion", None),
        ("google-stock@champion", "google-stock", "champion", None),
        ("google-stock@1", "google-stock", None, 1),
        ("a" * 100 + "@" + "b" * 100, "a" * 100, "b" * 100, None),
        ("google-stock@03", "google-stock", None, 3),
        ("0a.b_c-d@2x", "0a.b_c-d", "2x", None),
        ("7@7", "7", None, 7),
        ("a@2147483647", "a", None, 2**31 - 1),
    ],
)
def test_a_reference_is_read(text: str, name: str, alias: str | None, number: int | None) -> None:
    assert parse_reference(text) == ModelReference(name=name, alias=alias, number=number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@champion",
        "-a",
        ".a",
        "A",
        "a b",
        "a/b",
        "ä",
        "a\n",
        "a\x00",
        "a@",
        "a@-1",
        "a@0",
        "a@2147483648",
        "a@" + "9" * 5000,
        "a@٣",
        "a@b@c",
        "a@B",
        "a" * 101,
        "a@" + "b" * 101,
    ],
)
def test_what_is_not_a_reference_is_a_422_that_names_the_field(text: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        parse_reference(text, field="start_from")

    assert [error.field for error in caught.value.errors] == ["start_from"]
    assert len(caught.value.detail) < 500


@pytest.mark.parametrize("text", ["google-stock@3", "google-stock@champion"])
def test_a_reference_is_shown_as_it_is_written(text: str) -> None:
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize("alias", ["champion", "a", "3a", "3.", "1-2"])
def test_an_alias_may_begin_with_digits(alias: str) -> None:
    assert check_alias_name(alias) == alias


@pytest.mark.parametrize("alias", ["", "3", "42", "a@b", "A", "a\n", "3\n"])
def test_an_alias_is_not_digits_alone(alias: str) -> None:
    with pytest.raises(Unprocessable):
        check_alias_name(alias)
