"""Test complete trainings on series: what is fitted on which rows, and what is recorded."""

import numpy as np
import pytest
from safetensors.numpy import load

from app.artifact.files import JUDGED, MODEL, SCORECARD, WEIGHTS
from app.artifact.onnx_session import forecasts
from app.artifact.scorecard import Epoch
from app.errors import Unprocessable
from app.forecasting.anchors import PREFIX
from app.forecasting.metrics import rmse
from app.recipes.recipe import SeriesRecipe
from app.recipes.resolve import resolve_recipe
from app.training.architecture import with_share
from app.training.export.artifact import read_weights
from app.training.fit import Fitted, steadied
from app.training.keras_network import initial_weights
from app.training.series.task import SeriesTask
from app.training.task import Phase
from tests.training.runs import (
    SMALL,
    Artifact,
    Recorder,
    Train,
    evaluated,
    long_file,
    series_of,
    wave,
)

ROWS = 160
FITTED_ROWS = 128  # a fifth is held out


def judged_rmse(graph: bytes, values: np.ndarray, first: int) -> float:
    """Return the RMSE of one-step forecasts of values[first:], each computed separately."""
    window = SMALL["window"]
    given = [
        forecasts(graph, values[None, row - window : row, None])[0, 0]
        for row in range(first, len(values))
    ]
    return rmse(values[first:], np.array(given))


def test_the_last_fifth_is_judged_and_then_fitted_too(train: Train) -> None:
    values, control = wave(ROWS), Recorder()
    artifact = train(series_of(values), SMALL, control=control)
    score = artifact.scorecard.series
    assert score is not None
    assert artifact.scorecard.judged_on == "held-out"
    assert artifact.scorecard.network == "judged"
    assert artifact.manifest.refitted
    assert score.rows == ROWS - FITTED_ROWS
    assert (score.start, score.end) == ("2020-05-08", "2020-06-08")
    judged = artifact.bytes_of(JUDGED)
    assert score.model.rmse == pytest.approx(judged_rmse(judged, values, FITTED_ROWS))
    assert score.baselines["persistence"].rmse == pytest.approx(
        rmse(values[FITTED_ROWS:], values[FITTED_ROWS - 1 : -1])
    )
    assert artifact.bytes_of(MODEL) != judged
    assert control.stages == [
        "loading",
        "compiling",
        "training",
        "weighing",
        "judging",
        "refitting",
        "exporting",
    ]
    own = evaluated(artifact, series_of(values), series_of(values), "judged")
    assert own.series == score
    assert (own.judged_on, own.verdict) == ("held-out", artifact.scorecard.verdict)
    assert own.notes[0].endswith("lie in the version's training range and were left out")
    seen = evaluated(artifact, series_of(values), series_of(values), "served")
    assert (seen.judged_on, seen.skill) == ("training", None)


def has_anchor(artifact: Artifact) -> bool:
    """Return whether the anchor's arrays are beside the network's weights."""
    names = load(artifact.bytes_of(WEIGHTS)).keys()
    assert not any(name.startswith(PREFIX) for name in read_weights(artifact.folder))
    return {f"{PREFIX}weights", f"{PREFIX}level"} <= names


def test_what_lies_after_the_cut_changes_nothing_before_it(train: Train) -> None:
    values = wave(ROWS)
    poisoned = np.where(np.arange(ROWS) < FITTED_ROWS, values, -1e6)
    for scaling, anchor in (("window", "auto"), ("minmax", "none")):
        recipe = {**SMALL, "scaling": scaling, "anchor": anchor}
        clean = train(series_of(values), recipe)
        dirty = train(series_of(poisoned), recipe)
        assert clean.bytes_of(JUDGED) == dirty.bytes_of(JUDGED)
        assert clean.scorecard.epochs == dirty.scorecard.epochs
        chosen = clean.manifest.series.anchor if clean.manifest.series else None
        assert chosen == (dirty.manifest.series.anchor if dirty.manifest.series else None)
        assert (chosen is not None) == (anchor == "auto") == has_anchor(clean)
    # The second half of the judged rows; forecasts before it are unchanged.
    later = train(series_of(np.where(np.arange(ROWS) < FITTED_ROWS + 10, values, 1e9)), recipe)
    curves = [each.scorecard.series.curve for each in (clean, later) if each.scorecard.series]
    forecasted = [[(p.time, p.forecast, p.persistence) for p in curve[:11]] for curve in curves]
    assert forecasted[0] == forecasted[1]
    assert curves[0][11] != curves[1][11]


