"""Networks in NumPy, rebuilt from the weights of versions and cached."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from safetensors import SafetensorError
from safetensors.numpy import load

from app.artifact.files import WEIGHTS, file_of
from app.artifact.manifest import Manifest
from app.cells.network import Network
from app.errors import Conflict
from app.explanations.anchors import anchor_from
from app.forecasting.anchors import Anchor
from app.registry.store import get_live_version
from app.storage.resources import Resources
from app.storage.store_errors import naming

# Memory for cached weights: about 50 networks of LSTM(128).
BUDGET_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Opened:
    """A version's networks; several if their forecasts are averaged."""

    networks: tuple[Network, ...]
    anchor: Anchor | None = None  # of a series: what their outputs are added to

    @property
    def bytes(self) -> int:
        """Memory that its weights take."""
        return sum(
            array.nbytes for network in self.networks for array in network.weights().values()
        )


class OpenedVersions:
    """The cached networks of this process, for use in any thread."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._kept: OrderedDict[tuple[str, int], Opened] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, model: str, number: int, manifest: Manifest) -> Opened:
        """Return the networks of a version. Blocks while they are read.

        Raises:
            NotFound: the version was deleted meanwhile.
            Conflict: its weights do not fit its recipe.
            ObjectMissing, ObjectDamaged: the store has lost them.
        """
        key = (model, number)
        with self._lock:
            opened = self._kept.get(key)
            if opened is not None:
                self._kept.move_to_end(key)
                return opened
        opened = open_weights(self._read(model, number), manifest)
        with self._lock:
            self._kept[key] = opened
            while len(self._kept) > 1 and sum(o.bytes for o in self._kept.values()) > BUDGET_BYTES:
                self._kept.popitem(last=False)
        return opened

    def _read(self, model: str, number: int) -> bytes:
        with self._resources.sessions.begin() as session:
            sha256 = get_live_version(session, model, number).files[WEIGHTS]["sha256"]
        with naming(file_of(model, number, WEIGHTS)):
            return self._resources.store.get(sha256)


def open_weights(data: bytes, manifest: Manifest) -> Opened:
    """Build the networks from `weights.safetensors`.

    Raises:
        Conflict: the weights do not fit the manifest's recipe.
    """
    recipe = manifest.recipe
    try:
        weights = load(data)
        network = Network.from_weights(weights, cell=recipe.cell, activation=recipe.activation)
        anchor = anchor_from(manifest, weights)
    except (ValueError, SafetensorError) as error:
        raise Conflict(f"this version cannot be explained: {error}") from error
    return Opened(networks=(network,), anchor=anchor)
