"""Load a version: its graph, how long that takes, and how much of it can run at once."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from app.artifact.files import (
    FORECAST,
    FUTURE,
    HISTORY,
    INTERVALS,
    LENGTHS,
    MODEL,
    PROBABILITIES,
    TOKENS,
    file_of,
)
from app.artifact.manifest import Manifest, TextInput
from app.artifact.scorecard import Scorecard
from app.errors import Internal
from app.forecasting.histories import Reach
from app.judging.horizon import skill_by_horizon
from app.language.tokenizer import Tokenizer
from app.recipes.recipe import TextRecipe

# A session holds the graph, its weights, packed copies of them and an arena. Seen with ONNX Runtime
# 1.32: 0.5 MB for the smallest graph, and about three times the file for LSTM(512).
SESSION_BYTES = 1 << 20
BYTES_PER_FILE_BYTE = 3
# On a busy machine, the measurement while loading may have been interrupted. Considered slow, the
# version would run in a thread for as long as it stays in memory.
TIMED_RUNS = 3
# As many rows as stay in the cache. LSTM(64) over 60 steps, in us per row: 66 in runs of one row,
# 35 of 4, 31 of 16 to 64, 35 of 128, 42 of 256; between the other work of batches 34 in runs of 16
# to 32 and 36 in runs of 64.
ROWS_PER_RUN = 32
# Of a graph with `universal`, whose rows hold 1,024 values in many forms. Processor time in ms per
# row: 1.46 in runs of one row, 1.05 of 4, 0.90 of 8, 0.86 of 16, 0.81 of 32; more take more memory.
ROWS_OF_ANY_SERIES = 16
MAX_ROWS = 1024  # of questions that are answered together
# What a row adds to a run, as a share of a run of one row (LSTM(64) over 60 steps, 32 rows).
ROW_SHARE = 0.47
TIMED_TOKENS = 32
# Memory that ONNX Runtime may use for a run. A layer first multiplies its inputs for all steps of
# all rows: four gates of floats per step for LSTM, and for one-hot tokens the vocabulary.
RUN_BYTES = 32 << 20
FLOAT_BYTES = 4
GATES = 4
# Arrays of a row's probabilities while a token is chosen from them.
COPIES_OF_PROBABILITIES = 4

Arrays = dict[str, npt.NDArray[Any]]
# Errors of ONNX Runtime for a graph that it cannot load; their only common base is Exception.
UNUSABLE_GRAPH = (
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NotImplemented,
)


class BrokenArtifact(Internal):
    """A version whose files contradict each other; the registry should have refused them."""

    title, slug = "Broken version", "broken-version"


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A version in memory, ready to run."""

    model: str
    number: int
    manifest: Manifest
    # Skill over the first step ahead, the first two, … all of them; a text has one.
    skills: tuple[float | None, ...]
    session: ort.InferenceSession
    tokenizer: Tokenizer | None  # text only
    memory_bytes: int
    # Measured while loading: a run of one row, what each further row adds, and (for a stream) a
    # token in a long text.
    run_seconds: float = 0.0
    row_seconds: float = 0.0
    token_seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number by which the graph knows each series; empty for most versions."""
        labels = () if self.manifest.series is None else self.manifest.series.labels
        return {label: number for number, label in enumerate(labels, start=1)}

    @cached_property
    def reach(self) -> Reach:
        """What is read of a history."""
        return Reach.of(self.manifest)

    @property
    def network_window(self) -> int:
        """How many of the rows that are read the network sees."""
        series = self.manifest.series
        own = None if series is None else series.network_window
        return own or self.reach.window

    def skill_over(self, steps: int) -> float | None:
        """Return the measured skill over this many steps, or None if it was not measured."""
        return self.skills[steps - 1] if steps <= len(self.skills) else None

    @property
    def is_stream(self) -> bool:
        """Whether it reads a text once and carries its state."""
        return self.manifest.text is not None and self.manifest.text.reading == "stream"

    @cached_property
    def steps_per_run(self) -> int:
        """The steps of all rows that fit into memory in one run."""
        recipe = self.manifest.recipe
        widest = GATES * max(recipe.layers)
        if isinstance(recipe, TextRecipe) and recipe.embedding == "one-hot" and self.tokenizer:
            widest = max(widest, len(self.tokenizer))
        return max(1, RUN_BYTES // (FLOAT_BYTES * widest))

    @cached_property
    def rows_per_run(self) -> int:
        """The number of rows that go through the graph together."""
        series = self.manifest.series
        if series is not None and (series.periods or series.has_universal):
            return ROWS_OF_ANY_SERIES
        steps = self.manifest.window or 1
        return max(1, min(ROWS_PER_RUN, self.steps_per_run // steps))

    @cached_property
    def max_rows(self) -> int:
        """The number of questions that are answered in one go."""
        if self.tokenizer is None:
            return MAX_ROWS
        row_bytes = COPIES_OF_PROBABILITIES * FLOAT_BYTES * len(self.tokenizer)
        return max(1, min(MAX_ROWS, RUN_BYTES // row_bytes))

    def whole_answer(self, identifier: str, outcome: Mapping[str, object]) -> dict[str, object]:
        """Return a complete answer: what all answers have, and the answer's own parts."""
        return {
            "id": identifier,
            "model": self.model,
            "version": self.number,
            "kind": self.manifest.kind,
            **outcome,
        }

    def run(self, inputs: Arrays, outputs: list[str] | None = None) -> Arrays:
        """Run the graph once; nothing else calls ONNX Runtime."""
        names = outputs or [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs), strict=True))