def test_the_same_run_gives_the_same_bytes_and_another_seed_others(train: Train) -> None:
    content = series_of(wave(ROWS))
    first, again = train(content, SMALL), train(content, SMALL)
    for name in (MODEL, JUDGED, WEIGHTS, SCORECARD):
        assert first.bytes_of(name) == again.bytes_of(name)
    other = train(content, {**SMALL, "seed": 1})
    assert other.bytes_of(WEIGHTS) != first.bytes_of(WEIGHTS)


def test_a_file_of_about_the_same_size_compiles_nothing_again(train: Train) -> None:
    train(series_of(wave(ROWS)), SMALL)
    recipe = resolve_recipe("series", SMALL)
    assert isinstance(recipe, SeriesRecipe)
    longer = series_of(wave(ROWS + 40))
    task = SeriesTask.prepare(longer, recipe, target=None, test=None)
    program = task.plan("training").form.compiled()
    train(longer, SMALL)
    assert program.train.experimental_get_tracing_count() == 1
    assert program.evaluate.experimental_get_tracing_count() == 1


def test_a_test_set_is_judged_by_the_network_that_is_served(train: Train) -> None:
    values = wave(ROWS + 20)
    test = series_of(values[ROWS:], start="2020-06-09")
    control = Recorder()
    artifact = train(series_of(values[:ROWS]), SMALL, test=test, control=control)
    score = artifact.scorecard.series
    assert score is not None
    assert artifact.scorecard.judged_on == "test"
    assert artifact.scorecard.network == "served"
    assert not artifact.manifest.refitted
    assert not (artifact.folder / JUDGED).exists()
    # The first test row is an origin; its window reaches back into the training rows.
    assert score.rows == 19
    assert score.start == "2020-06-10"
    assert (
        artifact.scorecard.notes[0] == "the first windows reach back into the last 5 training rows"
    )
    served = artifact.bytes_of(MODEL)
    assert score.model.rmse == pytest.approx(judged_rmse(served, values, ROWS + 1))
    assert control.stages[-3:] == ["refitting", "judging", "exporting"]
    again = evaluated(artifact, test, series_of(values[:ROWS]), "served")
    assert (again.judged_on, again.verdict) == ("test", artifact.scorecard.verdict)
    assert again.series == score


def test_a_test_set_that_was_trained_on_is_named_so(train: Train) -> None:
    values = wave(ROWS)
    test = series_of(values[-20:], start="2020-05-20")
    artifact = train(series_of(values), {**SMALL, "epochs": 1}, test=test)
    score = artifact.scorecard.series
    assert score is not None
    assert score.rows == 19
    assert artifact.scorecard.notes[0].startswith("all 19 rows lie in the version's training range")
    # Not judged on a test set, so there is no skill, and no reason to replace a champion.
    assert (artifact.scorecard.judged_on, artifact.scorecard.skill) == ("training", None)
    assert artifact.scorecard.verdict.startswith("not judged")


def test_without_refit_the_judged_network_is_served(train: Train) -> None:
    artifact = train(series_of(wave(ROWS)), {**SMALL, "refit": False})
    assert artifact.scorecard.network == "served"
    assert not artifact.manifest.refitted
    assert not (artifact.folder / JUDGED).exists()


def test_nothing_held_out_gives_no_skill_and_says_so(train: Train) -> None:
    recipe = {**SMALL, "test_fraction": 0.0, "epochs": 1}
    card = train(series_of(wave(ROWS)), recipe).scorecard
    assert card.judged_on == "training"
    assert card.skill is None
    assert card.skill_missing == (
        "nothing was held out: the figures are on the rows it was trained on"
    )
    assert card.verdict.startswith("not judged: RMSE")


def test_an_anchored_network_learns_a_wave_and_stays_with_a_walk(train: Train) -> None:
    recipe = {**SMALL, "epochs": 40, "early_stopping": 5, "learning_rate": 0.01}
    learned = train(series_of(wave(ROWS)), recipe).scorecard
    assert learned.skill is not None
    assert learned.skill > 0.3
    assert learned.series is not None
    assert learned.series.against["persistence"].verdict == "better"
    assert learned.series.against["universal"].verdict == "better"
    assert "the best baseline: RMSE" in learned.verdict
    assert "without training" not in learned.verdict
    walk = np.random.default_rng(0).normal(size=ROWS).cumsum() + 50.0
    stayed = train(series_of(walk), recipe).scorecard
    assert stayed.skill is not None
    assert stayed.skill > -0.1


