"""Resolve a caller's overrides and a preset into a complete recipe."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from app.errors import FieldError, Unprocessable
from app.recipes.presets import presets
from app.recipes.recipe import RECIPE, Kind, SeriesRecipe, TextRecipe
from app.validation_messages import wrong_fields

MOST_STEPS_OF_UNIVERSAL = 64


def resolve_recipe(
    kind: Kind,
    overrides: Mapping[str, Any] | None,
    *,
    champion: SeriesRecipe | TextRecipe | None = None,
) -> SeriesRecipe | TextRecipe:
    """Return the complete recipe for what the caller gave.

    Args:
        kind: of the dataset.
        overrides: a preset's name under `preset` and the fields that differ from it. Without
            `preset` they change the champion's recipe, or `default` for a new model.
        champion: the recipe of the model's champion, if it has one.

    Raises:
        Unprocessable: a preset or field is unknown, a value is out of range, or fields contradict
            each other. Each is named as `recipe.FIELD`.
    """
    given = dict(overrides or {})
    known = presets(kind)
    if "preset" in given or champion is None or champion.kind != kind:
        name = given.get("preset", "default")
        if not isinstance(name, str) or name not in known:
            raise Unprocessable.at(
                "recipe.preset",
                f"{name!r} is not a preset for {kind}; the presets are {', '.join(known)}",
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
    """Name a wrong field as the request does, without the kind that pydantic puts first."""
    _, _, path = (wrong.field or "").partition(".")
    return FieldError(field=f"recipe.{path}" if path else "recipe", message=wrong.message)


def _check_together(recipe: SeriesRecipe | TextRecipe) -> None:
    if recipe.early_stopping is not None and recipe.validation_fraction == 0:
        raise Unprocessable.at(
            "recipe.early_stopping",
            "needs validation data: set validation_fraction above 0, or early_stopping to null",
        )
    if isinstance(recipe, SeriesRecipe):
        if recipe.scaling == "window" and recipe.window == 1:
            raise Unprocessable.at(
                "recipe.window",
                "must be at least 2 with scaling 'window': a single value has no spread",
            )
        _check_universal(recipe)
        return
    if recipe.reading == "window" and recipe.window is None:
        raise Unprocessable.at("recipe.window", "must be a number of tokens with reading 'window'")
    if recipe.reading == "stream" and recipe.truncate is None:
        raise Unprocessable.at(
            "recipe.truncate", "must be a number of steps with reading 'stream', 32 for example"
        )
    if recipe.unknown == "bytes" and recipe.tokenizer != "char":
        raise Unprocessable.at("recipe.unknown", "'bytes' spells characters: set tokenizer to char")
    if recipe.anchor == "ngram" and recipe.reading == "window":
        raise Unprocessable.at("recipe.anchor", "'ngram' is for reading 'stream'")
    if recipe.anchor == "ngram" and recipe.validation_fraction == 0:
        raise Unprocessable.at(
            "recipe.anchor", "'ngram' needs validation data: set validation_fraction above 0"
        )
    if recipe.unknown == "error" and recipe.min_count > 1:
        raise Unprocessable.at(
            "recipe.min_count",
            "above 1 replaces rare words by the unknown symbol: set `unknown` to 'warn'",
        )


def _check_universal(recipe: SeriesRecipe) -> None:
    if recipe.tune_epochs is not None and recipe.anchor != "universal":
        raise Unprocessable.at(
            "recipe.tune_epochs", "trains the weights of universal: set anchor to universal"
        )
    if recipe.anchor == "universal" and (recipe.horizon or 1) > MOST_STEPS_OF_UNIVERSAL:
        raise Unprocessable.at(
            "recipe.horizon",
            f"must be at most {MOST_STEPS_OF_UNIVERSAL} with anchor universal, which forecasts so "
            "many steps at once; later ones follow from them when you ask for more",
        )
