"""Sentences of a scorecard: the anchor, the network's share in forecasts, series left out."""

from collections.abc import Mapping
from typing import Literal

from app.artifact.manifest import Manifest
from app.artifact.series_records import SeriesAnchor
from app.errors import Unprocessable
from app.judging.series_verdict import written
from app.recipes.recipe import AnchorName, SeriesRecipe

IN_WORDS: dict[AnchorName, str] = {
    "persistence": "the last value",
    "season": "the value one season before",
    "season-change": "the last value and the change of one season before",
    "season-drift": "the last season and its drift",
    "theta": "the Theta forecast",
    "smoothing": "exponential smoothing",
    "autoregression": "the linear autoregression",
    "average": "an average of simple forecasts",
    "universal": "universal, the shipped model for any series",
}
MEMBERS_NAMED = 4


def anchor_of(manifest: Manifest) -> SeriesAnchor | None:
    """Return the anchor of a version, or None; older versions name it only in their recipe."""
    recipe = manifest.recipe
    if manifest.series is not None and manifest.series.anchor is not None:
        return manifest.series.anchor
    if isinstance(recipe, SeriesRecipe) and recipe.anchor == "persistence":
        return SeriesAnchor(name="persistence", chosen=False)
    return None


def anchor_to_keep(
    recipe: SeriesRecipe, start_from: Manifest
) -> AnchorName | Literal["none", "auto"]:
    """Return the recipe's anchor for a warm start: that of the version it starts from.

    That version's network has learnt what to add to that anchor.

    Raises:
        Unprocessable: the recipe names another anchor.
    """
    record = anchor_of(start_from)
    name: AnchorName | Literal["none"] = "none" if record is None else record.name
    if recipe.anchor == "auto":
        return name
    # A window scaled by itself is centred on its last value, so persistence makes no difference.
    same = recipe.scaling == "window" and {name, recipe.anchor} == {"none", "persistence"}
    if recipe.anchor != name and not same:
        raise Unprocessable.at(
            "recipe.anchor",
            f"is {recipe.anchor}, and the network of start_from was trained with {name}: "
            "set it to that, or to auto",
        )
    return recipe.anchor


def anchor_note(anchor: SeriesAnchor) -> str:
    """Return what the scorecard says about an anchor."""
    told = f"added to {IN_WORDS[anchor.name]}"
    if anchor.name == "universal":
        return told + _tuned(anchor) + _effects(anchor)
    if anchor.season is not None:
        told += f" ({anchor.season} rows)"
    if not anchor.origins:
        return told + (": there are too few rows to weigh others on" if anchor.chosen else "")
    if anchor.name == "average":
        told += f" ({_members(anchor)})"
    if anchor.logarithmic:
        told += " in logarithms" if not anchor.pooled else f", {anchor.logarithmic} in logarithms"
    told += _effects(anchor)
    if anchor.own:
        told += ", for each series its own"
    told += _universal(anchor)
    told += f"; from {anchor.origins:,} origins before the cut {_beside_the_last_value(anchor)}"
    if anchor.pooled:
        told += ", in units of each series' mean change"
    missing: dict[str, list[str]] = {}
    for each in anchor.candidates:
        if each.missing is not None:
            missing.setdefault(each.missing, []).append(each.name)
    return told + "".join(
        f"; {' and '.join(names)} left out: {reason}" for reason, names in missing.items()
    )


def _effects(anchor: SeriesAnchor) -> str:
    """Return what other columns add."""
    return "".join(
        f", with the effect of {column.name} ({column.effect:+.4g} a unit)"
        if column.series
        else f", without an effect of {column.name}, which did not help on later rows"
        for column in anchor.effects
    )


def _tuned(anchor: SeriesAnchor) -> str:
    """Return how far the weights of `universal` were trained further."""
    part = anchor.universal
    tuning = None if part is None else part.tuning
    if tuning is None:
        return ", as it is shipped"
    if not tuning.epochs:
        return ", as it is shipped: on validation data, no epoch of training on these rows helped"
    told = f", trained further on these rows for {tuning.epochs} epochs"
    if tuning.before is None or tuning.after is None:
        return told
    gain = 100 * (1 - tuning.after / tuning.before)
    return told + f", which reduced its validation loss by {gain:.2g} %"


def _universal(anchor: SeriesAnchor) -> str:
    """Return what `universal` adds to an anchor."""
    part = anchor.universal
    if part is None:
        return ""
    if part.missing is not None:
        return f", without universal: {part.missing}"
    if not part.share:
        return ", without universal, which did not help"
    of_series = f" in {part.series} series" if anchor.pooled else ""
    return f", with {100 * part.share:.0f} % universal@{part.version}{of_series}"


def _members(anchor: SeriesAnchor) -> str:
    """Return the largest weights by name, as in "smoothing 60 %, autoregression 30 %"."""
    weights: dict[str, float] = {}
    for member in anchor.members:
        weights[member.name] = weights.get(member.name, 0.0) + member.weight
    largest = sorted(weights.items(), key=lambda item: -item[1])[:MEMBERS_NAMED]
    return ", ".join(f"{name} {100 * weight:.0f} %" for name, weight in largest)


def _beside_the_last_value(anchor: SeriesAnchor) -> str:
    """Return the anchor's RMSE and that of persistence."""
    errors = {each.name: each.error for each in anchor.candidates if each.error is not None}
    own, last = errors.get(anchor.name), errors.get("persistence")
    if own is None:
        return "it was not measured"
    beside = (
        ""
        if last is None or anchor.name == "persistence"
        else f" against persistence {written(last)}"
    )
    return f"RMSE {written(own)}{beside}"


NOTHING = (
    "the network adds nothing: on the validation rows no gain stood out from noise, so it "
    "forecasts what it is added to"
)
REASON = "is kept: so much stood out from noise on the validation rows"


def share_notes(share: float) -> tuple[str, ...]:
    """Return the scorecard's note about a share, 0 to 1; nothing if all of it was kept."""
    if share == 0:
        return (NOTHING,)
    return (f"of what the network adds, {100 * share:.3g} % {REASON}",) if share < 1 else ()


NAMED = 10


def not_trained_on(
    lengths: Mapping[str, int], *, of: int, window: int, needed: int, before_cut: bool
) -> str:
    """Return the scorecard's note about series that hold no example to train on.

    Args:
        lengths: how many complete consecutive rows each of them has, by label.
        of: how many series there are.
        window: past steps in an example.
        needed: rows in an example.
        before_cut: whether only the rows before the cut are trained on.
    """
    count = len(lengths)
    told = "is too short for the window" if count == 1 else "are too short for the window"
    where = " before the cut" if before_cut else ""
    return (
        f"{count} of {of} series {told} of {window} and {'was' if count == 1 else 'were'} not "
        f"trained on; an example needs {needed} complete consecutive rows{where}: "
        f"{_named(lengths)}; a smaller recipe.window needs fewer"
    )


def not_judged(lengths: Mapping[str, int], *, of: int, window: int) -> str:
    """Return the scorecard's note about series of another dataset that cannot be forecast.

    Args:
        lengths: how many rows each of them has, by label.
        of: how many series there are.
        window: past steps that a forecast needs.
    """
    count = len(lengths)
    return (
        f"{count} of {of} series {'has' if count == 1 else 'have'} no row to forecast from a "
        f"complete window of {window} before it: {_named(lengths)}"
    )


def _named(lengths: Mapping[str, int]) -> str:
    first = list(lengths.items())[:NAMED]
    told = ", ".join(f"{label!r} has {rows}" for label, rows in first)
    more = len(lengths) - len(first)
    return f"{told} and {more} more" if more else told
