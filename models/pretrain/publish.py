"""Write the artifact: the graph, its description and its scorecard."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from app.artifact.manifest import Feature, Manifest, SeriesInput
from app.artifact.scorecard import Scorecard
from app.artifact.series_records import SeriesIntervals
from app.forecasting.intervals import HIGHEST_LEVEL
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.export.artifact import library_versions, now, write_artifact
from app.training.universal.export import universal_graph
from app.training.universal.form import CONTEXT, HORIZON, LEAST_VALUES, PERIODS, Form
from app.training.universal.known import known
from app.training.universal.tensorflow_network import OPS, run
from models.pretrain.judging import SEASONAL, HeldOut, held_out, judge, run_graph
from models.pretrain.plan import Plan

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[np.float32]]
LARGEST = 1e290
PARITY_SERIES = 32
# In standard deviations of a history. A comparison that is nearly a tie may go either way in
# float32: of 32 series, one differed by 2e-3 and the others by 4e-6 at most.
MOST_PARITY = 1e-2


def publish(folder: Path, weights: Arrays, plan: Plan, *, updates: int, seconds: float) -> None:
    """Write the artifact of some weights.

    Raises:
        ValueError: graph and network differ.
    """
    form = plan.served_form()
    graph = universal_graph(weights, form)
    series = held_out()
    forecasts, bounds = run_graph(graph, series)
    parity = _parity(weights, form, series, forecasts)
    if not parity <= MOST_PARITY:
        raise ValueError(f"graph and network differ by {parity:g} of a series' deviation")
    manifest = Manifest(
        kind="series",
        recipe=_recipe(plan),
        window=CONTEXT,
        min_history=LEAST_VALUES,
        horizon=HORIZON,
        series=SeriesInput(
            features=(Feature(name="value", low=-LARGEST, high=LARGEST),),
            target="value",
            frequency=None,
            time_form=None,
            never_negative=False,
            periods=PERIODS,
            intervals=SeriesIntervals(
                method="quantile regression",
                calibrated_on="made-up series",
                forecasts_of="this network",
                forecasts=0,  # none were measured: its quantiles were trained
                steps=HORIZON,
                usual_change=None,
                recent_changes=0,
                share=1.0,
                volatility="the quantiles that the network forecasts from the history",
                signed_to=HIGHEST_LEVEL,
                conformal_to=None,
            ),
        ),
        refitted=False,
        parity=parity,
        libraries=library_versions(),
        seed=plan.seed,
        trained_at=now(),
        training_seconds=round(seconds, 1),
    )
    write_artifact(
        folder,
        manifest=manifest,
        scorecard=_scorecard(series, forecasts, bounds, updates),
        weights=weights,
        graph=graph,
        judged_graph=None,
    )


def _parity(weights: Arrays, form: Form, series: HeldOut, forecasts: Floats) -> float:
    """Return the largest difference between graph and network, in a history's deviations."""
    chosen = np.linspace(0, len(series.histories) - 1, PARITY_SERIES).astype(int)
    histories = tf.constant(series.histories[chosen])
    periods = tf.constant(series.periods[chosen], tf.float32)
    given = known(OPS, histories, periods)
    named = {name: tf.constant(array) for name, array in weights.items()}
    found = run(named, histories, periods, form)
    median = found.median[:, -1].numpy() * given.scale.numpy() + given.center.numpy()
    deviation = np.nanstd(series.histories[chosen], axis=1)[:, None]
    moves = deviation[:, 0] > 0
    return float(np.abs((median - forecasts[chosen])[moves] / deviation[moves]).max())


def _recipe(plan: Plan) -> SeriesRecipe:
    """Describe the training as far as a recipe can."""
    recipe = resolve_recipe(
        "series",
        {
            "preset": "default",
            "layers": [plan.units, plan.units],
            "window": CONTEXT,
            "horizon": HORIZON,
            "anchor": "none",
            "scaling": "window",
            "loss": "mae",
            "learning_rate": plan.learning_rate,
            "refit": False,
            "seed": plan.seed,
        },
    )
    if not isinstance(recipe, SeriesRecipe):
        raise TypeError("a text recipe")
    return recipe


def _scorecard(
    series: HeldOut,
    forecasts: Floats,
    bounds: Floats,
    updates: int,
) -> Scorecard:
    score = judge(series, forecasts, bounds)
    every = score.all_steps
    if every is None:
        raise ValueError("nothing was judged")
    better = {name: 1 - every.model.mae / own.mae for name, own in every.baselines.items()}
    return Scorecard(
        judged_on="held-out",
        network="served",
        verdict=(
            f"On made-up series its mean error over {HORIZON} steps is "
            f"{better[SEASONAL]:.0%} below that of the last season and "
            f"{better['persistence']:.0%} below that of the last value"
        ),
        skill=None,
        skill_missing="it was judged on made-up series, which do not tell how good it is on others",
        notes=(
            (
                f"Judged on {len(series.histories)} made-up series that no training saw. Neither "
                "these nor the training held measured data of any kind."
            ),
            "Errors are in units of each history's mean change from row to row.",
            f"Trained by {updates:,} updates of `python -m models.pretrain`.",
        ),
        final_loss=every.model.mae,
        best_epoch=1,
        series=score,
    )
