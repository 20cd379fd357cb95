"""From an order to a job in the queue: everything is checked before anything is queued."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.artifact.manifest import Manifest
from app.datasets import store as datasets
from app.datasets.store import UnderstoodFile
from app.errors import Conflict, NotFound, Unprocessable
from app.forecasting.frequencies import default_horizon
from app.jobs import compatibility, job_log, queue
from app.jobs.compatibility import Shape
from app.jobs.extend import Extension, save_extended
from app.jobs.log_lines import order_lines
from app.jobs.order import Order
from app.judging.notes import anchor_to_keep
from app.reading.report import Report
from app.recipes.recipe import Kind, SeriesRecipe, TextRecipe
from app.recipes.resolve import resolve_recipe
from app.registry import store as registry
from app.registry.references import UNIVERSAL
from app.storage.object_store import ObjectStore
from app.storage.tables import Dataset, Job

# Above this, only the trainer checks the content: predictions share this process.
MOST_NUMBERS = 8_000_000
MOST_CHARACTERS = 200_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """A checked order: its parts fit together, and its datasets are stored."""

    model: str
    data: Dataset
    test: Dataset | None
    kind: Kind
    target: str | None
    target_said: bool  # by the order, not taken from the champion or the report
    recipe: SeriesRecipe | TextRecipe
    start_from: int | None


def check_references(session: Session, order: Order) -> None:
    """Check that what the order refers to exists, before its files are read.

    Raises:
        Conflict: the model is `universal`, which forecasts series that it was not trained on.
        Unprocessable: a dataset or the version to start from does not; the error names it.
    """
    if order.model == UNIVERSAL:
        raise Conflict(
            f"{UNIVERSAL!r} forecasts any series without training and is not trained on one; "
            "choose another name for the model"
        )
    for field, given in (("dataset", order.data), ("test", order.test)):
        if isinstance(given, UUID):
            _known_dataset(session, field, given)
    _base(session, order)


def place(
    session: Session,
    store: ObjectStore,
    order: Order,
    uploads: Mapping[str, UnderstoodFile],
    extension: Extension | None = None,
) -> Job:
    """Store the order's datasets and queue its job, in one transaction.

    Arguments and errors are those of `prepare`.
    """
    return put(session, prepare(session, store, order, uploads, extension))


def put(
    session: Session,
    placement: Placement,
    *,
    recipe: SeriesRecipe | TextRecipe | None = None,
    comparison_id: UUID | None = None,
) -> Job:
    """Queue the job of a placement, or one of the jobs of a comparison.

    Args:
        session: of the transaction in which the placement was made.
        placement: what the job is to do.
        recipe: in place of the placement's.
        comparison_id: the comparison that the job belongs to.
    """
    recipe = recipe or placement.recipe
    job = queue.enqueue(
        session,
        model=placement.model,
        kind=placement.kind,
        dataset_id=placement.data.id,
        test_dataset_id=None if placement.test is None else placement.test.id,
        target=placement.target,
        recipe=recipe,
        start_from=placement.start_from,
        comparison_id=comparison_id,
    )
    lines = order_lines(
        placement.data,
        recipe,
        target=placement.target,
        target_said=placement.target_said,
        base=placement.start_from,
    )
    job_log.note(session, job.id, *lines)
    return job


def prepare(
    session: Session,
    store: ObjectStore,
    order: Order,
    uploads: Mapping[str, UnderstoodFile],
    extension: Extension | None = None,
) -> Placement:
    """Store the order's datasets and check that everything fits together.

    Args:
        session: of the transaction.
        store: where contents are.
        order: what was ordered.
        uploads: the files that were read, by the name of their part.
        extension: the dataset that the file was joined with.

    Raises:
        Conflict: the model got another dataset while the file was joined with its last one.
        Unprocessable: something does not fit; if the transaction ends with this, nothing is stored.
    """
    if extension is None:
        data = _dataset(session, order.data, uploads, ("file", "dataset"))
    else:
        data = save_extended(session, order, uploads["file"], extension)
    test = None if order.test is None else _dataset(session, order.test, uploads, ("test", "test"))
    field = "file" if "file" in uploads else "dataset"
    kind: Kind = "series" if data.kind == "series" else "text"
    champion = _champion(session, order.model, kind, field)
    recipe = resolve_recipe(
        kind, order.overrides, champion=None if champion is None else champion.recipe
    )
    base = _base(session, order)
    recipe = _with_horizon(recipe, data, base)
    _check_base(base, recipe)
    target = _target(order, data, champion)
    shapes = _shape(data), None if test is None else _shape(test)
    compatibility.check_names(shapes[0], recipe, target=target, test=shapes[1])
    if _is_small(data) and (test is None or _is_small(test)):
        compatibility.check_content(
            datasets.load_content(data, store),
            recipe,
            target=target,
            test=None if test is None else datasets.load_content(test, store),
            field=field,
        )
    return Placement(
        model=order.model,
        data=data,
        test=test,
        kind=kind,
        target=target,
        target_said=order.target is not None,
        recipe=recipe,
        start_from=order.start_from,
    )


def _dataset(
    session: Session,
    given: object,
    uploads: Mapping[str, UnderstoodFile],
    fields: tuple[str, str],
) -> Dataset:
    as_file, as_id = fields
    if isinstance(given, UUID):
        return _known_dataset(session, as_id, given)
    dataset, _ = datasets.save_dataset(session, uploads[as_file])
    return dataset


def _known_dataset(session: Session, field: str, dataset_id: UUID) -> Dataset:
    try:
        return datasets.get_dataset(session, dataset_id)
    except NotFound as error:
        raise Unprocessable.at(field, error.detail) from error


def _champion(session: Session, model: str, kind: Kind, field: str) -> Manifest | None:
    """Return the champion's manifest, or None for a new name or one without a champion."""
    try:
        known = registry.find_model(session, model)
    except NotFound:
        return None
    if known.kind != kind:
        raise Unprocessable.at(
            field, f"is a {kind}, but {model!r} is a model for {known.kind}; use another name"
        )
    try:
        return Manifest.model_validate(registry.resolve(session, model).manifest)
    except NotFound:
        return None


