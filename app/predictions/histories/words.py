"""Columns of words in a request, turned into the features that stand for them."""

from collections.abc import Mapping, Sequence
from typing import cast

from app.errors import FieldError, Unprocessable
from app.predictions.loaded import Loaded

SHOWN = 5
LONGEST_SHOWN = 50  # characters of a word


def in_features(
    version: Loaded,
    columns: Mapping[str, Sequence[float] | Sequence[str]],
    field: str,
    warnings: list[str],
) -> dict[str, list[float]]:
    """Return columns of numbers only.

    Args:
        version: knows the levels of each column of words.
        columns: by name, as in the request.
        field: of the request.
        warnings: words that the version does not know are added to them.

    Raises:
        Unprocessable: a column has words where the version reads numbers, or the reverse.
    """
    described = version.manifest.series
    encodings = {} if described is None else {each.name: each for each in described.encodings}
    found: dict[str, list[float]] = {}
    errors = []
    for name, values in columns.items():
        encoding = encodings.get(name)
        are_words = len(values) > 0 and isinstance(values[0], str)  # a list has one of the two
        if encoding is None or not are_words:
            if are_words:
                errors.append((name, "takes numbers, not words"))
            elif encoding is not None:
                shown = ", ".join(repr(level) for level in encoding.levels[:SHOWN])
                errors.append((name, f"takes words, such as {shown}, not numbers"))
            found[name] = cast("list[float]", values)
            continue
        words = cast("list[str]", values)
        found |= encoding.encode(words)
        if unknown := encoding.unknown(words):
            shown = ", ".join(repr(word[:LONGEST_SHOWN]) for word in unknown[:SHOWN])
            more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
            counted = "any other value" if encoding.other else repr(encoding.levels[0])
            warnings.append(
                f"{version} was not trained on {shown}{more} in {field}.{name}: counted as "
                f"{counted}"
            )
    if errors:
        raise Unprocessable(
            f"{field}: {'; '.join(f'{name} {message}' for name, message in errors)}",
            errors=tuple(
                FieldError(field=f"{field}.{name}", message=message) for name, message in errors
            ),
        )
    return found
