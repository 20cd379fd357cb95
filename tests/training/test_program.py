"""Test the compiled epoch: resuming leaves no trace, nothing compiles twice, batches are right."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from app.training.fit import Position
from app.training.keras_network import build_network, with_weights
from app.training.program import (
    Course,
    Data,
    Form,
    Program,
    Span,
    Stretch,
    Tally,
    capacity_of,
)
from tests.training.test_recurrence import form, random_weights

ROWS, WINDOW, BATCH = 21, 4, 8


@pytest.fixture(scope="module")
def program() -> Program:
    return Program(
        Form(
            architecture=form("lstm", layers=(3,)),
            reading="series",
            steps=WINDOW,
            batch_size=BATCH,
            loss="mse",
            optimizer="adam",
            clip_norm=1.0,
            capacity=32,
        )
    )


@pytest.fixture(scope="module")
def streaming() -> Program:
    return Program(
        Form(
            architecture=form("gru", layers=(3,), inputs=5, outputs=5, tokens=True),
            reading="stream",
            steps=4,
            batch_size=2,
            loss="cross-entropy",
            optimizer="sgd",
            clip_norm=None,
            capacity=64,
        )
    )


def data() -> Data:
    rng = np.random.default_rng(0)
    return Data(
        tf.constant(rng.normal(size=(32, WINDOW, 2)).astype(np.float32)),
        tf.constant(rng.normal(size=(32, 2)).astype(np.float32)),
    )


def stretch(count: int = ROWS) -> Stretch:
    order = np.zeros(32, np.int32)
    order[:count] = np.arange(count)[::-1]
    return Stretch(tf.constant(order), tf.constant(0), tf.constant(count))


def trained(program: Program, cuts: list[int], given: Data, part: Stretch) -> list[Any]:
    position = Position.start(program, random_weights(program.form.architecture))
    state = position.state
    for first, end in zip([0, *cuts[:-1]], cuts, strict=True):
        span = Span(tf.constant(first), tf.constant(end))
        course = Course(tf.constant(0.01), tf.constant(6, tf.int64), tf.constant(0))
        state = program.train(state, given, part, span, course)
    return [tensor.numpy() for tensor in [*state.weights, *state.slots[0], state.sums]]


def test_an_epoch_cut_into_calls_gives_the_same_bits(program: Program) -> None:
    whole = trained(program, [3], data(), stretch())
    pieces = trained(program, [1, 2, 3], data(), stretch())
    for one, other in zip(whole, pieces, strict=True):
        assert one.tobytes() == other.tobytes()


def test_other_rows_and_other_cuts_do_not_compile_again(program: Program) -> None:
    trained(program, [3], data(), stretch())
    trained(program, [2], data(), stretch(9))
    assert program.train.experimental_get_tracing_count() == 1


def test_the_last_batch_counts_its_real_rows_only(program: Program) -> None:
    sums = trained(program, [3], data(), stretch())[-1]
    assert sums[1] == ROWS
    assert sums[3] == 3
    assert program.batches(ROWS) == 3


def test_evaluating_adds_up_the_mean_squared_error(program: Program) -> None:
    position = Position.start(program, random_weights(program.form.architecture))
    tally = Tally([], tf.zeros(2, tf.float64))
    span = Span(tf.constant(0), tf.constant(3))
    given = data()
    sums = program.evaluate(position.state.weights, tally, given, stretch(), span).sums.numpy()
    network = with_weights(
        build_network(program.form.architecture, steps=WINDOW, every_step=False),
        random_weights(program.form.architecture),
    )
    errors = network(given.inputs[:ROWS]).numpy() - given.targets[:ROWS].numpy()
    assert sums[1] == ROWS
    assert sums[0] == pytest.approx(np.square(errors).mean(axis=1).sum(), rel=1e-5)


def test_a_stream_predicts_every_token_once_with_carried_state(streaming: Program) -> None:
    ids = np.random.default_rng(0).integers(0, 5, 64).astype(np.int32)
    count = 13  # two streams of 7 and 6 transitions, in two pieces of 4 steps
    part = Stretch(tf.zeros(1, tf.int32), tf.constant(0), tf.constant(count))
    weights = random_weights(streaming.form.architecture)
    position = Position.start(streaming, weights)
    tally = Tally(streaming.initial_carry(), tf.zeros(2, tf.float64))
    span = Span(tf.constant(0), tf.constant(streaming.batches(count)))
    given = Data(tf.constant(ids), tf.zeros(1))
    sums = streaming.evaluate(position.state.weights, tally, given, part, span).sums.numpy()

    network = with_weights(
        build_network(streaming.form.architecture, steps=None, every_step=True), weights
    )
    loss = 0.0
    for first, stop in ((0, 7), (7, 13)):
        probabilities = network(ids[None, first:stop]).numpy()[0]
        targets = ids[first + 1 : stop + 1]
        loss -= float(np.log(probabilities[np.arange(len(targets)), targets]).sum())
    assert streaming.batches(count) == 2
    assert sums[1] == count
    assert sums[0] == pytest.approx(loss, rel=1e-5)


def test_capacity_is_shared_by_near_sizes() -> None:
    assert capacity_of(1005) == capacity_of(1024) == 1024
    assert capacity_of(1) == 64
    assert capacity_of(65_537) == 131_072
    assert capacity_of(1_000_000) == 1_048_576


def updated(program: Program, *, done: int, seed: int = 0) -> list[Any]:
    """Return the weights after one update of a stream, before which there were `done`."""
    state = Position.start(program, random_weights(program.form.architecture)).state
    state = state._replace(step=tf.constant(done, tf.int64))
    ids = Data(tf.constant(np.arange(64, dtype=np.int32) % 5), tf.zeros(1))
    part = Stretch(tf.zeros(1, tf.int32), tf.constant(0), tf.constant(16))
    course = Course(tf.constant(0.1), tf.constant(10, tf.int64), tf.constant(seed))
    state = program.train(state, ids, part, Span(tf.constant(0), tf.constant(1)), course)
    return [tensor.numpy() for tensor in state.weights]


def moved(program: Program, *, done: int) -> float:
    start = random_weights(program.form.architecture).values()
    pairs = zip(start, updated(program, done=done), strict=True)
    return float(sum(np.abs(new - old).sum() for old, new in pairs))


def test_a_cosine_takes_the_rate_to_half_and_to_zero(streaming: Program) -> None:
    program = Program(replace(streaming.form, schedule="cosine"))
    full = moved(streaming, done=0)
    assert moved(program, done=0) == pytest.approx(full, rel=1e-4)
    assert moved(program, done=5) == pytest.approx(full / 2, rel=1e-4)
    assert moved(program, done=10) == pytest.approx(0.0, abs=1e-5)


def test_dropout_follows_from_seed_and_update(streaming: Program) -> None:
    program = Program(replace(streaming.form, dropout=0.5))
    first, again = (updated(program, done=3) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.tobytes() == other.tobytes()
    for different in (
        updated(program, done=4),
        updated(program, done=3, seed=1),
        updated(streaming, done=3),
    ):
        assert any((a != b).any() for a, b in zip(first, different, strict=True))