def _base(session: Session, order: Order) -> Manifest | None:
    if order.start_from is None:
        return None
    try:
        version = registry.get_live_version(session, order.model, order.start_from)
    except NotFound as error:
        raise Unprocessable.at("start_from", error.detail) from error
    return Manifest.model_validate(version.manifest)


def _with_horizon(
    recipe: SeriesRecipe | TextRecipe, data: Dataset, base: Manifest | None
) -> SeriesRecipe | TextRecipe:
    """Settle a horizon that the recipe leaves open: that of the start, else by the frequency."""
    if not isinstance(recipe, SeriesRecipe) or recipe.horizon is not None:
        return recipe
    if base is not None and base.kind == "series":
        return recipe.model_copy(update={"horizon": base.horizon})
    report = Report.model_validate(data.report)
    rows = report.rows_used // max(1, report.series_count)
    return recipe.model_copy(update={"horizon": default_horizon(report.frequency, rows=rows)})


def _check_base(base: Manifest | None, recipe: SeriesRecipe | TextRecipe) -> None:
    if base is None:
        return
    if base.kind != recipe.kind:
        raise Unprocessable.at("start_from", f"is for {base.kind}, but the dataset is not")
    for name in ("cell", "layers", "horizon", "tokenizer", "embedding"):
        here, there = getattr(recipe, name, None), getattr(base.recipe, name, None)
        if here != there:
            raise Unprocessable.at(
                "start_from",
                f"that version's network has another form: {name} is {_shown(there)} there and "
                f"{_shown(here)} in the recipe",
            )
    if isinstance(recipe, SeriesRecipe):
        anchor_to_keep(recipe, base)


def _target(order: Order, data: Dataset, champion: Manifest | None) -> str | None:
    """Return the column to predict: that of the order, of the model, or the suggested one."""
    if order.target is not None or data.kind != "series":
        return order.target
    if champion is not None and champion.series is not None:
        return champion.series.target
    suggested: str | None = data.report["target"]
    return suggested


def _shape(dataset: Dataset) -> Shape:
    report = Report.model_validate(dataset.report)
    columns = tuple(filter(None, (report.target, *report.target_alternatives)))
    return Shape(
        kind="series" if dataset.kind == "series" else "text",
        columns=columns,
        series_count=report.series_count,
        words=tuple(
            entry.name
            for entry in report.columns
            if entry.used and entry.type in {"label", "text"} and entry.name not in columns
        ),
    )


def _is_small(dataset: Dataset) -> bool:
    report = Report.model_validate(dataset.report)
    if report.text is not None:
        return report.text.characters <= MOST_CHARACTERS
    return report.rows_used * (1 + len(report.target_alternatives)) <= MOST_NUMBERS


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
