"""Test fitting: the best epoch is kept, patience ends it, explosions are reported."""

from typing import Any

import numpy as np
import pytest

from app.errors import Unprocessable
from app.jobs.messages import Progress
from app.training.architecture import Architecture
from app.training.fit import Fit, Fitted, Part, Plan
from app.training.program import Form
from tests.training.test_recurrence import form, random_weights

ROWS = 40
ARCHITECTURE = form("rnn", layers=(2,), outputs=1)


def plan_of(architecture: Architecture = ARCHITECTURE, **changes: Any) -> Plan:  # noqa: ANN401
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(ROWS, 3, 2)).astype(np.float32)
    settings: dict[str, Any] = {
        "form": Form(
            architecture=architecture,
            reading="series",
            steps=3,
            batch_size=8,
            loss="mse",
            optimizer="sgd",
            clip_norm=None,
            capacity=64,
        ),
        "inputs": inputs,
        "targets": inputs[:, -1, :1] * 0.5,
        "training": Part(rows=np.arange(30, dtype=np.int32), count=30),
        "validation": Part(rows=np.arange(30, ROWS, dtype=np.int32), count=10),
        "epochs": 6,
        "patience": 2,
        "keep_best": True,
        "keep_initial": False,
        "learning_rate": 0.05,
        "seed": 0,
    }
    return Plan(**{**settings, **changes})


def run(plan: Plan, told: list[Progress] | None = None) -> Fitted:
    assert isinstance(plan.form, Form)
    return Fit(
        plan,
        random_weights(plan.form.architecture),
        saved=None,
        between=lambda: None,
        report=(told if told is not None else []).append,
    ).run()


def test_training_lowers_the_loss_and_is_repeated_bit_for_bit() -> None:
    first, again = run(plan_of()), run(plan_of())
    assert first.epochs[-1].loss < first.epochs[0].loss / 2
    for name, weight in first.weights.items():
        assert weight.tobytes() == again.weights[name].tobytes()


def test_another_seed_takes_the_rows_in_another_order() -> None:
    first, other = run(plan_of()), run(plan_of(seed=1))
    assert any((first.weights[name] != other.weights[name]).any() for name in first.weights)


def test_an_epoch_of_fewer_examples_draws_them_anew_each_time() -> None:
    few = Part(rows=np.arange(30, dtype=np.int32), count=8)  # one batch
    quiet: dict[str, Any] = {"validation": None, "patience": None, "keep_best": False, "epochs": 8}
    fitted = run(plan_of(training=few, learning_rate=1e-9, **quiet))
    losses = {round(epoch.loss, 6) for epoch in fitted.epochs}
    assert len(losses) == len(fitted.epochs)


def test_epoch_0_is_kept_where_training_makes_it_worse() -> None:
    # Fitted to the opposite of the validation data, so the initial weights stay the best.
    plan = plan_of(keep_initial=True)
    targets = plan.targets
    assert targets is not None
    opposed = np.where(np.arange(ROWS)[:, None] < 30, targets + 50.0, targets)
    fitted = run(plan_of(keep_initial=True, targets=opposed.astype(np.float32)))
    assert fitted.best_epoch == 0
    assert [epoch.epoch for epoch in fitted.epochs] == [0, 1, 2]
    for name, weight in random_weights(ARCHITECTURE).items():
        assert np.array_equal(fitted.weights[name], weight)


def test_without_early_stopping_the_last_epoch_is_kept_and_validation_only_watched() -> None:
    fitted = run(plan_of(patience=None, keep_best=False))
    assert fitted.best_epoch == 6
    assert fitted.final_loss == fitted.epochs[-1].loss
    assert all(epoch.validation_loss is not None for epoch in fitted.epochs)


def test_progress_names_epoch_losses_and_time_left() -> None:
    told: list[Progress] = []
    fitted = run(plan_of(patience=None), told)
    last = told[-1]
    assert (last.epoch, last.epochs, last.eta_seconds) == (6, 6, 0.0)
    assert last.loss == fitted.epochs[-1].loss
    assert last.validation_loss == fitted.epochs[-1].validation_loss
    assert all(epoch.gradient_norm for epoch in fitted.epochs)


def test_an_explosion_says_what_to_change() -> None:
    wild = form("rnn", "relu", layers=(2,), outputs=1)
    with pytest.raises(Unprocessable, match="learning_rate below 1000, or set clip_norm") as raised:
        run(plan_of(wild, learning_rate=1000.0))
    assert raised.value.errors[0].field == "recipe.learning_rate"


def test_a_loss_that_grows_without_bound_is_stopped_while_it_is_still_a_number() -> None:
    wild = form("rnn", "relu", layers=(2,), outputs=1)
    plan = plan_of(
        wild, learning_rate=2.0, validation=None, keep_best=False, patience=None, epochs=30
    )
    with pytest.raises(Unprocessable, match=r"the loss was \S+, after \S+ at first") as raised:
        run(plan)
    assert "gradient norm before" in raised.value.detail
    assert "tanh, which has a limit" in raised.value.detail
