"""Versions in memory: which one a name stands for, loading it, keeping within the budget."""

import asyncio
import json
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors

from app.artifact.files import (
    FORECAST,
    HISTORY,
    INTERVALS,
    LENGTHS,
    MODEL,
    PROBABILITIES,
    TOKENS,
    file_of,
)
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.errors import Internal, NotFound, Unavailable
from app.http.problem_responses import DATABASE_AWAY, DATABASE_ERRORS
from app.judging.horizon import skill_by_horizon
from app.language.tokenizer import Tokenizer
from app.process.observability import Metrics, get_logger
from app.registry.catalogue import Catalogue
from app.registry.references import ModelReference, parse_reference
from app.registry.store import get_live_version
from app.registry.watch import RegistryWatch
from app.storage.object_store import ObjectStore
from app.storage.resources import Resources
from app.storage.store_errors import naming
from app.storage.tables import Version

logger = get_logger(__name__)

# A session holds the graph, its weights, packed copies of them and an arena. Seen with ONNX Runtime
# 1.32: 0.5 MB for the smallest graph, and about three times the file for LSTM(512).
SESSION_BYTES = 1 << 20
BYTES_PER_FILE_BYTE = 3
# A version loaded on a busy machine may have been interrupted in one; taken for slow, it would run
# in a thread for as long as it stays in memory.
TIMED_RUNS = 3
MAX_REMEMBERED_NAMES = 10_000

Arrays = dict[str, npt.NDArray[Any]]


# What ONNX Runtime raises at a graph that it cannot load; their one base is Exception.
UNUSABLE_GRAPH = (
    onnxruntime_errors.Fail,
    onnxruntime_errors.InvalidArgument,
    onnxruntime_errors.InvalidGraph,
    onnxruntime_errors.InvalidProtobuf,
    onnxruntime_errors.NotImplemented,
)


