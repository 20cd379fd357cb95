"""Test which seasons the series of a file have in common; no network is trained here."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.series.data import read_series
from app.training.series.seasons import find_seasons
from tests.training.runs import long_file

Floats = npt.NDArray[np.float64]
HOURS = 840  # five weeks


def seasons_of(values: list[Floats]) -> tuple[int, ...]:
    content = long_file(values)
    start = np.datetime64("2026-01-05T00", "us")
    counts = np.concatenate([np.arange(len(own)) for own in values])
    content = replace(
        content,
        times=start + counts * np.timedelta64(3_600_000_000, "us"),
        time_form="local",
        frequency="h",
    )
    recipe = resolve_recipe("series", {"preset": "default", "horizon": 24})
    assert isinstance(recipe, SeriesRecipe)
    return find_seasons(read_series(content, recipe, target=None, has_test=False))


def load(seed: int, *, weekend: float, noise: float = 0.1) -> Floats:
    """Return hours whose daily pattern is weaker on weekends, to this share."""
    hours = np.arange(HOURS)
    share = np.where(hours // 24 % 7 >= 5, weekend, 1.0)
    chance = np.random.default_rng(seed)
    return 10 + share * np.sin(2 * np.pi * hours / 24) + chance.normal(0, noise, HOURS)


def test_a_week_in_some_series_and_a_day_in_others_are_a_day_and_a_week() -> None:
    some = [load(seed, weekend=0.0) for seed in range(6)]
    others = [load(seed, weekend=1.0) for seed in range(6, 11)]
    assert seasons_of(some + others) == (24, 168)


def test_a_week_too_faint_in_each_series_is_found_in_many() -> None:
    faint = [load(seed, weekend=0.5, noise=0.2) for seed in range(12)]
    assert seasons_of(faint[:3]) == (24,)
    assert seasons_of(faint) == (24, 168)


def test_many_random_walks_have_no_season_in_common() -> None:
    walks = [np.random.default_rng(seed).normal(size=HOURS).cumsum() for seed in range(20)]
    assert seasons_of(walks) == ()
