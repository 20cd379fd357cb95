"""Keep versions in memory: resolve names, load versions, and stay within the memory budget."""

import asyncio
import json
from collections import OrderedDict

from app.artifact.files import MODEL, file_of
from app.artifact.graph_outputs import with_output
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.errors import NotFound, Unavailable
from app.http.problem_responses import DATABASE_AWAY, DATABASE_ERRORS
from app.language.mixture import NGRAM_PROBABILITIES
from app.predictions.loaded import Loaded, build
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

MAX_REMEMBERED_NAMES = 10_000


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
        """Return the version of a name if it is in memory, otherwise None."""
        if self._last is not None and self._last[0] is reference:
            return self._last[1]
        number = self._number(reference)
        loaded = self._loaded.get((reference.name, number)) if number is not None else None
        if loaded is not None:
            self._loaded.move_to_end((reference.name, loaded.number))
            self._last = reference, loaded
        return loaded

    def reference(self, text: str) -> ModelReference:
        """Parse the name in a request.

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
        """Return the version of a name, loading it if necessary; other requests are not delayed.

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


def load_version(row: Version, store: ObjectStore, *, with_ngram: bool = False) -> Loaded:
    """Load a version of the registry.

    Args:
        row: the version.
        store: holds its graph.
        with_ngram: whether the graph of a text version puts out `NGRAM_PROBABILITIES`, too, if it
            has an n-gram.

    Raises:
        BrokenArtifact: its files contradict each other.
        ObjectMissing, ObjectDamaged, StoreUnavailable: its graph cannot be read.
    """
    with naming(file_of(row.model, row.number, MODEL)):
        graph = store.get(row.files[MODEL]["sha256"])
    if with_ngram and NGRAM_PROBABILITIES.encode() in graph:
        graph = with_output(graph, NGRAM_PROBABILITIES)
    return build(
        row.model,
        row.number,
        Manifest.model_validate_json(json.dumps(row.manifest)),
        Scorecard.model_validate_json(json.dumps(row.scorecard)),
        graph,
    )
