"""Compare training in one compiled program per epoch with plain `model.fit` and PyTorch.

Each pair has the same data, initial weights and recipe. Seconds are those of the whole fit,
including compilation unless stated otherwise. The chapter's stock model: 200 epochs in batches of
32. LSTM(64): 1,200 windows of 60, 20 epochs in batches of 32; the median of three fits, in turn
with PyTorch's, which runs in a separate virtual environment (benchmarks/.pytorch). The data are the
chapter's prices if they are beside the repository, otherwise a random walk with as many rows.
100,000 daily series of 60 rows with a week, in one upload, are trained with the preset `default`
and a horizon of 14, from the stored dataset to the artifact.

    python -m benchmarks.train [--quick]
"""

import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np

from app.reading.content import SeriesContent
from app.reading.read_options import ReadOptions
from app.reading.reader import read_file
from app.recipes.presets import presets
from app.recipes.recipe import SeriesRecipe
from app.training.fit import Fit, Plan
from app.training.keras_network import build_network, initial_weights, with_weights
from app.training.program import Form, program_of
from app.training.series.task import SeriesTask
from benchmarks.figures import Figure, Reference, Wanted, at_most, run_alone
from benchmarks.parts import pytorch
from benchmarks.parts.judged import trained
from benchmarks.series import Series

CHAPTER_PRICES = Path(__file__).parents[2] / "shared" / "data" / "google_stock_train.csv"
CHAPTER_ROWS = 1258
# Sums in single precision are added in different orders and shuffles differ, so the last epochs'
# losses differ by up to this share.
LOSS_TOLERANCE = 1.05
LSTM64_WINDOW, LSTM64_ROWS, LSTM64_EPOCHS = 60, 1260, 20
LSTM64_ROUNDS = 3
MANY_SERIES, MANY_ROWS, MANY_SECONDS, MANY_MEBIBYTES = 100_000, 60, 1200, 4096
START = np.datetime64("2026-01-01")


def measure(*, quick: bool) -> Iterator[Figure]:
    """Measure the chapter's model, then LSTM(64)."""
    yield from chapter(quick=quick)
    yield from lstm64(quick=quick)
    yield from many_series(quick=quick)


def chapter(*, quick: bool) -> Iterator[Figure]:
    """Measure the chapter's stock model."""
    content, source = prices(CHAPTER_PRICES)
    recipe = chapter_recipe()
    plan = plan_of(content, recipe, epochs=20 if quick else recipe.epochs)
    cold_seconds, loss = compiled(plan, recipe.seed)
    # It takes so little time that the shortest of several runs shows its cost.
    warm_seconds = min(compiled(plan, recipe.seed)[0] for _ in range(3))
    fit_seconds, fit_loss = model_fit(plan, recipe)
    reference = Reference(name=f"model.fit, {source}, {plan.epochs} epochs", value=fit_seconds)
    yield seconds("chapter preset, cold", cold_seconds, reference, at_most(1 / 10))
    yield seconds("chapter preset, program kept", warm_seconds, reference, at_most(1 / 40))
    yield Figure(
        name="chapter preset, loss of the last epoch",
        value=loss,
        unit="",
        reference=Reference(name="model.fit", value=fit_loss),
        wanted=at_most(LOSS_TOLERANCE),
    )


def lstm64(*, quick: bool) -> Iterator[Figure]:
    """Measure LSTM(64) over windows of 60."""
    recipe = chapter_recipe().model_copy(
        update={"layers": (64,), "activation": "tanh", "window": LSTM64_WINDOW}
    )
    plan = plan_of(walk(LSTM64_ROWS), recipe, epochs=2 if quick else LSTM64_EPOCHS)
    python = pytorch.ENVIRONMENT.python()
    found: dict[str, list[tuple[float, float]]] = {"cold": [], "kept": [], "torch": []}
    for _ in range(1 if quick else LSTM64_ROUNDS):
        program_of.cache_clear()
        found["cold"].append(compiled(plan, recipe.seed))
        found["kept"].append(compiled(plan, recipe.seed))
        if python is not None and plan.targets is not None:
            torch = pytorch.train(
                python,
                plan.inputs,
                plan.targets,
                units=64,
                epochs=plan.epochs,
                batch_size=recipe.batch_size,
            )
            found["torch"].append(torch)
    fit_seconds, fit_loss = model_fit(plan, recipe)
    (cold_seconds, loss), (warm_seconds, _) = median(found["cold"]), median(found["kept"])
    note = f"loss {loss:.3g}, model.fit {fit_loss:.3g}"
    reference = Reference(name="model.fit (PyTorch cannot be installed here)", value=fit_seconds)
    if found["torch"]:
        torch_seconds, torch_loss = median(found["torch"])
        note += f", PyTorch {torch_loss:.3g}"
        reference = Reference(name="PyTorch the ordinary way", value=torch_seconds)
    yield seconds("LSTM(64), cold", cold_seconds, reference, at_most(1), note)
    yield seconds("LSTM(64), program kept", warm_seconds, reference, None)
    yield seconds(
        "LSTM(64), cold, beside Keras",
        cold_seconds,
        Reference(name="model.fit", value=fit_seconds),
        None,
    )