def build(
    model: str, number: int, manifest: Manifest, scorecard: Scorecard, graph: bytes
) -> Loaded:
    """Build a version from its files, and run it once to find defects.

    Raises:
        BrokenArtifact: graph and manifest contradict each other.
    """
    options = ort.SessionOptions()
    # One thread, because each process has its core, and a thread pool costs more than graphs of
    # this size take.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except UNUSABLE_GRAPH as error:
        reason = str(error).partition("\n")[0]
        raise BrokenArtifact(
            f"{file_of(model, number, MODEL)} cannot be loaded: {reason}"
        ) from error
    text = manifest.text
    loaded = Loaded(
        model=model,
        number=number,
        manifest=manifest,
        skills=_skills(scorecard),
        session=session,
        tokenizer=None if text is None else tokenizer_of(text, f"{model}@{number}"),
        memory_bytes=SESSION_BYTES + BYTES_PER_FILE_BYTE * len(graph),
    )
    return _tried(loaded, trial_inputs(manifest))


def tokenizer_of(text: TextInput, version: str) -> Tokenizer:
    """Return the tokenizer of a text version.

    Raises:
        BrokenArtifact: the manifest describes none that is possible.
    """
    try:
        return Tokenizer(
            unit=text.tokenizer,
            vocabulary=text.vocabulary,
            unknown=text.unknown,
            spells=text.spells,
        )
    except ValueError as error:
        raise BrokenArtifact(f"the manifest of {version} is wrong: {error}") from error


def _skills(scorecard: Scorecard) -> tuple[float | None, ...]:
    if scorecard.series is None or scorecard.skill is None or not scorecard.series.steps:
        return (scorecard.skill,)
    return skill_by_horizon(scorecard.series)


def trial_inputs(manifest: Manifest) -> Arrays:
    """Return one row of inputs with the right names, types and shapes."""
    if manifest.series is not None:
        shape = (1, manifest.window or 1, len(manifest.series.columns_read))
        inputs: Arrays = {HISTORY: np.ones(shape, dtype=np.float64)}
        if manifest.series.columns_ahead:
            inputs[FUTURE] = np.ones((1, manifest.horizon, len(manifest.series.columns_ahead)))
        return inputs
    if manifest.text is None:
        raise BrokenArtifact("the manifest describes neither a series nor a text")
    inputs = {TOKENS: np.zeros((1, manifest.window or 1), dtype=np.int64)}
    if manifest.text.reading == "stream":
        inputs[LENGTHS] = np.ones(1, dtype=np.int32)
        for state in manifest.text.states:
            inputs[state.name] = np.zeros((1, 1, state.units), dtype=np.float32)
    return inputs


def _tried(loaded: Loaded, inputs: Arrays) -> Loaded:
    wanted = {entry.name for entry in loaded.session.get_inputs()}
    if wanted != set(inputs):
        raise BrokenArtifact(f"{loaded}: the graph takes {sorted(wanted)}, not {sorted(inputs)}")
    if loaded.tokenizer is None:
        output, width = FORECAST, loaded.manifest.horizon
    else:
        output, width = PROBABILITIES, len(loaded.tokenizer)
    outputs = loaded.run(inputs)
    if output not in outputs or outputs[output].shape != (1, width):
        raise BrokenArtifact(f"{loaded}: the graph does not give {output} of shape (1, {width})")
    described = loaded.manifest.series
    if described is not None and described.intervals is not None and INTERVALS not in outputs:
        raise BrokenArtifact(f"{loaded}: the graph does not give the {INTERVALS} of its manifest")
    run_seconds = _seconds(loaded, inputs)
    token_seconds = run_seconds
    if loaded.is_stream:
        many = inputs | {
            TOKENS: np.zeros((1, TIMED_TOKENS), dtype=np.int64),
            LENGTHS: np.full(1, TIMED_TOKENS, dtype=np.int32),
        }
        token_seconds = _seconds(loaded, many) / TIMED_TOKENS
    return replace(
        loaded,
        run_seconds=run_seconds,
        row_seconds=min(token_seconds, ROW_SHARE * run_seconds),
        token_seconds=token_seconds,
    )


def _seconds(loaded: Loaded, inputs: Arrays) -> float:
    """Return the time of the fastest of several runs."""
    seconds = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        loaded.run(inputs)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
