"""The files of a version that forecasting needs, as they are sent to where the data are."""

import hashlib
import json
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.artifact.files import MANIFEST, MODEL, SCORECARD
from app.artifact.manifest import Manifest, SeriesInput
from app.artifact.scorecard import Scorecard
from app.predictions.loaded import Loaded, build

NEEDED = (MANIFEST, SCORECARD, MODEL)
DESCRIPTION = "version.json"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A version's own files."""

    name: str
    number: int
    manifest: bytes
    scorecard: bytes
    graph: bytes

    @property
    def version(self) -> Loaded:
        """The version, loaded once in each process."""
        return _loaded(self)

    @property
    def described(self) -> SeriesInput:
        """How the version reads its history.

        Raises:
            ValueError: it continues texts.
        """
        described = self.version.manifest.series
        if described is None:
            raise ValueError(f"{self.name}@{self.number} continues texts; it forecasts no series")
        return described


def read_artifact(path: str | Path) -> Artifact:
    """Read a version's folder, or its archive from `GET /models/NAME/versions/N/archive`.

    Raises:
        ValueError: files are missing, or they differ from what the archive lists.
    """
    place = Path(path)
    if place.is_dir():
        missing = [name for name in NEEDED if not (place / name).is_file()]
        if missing:
            raise ValueError(f"{place} is no version's folder: it has no {', '.join(missing)}")
        files = {name: (place / name).read_bytes() for name in NEEDED}
        is_number = place.name.isdecimal()
        name, number = (place.parent.name, int(place.name)) if is_number else (place.name, 1)
    else:
        name, number, files = _unpacked(place)
    return Artifact(
        name=name,
        number=number,
        manifest=files[MANIFEST],
        scorecard=files[SCORECARD],
        graph=files[MODEL],
    )


def _unpacked(archive: Path) -> tuple[str, int, dict[str, bytes]]:
    """Return the model's name, the version's number and the files of an archive."""
    files: dict[str, bytes] = {}
    with tarfile.open(archive, mode="r:") as tar:
        for entry in tar:
            content = tar.extractfile(entry)
            if content is not None and entry.name in {DESCRIPTION, *NEEDED}:
                files[entry.name] = content.read()
    if DESCRIPTION not in files:
        raise ValueError(f"{archive} is no archive of a version: it has no {DESCRIPTION}")
    described = json.loads(files[DESCRIPTION])
    for name in NEEDED:
        listed = described["files"].get(name, {}).get("sha256")
        if name not in files or hashlib.sha256(files[name]).hexdigest() != listed:
            raise ValueError(f"{archive}: {name} is missing, or it is not the one that is listed")
    return described["model"], described["number"], files


@lru_cache(maxsize=4)
def _loaded(artifact: Artifact) -> Loaded:
    return build(
        artifact.name,
        artifact.number,
        Manifest.model_validate_json(artifact.manifest),
        Scorecard.model_validate_json(artifact.scorecard),
        artifact.graph,
    )