def test_an_untrained_anchored_network_repeats_the_last_value(train: Train) -> None:
    # An epoch with a learning rate of almost nothing is practically epoch 0.
    recipe = {**SMALL, "epochs": 1, "learning_rate": 1e-30, "early_stopping": 1}
    artifact = train(series_of(wave(ROWS)), recipe)
    assert artifact.scorecard.best_epoch == 0
    assert artifact.scorecard.skill == pytest.approx(0.0, abs=1e-6)
    assert artifact.scorecard.verdict.startswith("worse than a linear autoregression")
    assert artifact.scorecard.verdict.endswith("use it, without training")
    history = np.array([[[3.0], [1.0], [4.0], [1.0], [5.0], [9.0]]])
    assert forecasts(artifact.bytes_of(MODEL), history)[0, 0] == 9.0


def prepared(values: np.ndarray, **fields: object) -> SeriesTask:
    recipe = resolve_recipe("series", {**SMALL, **fields})
    assert isinstance(recipe, SeriesRecipe)
    return SeriesTask.prepare(series_of(values), recipe, target=None, test=None)


def test_of_what_a_network_adds_noise_is_not_kept() -> None:
    walk = np.random.default_rng(0).normal(size=ROWS).cumsum() + 50.0
    task = prepared(walk, anchor="persistence")
    weights = dict(initial_weights(task.architecture("training"), seed=0))
    assert task.share(weights, lambda: None) == 0.0  # it adds nothing
    weights["output.kernel"] = np.random.default_rng(1).normal(size=(4, 1)).astype(np.float32)
    assert task.share(weights, lambda: None) == 0.0  # it adds what no row supports
    assert prepared(walk, anchor="none").share(weights, lambda: None) == 1.0


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_network_gives_the_share_that_is_kept_and_without_one_it_is_epoch_0(share: float) -> None:
    task = prepared(wave(ROWS), anchor="persistence")
    weights = {
        name: array + np.float32(1)
        for name, array in initial_weights(task.architecture("training"), seed=0).items()
    }
    epochs = tuple(Epoch(epoch=number, loss=1.0 / (1 + number)) for number in (0, 1, 2))
    fitted = Fitted(weights=weights, epochs=epochs, best_epoch=2, final_loss=1 / 3)
    kept = steadied(fitted, share)
    assert (kept.best_epoch, kept.final_loss) == ((2, 1 / 3) if share else (0, 1.0))
    inputs = task.data.groups[0].inputs[None, :6]
    with_network, anchor_alone = (
        forecasts(task.graph("training", own), inputs)
        for own in (weights, with_share(weights, 0.0))
    )
    given = forecasts(task.graph("training", kept.weights), inputs)
    np.testing.assert_allclose(given - anchor_alone, share * (with_network - anchor_alone))


def test_the_judged_anchor_has_seen_the_validation_rows_and_nothing_later() -> None:
    values = wave(ROWS)
    cut = ROWS - ROWS // 5
    validation = cut - 20
    later, in_validation = values.copy(), values.copy()
    later[cut:] *= 5
    in_validation[validation + 5 : validation + 10] *= 1.01

    def of(rows: np.ndarray, phase: Phase) -> bytes:
        task = prepared(rows, anchor="autoregression")
        weights = initial_weights(task.architecture(phase), seed=0)
        return task.graph(phase, weights)

    assert of(later, "judging") == of(values, "judging")
    assert of(in_validation, "judging") != of(values, "judging")


def test_a_series_that_was_never_negative_gets_no_negative_forecast() -> None:
    counts = np.abs(wave(ROWS) - 100.0)
    for values, least in ((counts, 0.0), (counts - 1.0, None)):
        task = prepared(values, anchor="persistence")
        described = task.describe("refitting").series
        assert described is not None
        assert described.at_least == least
        weights = dict(initial_weights(task.architecture("refitting"), seed=0))
        weights["output.bias"] = np.array([-1e3], np.float32)
        graph = task.graph("refitting", weights)
        lowest = forecasts(graph, values[None, :6, None])[0, 0]
        assert lowest == least if least is not None else lowest < 0
        assert task.parity_gap("refitting", weights, graph) < 1e-4
    assert prepared(counts, anchor="none").describe("refitting").series.at_least is None  # type: ignore[union-attr]


def test_several_columns_in_one_out_several_steps_ahead(train: Train) -> None:
    table = np.stack([wave(ROWS, seed=1), wave(ROWS)], axis=1)
    artifact = train(
        series_of(table, columns=("high", "open")),
        {**SMALL, "features": ["high", "open"], "horizon": 3},
        target="open",
    )
    manifest = artifact.manifest
    assert manifest.series is not None
    assert [feature.name for feature in manifest.series.features] == ["high", "open"]
    assert manifest.series.target == "open"
    assert (manifest.horizon, manifest.window, manifest.min_history) == (3, 6, 6)
    assert manifest.series.features[1].low == table[:, 1].min()
    assert forecasts(artifact.bytes_of(MODEL), table[None, :6]).shape == (1, 3)


