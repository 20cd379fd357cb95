"""From an order to a measurement: which dataset, which network, which training data."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from app.artifact.files import JUDGED, MODEL, file_of
from app.artifact.manifest import Manifest
from app.artifact.scorecard import Scorecard
from app.assessments.evaluations.limits import (
    MOST_CHARACTERS,
    MOST_NUMBERS,
    MOST_ROWS,
    TRAINING_ABSENT,
    Network,
)
from app.assessments.evaluations.measuring import Measurement
from app.assessments.evaluations.store import find_evaluation, training_dataset
from app.datasets import store as datasets
from app.datasets.store import UPLOAD_AGAIN, UnderstoodFile
from app.errors import NotFound, Unprocessable
from app.reading.report import Report
from app.registry.store import get_live_version
from app.storage.object_store import ObjectStore
from app.storage.store_errors import naming
from app.storage.tables import Dataset, Evaluation, Version


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the caller asks for."""

    data: UUID | UnderstoodFile
    network: Network | None  # None: judged, if the version has it

    @property
    def field(self) -> str:
        """Name of the dataset in errors."""
        return "dataset" if isinstance(self.data, UUID) else "file"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure, before its files are fetched."""

    model: str
    version: int
    manifest: Manifest
    scorecard: Scorecard  # of the version, on its own data
    network: Network
    dataset_id: UUID
    graph_sha256: str
    content_sha256: str  # of the dataset
    training_sha256: str | None  # content of the training data; None if it is not here
    field: str


def check_version(session: Session, model: str, number: int) -> Version:
    """Return the version; called before a file is read.

    Raises:
        NotFound: there is none, or it was deleted.
    """
    return get_live_version(session, model, number)


def plan(session: Session, model: str, number: int, order: Order) -> Plan | Evaluation:
    """Return what to measure, or the evaluation that was made before.

    Raises:
        NotFound: no such version.
        Unprocessable: no such dataset or network, the wrong kind, or too much data.
    """
    version = check_version(session, model, number)
    network = _network(version, order.network)
    dataset = _dataset(session, order)
    manifest = Manifest.model_validate(version.manifest)
    if manifest.series is not None and manifest.series.periods:
        raise Unprocessable(
            f"{model}@{number} forecasts any series and is not evaluated by itself: every "
            "scorecard and every evaluation of another version has it as a baseline"
        )
    if dataset.kind != manifest.kind:
        raise Unprocessable.at(
            order.field, f"is a {dataset.kind}, but {model!r} is a model for {manifest.kind}"
        )
    _check_size(dataset, manifest, order.field)
    training = training_dataset(session, version)
    before = find_evaluation(
        session, model=model, version=number, dataset_id=dataset.id, network=network
    )
    if before is not None and (training is None or TRAINING_ABSENT not in _notes(before)):
        return before
    return Plan(
        model=model,
        version=number,
        manifest=manifest,
        scorecard=Scorecard.model_validate(version.scorecard),
        network=network,
        dataset_id=dataset.id,
        graph_sha256=version.files[JUDGED if network == "judged" else MODEL]["sha256"],
        content_sha256=dataset.content_sha256,
        training_sha256=None if training is None else training.content_sha256,
        field=order.field,
    )


def fetch(planned: Plan, store: ObjectStore, folder: Path) -> Measurement:
    """Fetch the files of a plan into a folder.

    Raises:
        ObjectMissing, ObjectDamaged: the store has lost one.
        StoreUnavailable: the store cannot be read at the moment.
    """
    graph, dataset = folder / "graph.onnx", folder / "dataset"
    file = JUDGED if planned.network == "judged" else MODEL
    with naming(file_of(planned.model, planned.version, file)):
        store.fetch(planned.graph_sha256, graph)
    with naming(f"the content of dataset {planned.dataset_id}", UPLOAD_AGAIN):
        store.fetch(planned.content_sha256, dataset)
    training = None
    if planned.training_sha256 is not None:
        training = folder / "training"
        with naming(f"the training data of version {planned.version} of {planned.model!r}"):
            store.fetch(planned.training_sha256, training)
    return Measurement(
        manifest=planned.manifest,
        scorecard=planned.scorecard,
        network=planned.network,
        graph=graph,
        dataset=dataset,
        training=training,
        field=planned.field,
    )


def _network(version: Version, wanted: Network | None) -> Network:
    has_judged = JUDGED in version.files
    if wanted == "judged" and not has_judged:
        raise Unprocessable.at(
            "network",
            f"version {version.number} was not refitted after it was judged, so its only network "
            "is the served one",
        )
    return wanted or ("judged" if has_judged else "served")


def _dataset(session: Session, order: Order) -> Dataset:
    if isinstance(order.data, UnderstoodFile):
        return datasets.save_dataset(session, order.data)[0]
    try:
        return datasets.get_dataset(session, order.data)
    except NotFound as error:
        raise Unprocessable.at("dataset", error.detail) from error


def _check_size(dataset: Dataset, manifest: Manifest, field: str) -> None:
    report = Report.model_validate(dataset.report)
    if report.text is not None and report.text.characters > MOST_CHARACTERS:
        raise Unprocessable.at(
            field,
            f"has {report.text.characters:,} characters; at most {MOST_CHARACTERS:,} are evaluated "
            "at once",
        )
    columns = 1 if manifest.series is None else len(manifest.series.columns_read)
    most = min(MOST_ROWS, MOST_NUMBERS // ((manifest.window or 1) * columns))
    if report.text is None and report.rows_used > most:
        raise Unprocessable.at(
            field,
            f"has {report.rows_used:,} rows; at most {most:,} are evaluated at once with this "
            "version, so send the newest of them",
        )


def _notes(evaluation: Evaluation) -> list[str]:
    notes: list[str] = evaluation.scorecard.get("notes", [])
    return notes
