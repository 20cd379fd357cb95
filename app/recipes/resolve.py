"""Resolve a caller's overrides and a preset into a complete recipe."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from app.errors import FieldError, Unprocessable
from app.recipes.presets import presets
from app.recipes.recipe import RECIPE, Kind, SeriesRecipe, TextRecipe
from app.validation_messages import wrong_fields


def resolve_recipe(
    kind: Kind,
    overrides: Mapping[str, Any] | None,
    *,
    champion: SeriesRecipe | TextRecipe | None = None,
) -> SeriesRecipe | TextRecipe:
    """A complete recipe from what the caller gave.

    Args:
        kind: what the dataset is.
        overrides: a preset's name under `preset` and the fields that differ from it. Without
            `preset` they change the champion's recipe, or `default` for a new model.
        champion: the recipe of the model's champion, if it has one.

    Raises:
        Unprocessable: an unknown preset or field, a value out of bounds, fields that do not go
            together; each place is named as `recipe.FIELD`.
    """
    given = dict(overrides or {})
    known = presets(kind)
    if "preset" in given or champion is None or champion.kind != kind:
        name = given.get("preset", "default")
        if not isinstance(name, str) or name not in known:
            raise Unprocessable.at(
                "recipe.preset", f"{name!r} is no preset for {kind}; there are {', '.join(known)}"
            )
        base = known[name]
    else:
        base = champion
    try:
        recipe = RECIPE.validate_python({**base.model_dump(), **given, "kind": kind})
    except ValidationError as error:
        places = tuple(_place(wrong) for wrong in wrong_fields(error.errors()))
        detail = "; ".join(f"{place.field}: {place.message}" for place in places)
        raise Unprocessable(detail, errors=places) from error
    _check_together(recipe)
    return recipe


def _place(wrong: FieldError) -> FieldError:
    """Name a wrong field as it stands in a request, without the kind that pydantic puts first."""
    _, _, path = (wrong.field or "").partition(".")
    return FieldError(field=f"recipe.{path}" if path else "recipe", message=wrong.message)


def _check_together(recipe: SeriesRecipe | TextRecipe) -> None:
    if recipe.early_stopping is not None and recipe.validation_fraction == 0:
        raise Unprocessable.at(
            "recipe.early_stopping",
            "needs data to watch: set validation_fraction above 0, or early_stopping to null",
        )
    if isinstance(recipe, SeriesRecipe):
        if recipe.scaling == "window" and recipe.window == 1:
            raise Unprocessable.at(
                "recipe.window",
                "scaling window measures each window: one value has no spread, give 2 or more",
            )
        return
    if recipe.reading == "window" and recipe.window is None:
        raise Unprocessable.at("recipe.window", "reading window needs the number of tokens it sees")
    if recipe.reading == "stream" and recipe.truncate is None:
        raise Unprocessable.at(
            "recipe.truncate", "reading stream needs the steps of backpropagation, 32 for instance"
        )
    if recipe.unknown == "error" and recipe.min_count > 1:
        raise Unprocessable.at(
            "recipe.min_count", "above 1 folds rare words into an unknown symbol: set unknown: warn"
        )