def test_windows_with_missing_values_are_left_out_and_counted(train: Train) -> None:
    values = wave(ROWS)
    values[30] = np.nan
    artifact = train(series_of(values), {**SMALL, "epochs": 1})
    assert artifact.scorecard.notes[0] == (
        "2 of 154 windows hold a missing value and were left out"
    )


def test_windows_are_filled_so_that_missing_values_shorten_none(train: Train) -> None:
    values = np.where(np.random.default_rng(0).random(300) < 0.05, np.nan, wave(300))
    artifact = train(series_of(values), {**SMALL, "anchor": "auto", "window": None, "epochs": 1})
    assert artifact.manifest.series is not None
    assert artifact.manifest.window == 72
    assert artifact.manifest.series.network_window == 50
    # Those that end in a missing value, or before one.
    left_out = int(artifact.scorecard.notes[0].split()[0])
    assert left_out < 0.12 * 300
    # The noise is 0.1; persistence misses by 4.
    assert artifact.scorecard.skill is not None
    assert artifact.scorecard.skill > 0.9


@pytest.mark.parametrize("seed", range(6))
def test_a_window_left_to_us_leaves_something_to_watch(seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = np.where(generator.random(200) < 0.2, np.nan, wave(200))
    recipe = resolve_recipe("series", {"preset": "default", "horizon": 1})
    assert isinstance(recipe, SeriesRecipe)
    task = SeriesTask.prepare(series_of(values), recipe, target=None, test=None)
    validation = task.plan("training").validation
    assert validation is not None
    assert validation.count > 0


def test_infinite_values_count_as_missing(train: Train) -> None:
    values = wave(ROWS)
    values[30] = np.inf
    artifact = train(series_of(values), {**SMALL, "epochs": 1, "scaling": "standard"})
    assert artifact.scorecard.notes[0] == (
        "2 of 154 windows hold a missing value and were left out"
    )


def test_several_series_train_one_network_and_no_window_spans_two(train: Train) -> None:
    content = long_file([wave(ROWS), wave(100, seed=1) * 50.0])
    artifact = train(content, {**SMALL, "epochs": 2})
    score = artifact.scorecard.series
    assert score is not None
    # Both have the same cut-off date: the last fifth of the pooled rows, which the shorter one ends
    # before.
    assert {point.series for point in score.curve} == {"s0"}
    with pytest.raises(Unprocessable, match="2 series in one file differ in level"):
        train(content, {**SMALL, "scaling": "minmax"})


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        (np.full(50, 3.0), {}, "column 'value' is 3 in every training row"),
        (wave(8), {}, "too short: the 3 training rows \\(of 8\\) hold no complete window of 6"),
        (np.full(50, np.nan), {}, "too short"),
        (wave(50), {"features": ["volume"]}, "no column 'volume'; there are value"),
        (wave(50), {"window": 1}, "a single value has no spread"),
        (
            np.concatenate([wave(24), np.full(26, 100.0)]),
            {},
            "no complete window in which anything changes",
        ),
    ],
)
def test_data_that_cannot_be_used_says_what_would_be_right(
    train: Train, values: np.ndarray, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(Unprocessable, match=message):
        train(series_of(values), {**SMALL, "horizon": 2, **changes})


def test_a_target_that_is_neither_a_column_nor_a_feature_is_reported(train: Train) -> None:
    content = series_of(np.stack([wave(50), wave(50)], axis=1), columns=("a", "b"))
    with pytest.raises(Unprocessable, match="target: no column 'c'; there are a, b"):
        train(content, SMALL, target="c")
    with pytest.raises(Unprocessable, match="must include the target 'b': the anchor reads"):
        train(content, {**SMALL, "features": ["a"]}, target="b")


def test_a_test_set_without_the_columns_or_rows_is_reported(train: Train) -> None:
    content = series_of(wave(ROWS))
    with pytest.raises(Unprocessable, match="test: has no column 'value'; it has other"):
        train(content, SMALL, test=series_of(wave(20), columns=("other",)))
    with pytest.raises(Unprocessable, match="test: none of its 1 rows can be forecast"):
        train(content, SMALL, test=series_of(wave(1), start="2021-01-01"))


def test_without_a_window_the_data_decides(train: Train) -> None:
    artifact = train(series_of(wave(60), start=None), {**SMALL, "window": None, "epochs": 1})
    # 60 rows, 12 held out, 8 to validate on: a quarter of the 39 before the last target
    assert artifact.manifest.series is not None
    assert artifact.manifest.series.network_window == 9
    # What the anchor reads: at most three quarters of the rows.
    assert (artifact.manifest.window, artifact.manifest.min_history) == (45, 13)
    assert artifact.scorecard.series is not None
    assert artifact.scorecard.series.start is None
