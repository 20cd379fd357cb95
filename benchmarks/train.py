"""Training the chapter's stock model: one compiled program per epoch against plain `model.fit`.

    python benchmarks/train.py [prices.csv]

Same data, same start, same recipe (200 epochs, batches of 32), in one process, compilation
included. Without a file of prices, and where the chapter's does not lie beside the repository, a
random walk of as many rows stands in. Ends with 1 if the ratio is above an eighth or the loss is
worse.
"""

import sys
import time
from pathlib import Path

import keras
import numpy as np

from app.datasets.content import SeriesContent
from app.datasets.read_options import ReadOptions
from app.datasets.reading import read_file
from app.recipes import SeriesRecipe, presets
from app.training.fit import Fit, Plan
from app.training.keras_network import build_network, initial_weights, with_weights
from app.training.series_task import SeriesTask

CHAPTER_PRICES = Path(__file__).parents[2] / "shared" / "data" / "google_stock_train.csv"
CHAPTER_ROWS = 1258
LARGEST_RATIO = 1 / 8
# Two ways of adding up in float, and shuffles of their own: the last epoch differs by so much.
LOSS_TOLERANCE = 1.05


def main() -> int:
    """Measures both and prints the ratio."""
    content, source = prices(Path(sys.argv[1]) if len(sys.argv) > 1 else CHAPTER_PRICES)
    recipe = presets("series")["chapter"]
    if not isinstance(recipe, SeriesRecipe):
        raise TypeError("the chapter's preset for series is for series")
    recipe = recipe.model_copy(update={"test_fraction": 0.0})
    task = SeriesTask.prepare(content, recipe, target=None, test=None)
    plan = task.plan("training")

    cold_seconds, loss = compiled(plan, recipe.seed)
    warm_seconds, _ = compiled(plan, recipe.seed)
    fit_seconds, fit_loss = model_fit(plan, recipe)

    ratio = cold_seconds / fit_seconds
    print(f"{source}, {plan.training.count} windows, {plan.epochs} epochs")
    print(f"model.fit                 {fit_seconds:7.2f} s   loss {fit_loss:.3g}")
    print(f"compiled, cold            {cold_seconds:7.2f} s   loss {loss:.3g}")
    print(f"compiled, program kept    {warm_seconds:7.2f} s")
    print(f"ratio {ratio:.3f} (1/{1 / ratio:.1f}), kept {warm_seconds / fit_seconds:.3f}; ", end="")
    print(f"at most {LARGEST_RATIO:.3f} (1/8)")
    return int(ratio > LARGEST_RATIO or loss > fit_loss * LOSS_TOLERANCE)


def prices(path: Path) -> tuple[SeriesContent, str]:
    """The prices of a file, or a random walk, and what to call them."""
    if path.is_file():
        content = read_file(path, path.name, ReadOptions(kind="series")).content
        if isinstance(content, SeriesContent):
            return content, path.name
    walk = 500 + np.random.default_rng(0).normal(0, 5, CHAPTER_ROWS).cumsum()
    generated = SeriesContent(
        columns=("price",),
        values=walk[:, None],
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=("",),
        series=np.zeros(CHAPTER_ROWS, np.int32),
    )
    return generated, "a random walk"


def compiled(plan: Plan, seed: int) -> tuple[float, float]:
    """Seconds and final loss of our own training."""
    start = initial_weights(plan.form.architecture, seed=seed)
    started = time.perf_counter()
    fit = Fit(plan, start, saved=None, between=lambda: None, report=lambda _: None)
    loss = fit.run().final_loss
    return time.perf_counter() - started, loss


def model_fit(plan: Plan, recipe: SeriesRecipe) -> tuple[float, float]:
    """Seconds and final loss of the ordinary way."""
    architecture = plan.form.architecture
    start = initial_weights(architecture, seed=recipe.seed)
    network = with_weights(
        build_network(architecture, steps=plan.form.steps, every_step=False), start
    )
    network.compile(optimizer=keras.optimizers.Adam(recipe.learning_rate), loss="mse")
    started = time.perf_counter()
    history = network.fit(
        plan.inputs, plan.targets, batch_size=recipe.batch_size, epochs=plan.epochs, verbose=0
    )
    return time.perf_counter() - started, float(history.history["loss"][-1])


if __name__ == "__main__":
    sys.exit(main())