def many_series(*, quick: bool) -> Iterator[Figure]:
    """Measure one training on very many short series."""
    count, rows = (50 if quick else MANY_SERIES), MANY_ROWS
    chance, days = np.random.default_rng(5), np.arange(rows)
    level = chance.uniform(20, 2000, (count, 1))
    week = (chance.normal(size=(count, 7)) * chance.uniform(0.02, 0.2, (count, 1)))[:, days % 7]
    walk = np.cumsum(chance.normal(0, 0.02, (count, rows)), axis=1)
    values = level * np.exp(week + walk + chance.normal(0, 0.05, (count, rows)))
    content = SeriesContent(
        columns=("y",),
        values=values.reshape(-1, 1),
        times=np.tile((START + days).astype("datetime64[us]"), count),
        offsets=None,
        time_form="date",
        frequency="D",
        labels=tuple(f"series {number}" for number in range(count)),
        series=np.repeat(np.arange(count, dtype=np.int32), rows),
    )
    recipe = preset("default").model_copy(update={"horizon": 14})
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        trained(Path(folder), Series(name="many", content=content, structure=True), recipe)
    name = f"default preset, {count:,} series of {rows} rows"
    yield Figure(
        name=name,
        value=time.perf_counter() - started,
        unit="s",
        wanted=at_most(MANY_SECONDS),
    )
    yield Figure(
        name=f"{name}: memory",
        value=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        unit="MiB",
        wanted=at_most(MANY_MEBIBYTES),
        note="the most that this process ever had",
    )


def median(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the round with the median time."""
    return sorted(rounds)[len(rounds) // 2]


def seconds(
    name: str, value: float, reference: Reference, wanted: Wanted | None, note: str = ""
) -> Figure:
    """Return a figure of time."""
    return Figure(name=name, value=value, unit="s", reference=reference, wanted=wanted, note=note)


def chapter_recipe() -> SeriesRecipe:
    """Return the preset with all rows used."""
    return preset("chapter").model_copy(update={"test_fraction": 0.0})


def preset(name: str) -> SeriesRecipe:
    """Return a preset for series."""
    recipe = presets("series")[name]
    if not isinstance(recipe, SeriesRecipe):
        raise TypeError(f"the preset {name} for series is for series")
    return recipe


def plan_of(content: SeriesContent, recipe: SeriesRecipe, *, epochs: int) -> Plan:
    """Return the fit that a training would do."""
    task = SeriesTask.prepare(content, recipe, target=None, test=None)
    return replace(task.plan("training"), epochs=epochs)


def prices(path: Path) -> tuple[SeriesContent, str]:
    """Return the prices of a file or a random walk, and a name for them."""
    if path.is_file():
        content = read_file(path, path.name, ReadOptions(kind="series")).content
        if isinstance(content, SeriesContent):
            return content, path.name
    return walk(CHAPTER_ROWS), "a random walk"


def walk(rows: int) -> SeriesContent:
    """Return a random walk."""
    steps = 500 + np.random.default_rng(0).normal(0, 5, rows).cumsum()
    return SeriesContent(
        columns=("price",),
        values=steps[:, None],
        times=None,
        offsets=None,
        time_form=None,
        frequency=None,
        labels=("",),
        series=np.zeros(rows, np.int32),
    )


def form_of(plan: Plan) -> Form:
    """Return the form of a plan for a network of the recipe's own."""
    if not isinstance(plan.form, Form):
        raise TypeError("the plan trains the weights of universal")
    return plan.form


def compiled(plan: Plan, seed: int) -> tuple[float, float]:
    """Return seconds and final loss of our own training."""
    start = initial_weights(form_of(plan).architecture, seed=seed)
    started = time.perf_counter()
    fit = Fit(plan, start, saved=None, between=lambda: None, report=lambda _: None)
    loss = fit.run().final_loss
    return time.perf_counter() - started, loss


def model_fit(plan: Plan, recipe: SeriesRecipe) -> tuple[float, float]:
    """Return seconds and final loss of plain `model.fit`."""
    form = form_of(plan)
    architecture = form.architecture
    start = initial_weights(architecture, seed=recipe.seed)
    network = with_weights(build_network(architecture, steps=form.steps, every_step=False), start)
    network.compile(optimizer=keras.optimizers.Adam(recipe.learning_rate), loss="mse")
    started = time.perf_counter()
    history = network.fit(
        plan.inputs, plan.targets, batch_size=recipe.batch_size, epochs=plan.epochs, verbose=0
    )
    return time.perf_counter() - started, float(history.history["loss"][-1])


if __name__ == "__main__":
    sys.exit(run_alone(measure))