class BrokenArtifact(Internal):
    """A version whose files do not fit each other; the registry should not have let them in."""

    title, slug = "Broken version", "broken-version"


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A version in memory, ready to run."""

    model: str
    number: int
    manifest: Manifest
    # Measured over the first step ahead, the first two, … all of them; a text has one.
    skills: tuple[float | None, ...]
    session: ort.InferenceSession
    tokenizer: Tokenizer | None  # text only
    memory_bytes: int
    run_seconds: float = 0.0  # one run of one row, measured when it was loaded

    def __str__(self) -> str:
        return f"{self.model}@{self.number}"

    def skill_over(self, steps: int) -> float | None:
        """Return the measured skill of a forecast of so many steps; None: it was not measured."""
        return self.skills[steps - 1] if steps <= len(self.skills) else None

    def run(self, inputs: Arrays, outputs: list[str] | None = None) -> Arrays:
        """Run the graph once; the only call of ONNX Runtime."""
        names = outputs or [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs), strict=True))


class Runtime:
    """The versions that this process answers with.

    All state is touched on the event loop alone; threads only read the database and build sessions.
    """

    def __init__(self, resources: Resources, metrics: Metrics, registry: RegistryWatch) -> None:
        self._resources = resources
        self._metrics = metrics
        self._registry = registry
        registry.on_change = self._follow
        self._loaded: OrderedDict[tuple[str, int], Loaded] = OrderedDict()
        # What was asked for last, until anything changes: the items of a batch are mostly for one.
        self._last: tuple[ModelReference, Loaded] | None = None
        self._loading: dict[tuple[str, int], asyncio.Task[Loaded]] = {}
        self._references: dict[str, ModelReference] = {}

    def ready(self, reference: ModelReference) -> Loaded | None:
        """The version a name stands for, if it is in memory."""
        if self._last is not None and self._last[0] is reference:
            return self._last[1]
        number = self._number(reference)
        loaded = self._loaded.get((reference.name, number)) if number is not None else None
        if loaded is not None:
            self._loaded.move_to_end((reference.name, loaded.number))
            self._last = reference, loaded
        return loaded

    def reference(self, text: str) -> ModelReference:
        """A name as given in a request, taken apart.

        Raises:
            Unprocessable: it is no name.
        """
        known = self._references.get(text)
        if known is None:
            known = parse_reference(text)
            if len(self._references) >= MAX_REMEMBERED_NAMES:
                self._references.clear()
            self._references[text] = known
        return known

    async def load(self, reference: ModelReference) -> Loaded:
        """The version a name stands for, loaded now if need be; others are not held up.

        Raises:
            NotFound: nothing goes by that name, the registry just asked.
        """
        number = self._number(reference)
        if number is None:
            await self._registry.catch_up()
            number = self._number(reference)
        if number is None:
            raise NotFound(self._why_not(reference))
        key = (reference.name, number)
        if key in self._loaded:
            return self._loaded[key]
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._load(key))
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        # Whoever asked first may go away; the others still want it.
        return await asyncio.shield(task)

    async def rest(self) -> None:
        """Return when no thread of ours reads a version any more.

        A cancelled wait leaves its thread at work, with a connection that would be lost when the
        engine is disposed of.
        """
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def _number(self, reference: ModelReference) -> int | None:
        catalogue = self._registry.catalogue
        if catalogue is None:
            return None
        if reference.alias is not None:
            return catalogue.aliases.get((reference.name, reference.alias))
        number = reference.number
        return number if number in catalogue.versions.get(reference.name, ()) else None

    def _why_not(self, reference: ModelReference) -> str:
        catalogue = self._registry.catalogue
        if catalogue is None or reference.name not in catalogue.versions:
            return f"there is no model {reference.name!r}; GET /models lists those there are"
        if reference.alias is not None:
            return f"model {reference.name!r} has no alias {reference.alias!r}"
        if reference.number in catalogue.deleted.get(reference.name, ()):
            return f"version {reference.number} of {reference.name!r} was deleted"
        return f"model {reference.name!r} has no version {reference.number}"

    def _follow(self, catalogue: Catalogue) -> None:
        self._last = None
        for model, number in list(self._loaded):
            if number not in catalogue.versions.get(model, ()):
                self._drop((model, number))

    async def _load(self, key: tuple[str, int]) -> Loaded:
        try:
            loaded = await asyncio.to_thread(self._read_and_build, *key)
        except DATABASE_ERRORS as error:
            raise Unavailable(DATABASE_AWAY) from error
        self._loaded[key], self._last = loaded, None
        self._keep_within_budget()
        logger.info("version loaded", version=str(loaded), bytes=loaded.memory_bytes)
        return loaded

    def _read_and_build(self, model: str, number: int) -> Loaded:
        with self._resources.sessions.begin() as session:
            row = get_live_version(session, model, number)
        return load_version(row, self._resources.store)

    def _keep_within_budget(self) -> None:
        """Drop the least recently used versions; the newest stays, whatever its size."""
        budget = self._resources.settings.model_memory_bytes
        while len(self._loaded) > 1 and self._used_bytes() > budget:
            self._drop(next(iter(self._loaded)))
        self._show()

    def _drop(self, key: tuple[str, int]) -> None:
        # Requests under way hold the version themselves; its memory goes when they are answered.
        del self._loaded[key]
        self._last = None
        self._show()

    def _used_bytes(self) -> int:
        return sum(loaded.memory_bytes for loaded in self._loaded.values())

    def _show(self) -> None:
        self._metrics.loaded_models.set(len(self._loaded))
        self._metrics.loaded_bytes.set(self._used_bytes())


def load_version(row: Version, store: ObjectStore) -> Loaded:
    """A version of the registry as something that runs.

    Raises:
        BrokenArtifact: its files do not fit each other.
        ObjectMissing, ObjectDamaged, StoreUnavailable: its graph cannot be had.
    """
    with naming(file_of(row.model, row.number, MODEL)):
        graph = store.get(row.files[MODEL]["sha256"])
    return build(
        row.model,
        row.number,
        Manifest.model_validate_json(json.dumps(row.manifest)),
        Scorecard.model_validate_json(json.dumps(row.scorecard)),
        graph,
    )


def build(
    model: str, number: int, manifest: Manifest, scorecard: Scorecard, graph: bytes
) -> Loaded:
    """A version's files as something that runs; it is run once, so that what is broken shows here.

    Raises:
        BrokenArtifact: graph and manifest do not fit each other.
    """
    options = ort.SessionOptions()
    # One thread per process: the cores belong to the processes, and a thread pool costs more than
    # graphs of this size take.
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
        tokenizer=None
        if text is None
        else Tokenizer(unit=text.tokenizer, vocabulary=text.vocabulary, unknown=text.unknown),
        memory_bytes=SESSION_BYTES + BYTES_PER_FILE_BYTE * len(graph),
    )
    return _tried(loaded, trial_inputs(manifest))


def _skills(scorecard: Scorecard) -> tuple[float | None, ...]:
    if scorecard.series is None or scorecard.skill is None or not scorecard.series.steps:
        return (scorecard.skill,)
    return skill_by_horizon(scorecard.series)


def trial_inputs(manifest: Manifest) -> Arrays:
    """Inputs of the right names, types and shapes, one row of them."""
    if manifest.series is not None:
        shape = (1, manifest.window or 1, len(manifest.series.features))
        return {HISTORY: np.ones(shape, dtype=np.float64)}
    if manifest.text is None:
        raise BrokenArtifact("the manifest describes neither a series nor a text")
    inputs: Arrays = {TOKENS: np.zeros((1, manifest.window or 1), dtype=np.int64)}
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
    return replace(loaded, run_seconds=min(_seconds(loaded, inputs) for _ in range(TIMED_RUNS)))


def _seconds(loaded: Loaded, inputs: Arrays) -> float:
    started = time.perf_counter()
    loaded.run(inputs)
    return time.perf_counter() - started
