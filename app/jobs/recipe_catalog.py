"""The presets and the fields of a recipe, for people and for forms."""

from typing import Any

from app.jobs.schemas import RecipeField, Recipes
from app.recipes.presets import PRESETS
from app.recipes.recipe import Recipe, SeriesRecipe, TextRecipe

# Set by the service and not by the caller.
NOT_ASKED_FOR = frozenset({"kind"})


def explain_recipes() -> Recipes:
    """Return all presets, and per kind every field with its possible values."""
    return Recipes(
        items=list(PRESETS),
        fields={"series": _fields(SeriesRecipe), "text": _fields(TextRecipe)},
    )


def _fields(recipe: type[Recipe]) -> list[RecipeField]:
    schema = recipe.model_json_schema()
    return [
        RecipeField(
            name=name,
            description=value.get("description", ""),
            value={key: part for key, part in value.items() if key not in {"title", "description"}},
        )
        for name, value in _known(schema).items()
    ]


def _known(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = schema["properties"]
    return {name: value for name, value in properties.items() if name not in NOT_ASKED_FOR}
