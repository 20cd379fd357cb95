import pytest

from app.terminal.commands.read_flags import read_options
from app.terminal.rendering.problems import CommandError


def test_values_stand_as_they_are() -> None:
    said = read_options(
        ["decimal=,", "date=2017", "header=false", "delimiter=tab", "series=", "gaps=fill"]
    )
    assert said == {
        "decimal": ",",
        "date": "2017",
        "header": False,
        "delimiter": "\t",
        "series": "",
        "gaps": "fill",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("decimal", "OPTION=VALUE"),
        ("decimal=x", "decimal: must be"),
        ("colour=red", "the options are kind, date"),
        ("header=maybe", "header"),
    ],
)
def test_what_is_not_an_option_is_reported(text: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        read_options([text])
