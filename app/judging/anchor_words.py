"""Which simple forecast a network is added to, and why, in a sentence."""

from app.recipes import AnchorName, SeriesRecipe
from app.registry.artifacts import Manifest, SeriesAnchor

IN_WORDS: dict[AnchorName, str] = {
    "persistence": "the last value",
    "season": "the value one season before",
    "season-change": "the last value and the change of one season before",
    "autoregression": "the linear autoregression",
}


def anchor_of(manifest: Manifest) -> SeriesAnchor | None:
    """The anchor of a version; older ones say it in their recipe alone. None: it has none."""
    recipe = manifest.recipe
    if manifest.series is not None and manifest.series.anchor is not None:
        return manifest.series.anchor
    if isinstance(recipe, SeriesRecipe) and recipe.anchor == "persistence":
        return SeriesAnchor(name="persistence", chosen=False)
    return None


def anchor_note(anchor: SeriesAnchor) -> str:
    """What the scorecard says of an anchor."""
    told = f"added to {IN_WORDS[anchor.name]}"
    if anchor.season is not None:
        told += f" ({anchor.season} rows)"
    if not anchor.chosen:
        return told
    if not anchor.origins:
        return f"{told}: there are too few rows to choose another on"
    told += f", chosen on {anchor.origins} validation rows: {_beside_the_best_other(anchor)}"
    if anchor.pooled:
        told += ", in units of each series' mean change"
    missing: dict[str, list[str]] = {}
    for each in anchor.candidates:
        if each.missing is not None:
            missing.setdefault(each.missing, []).append(each.name)
    return told + "".join(
        f"; not {' nor '.join(names)}: {reason}" for reason, names in missing.items()
    )


def _beside_the_best_other(anchor: SeriesAnchor) -> str:
    """Its RMSE, and that of persistence, or where it is persistence that of the best other one."""
    errors: dict[str, float] = {
        each.name: each.error for each in anchor.candidates if each.error is not None
    }
    own = errors.pop(anchor.name)
    other = min(errors, key=lambda name: errors[name], default=None)
    if anchor.name != "persistence":
        other = "persistence"
    if other is None:
        return f"RMSE {own:.3g}"
    told = f"RMSE {own:.3g} against {other} {errors[other]:.3g}"
    return f"{told}, a lead within noise" if errors[other] < own else told
