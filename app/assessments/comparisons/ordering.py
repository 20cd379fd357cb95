"""Turn an order into the jobs of a comparison, one for each cell."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app.assessments.comparisons.store import add_comparison
from app.datasets.store import UnderstoodFile
from app.errors import Unprocessable
from app.jobs.order import Order
from app.jobs.ordering import prepare, put
from app.recipes.recipe import RECIPE, Cell
from app.storage.object_store import ObjectStore
from app.storage.tables import Comparison

CELLS: tuple[Cell, ...] = ("rnn", "gru", "lstm")


def check_order(order: Order) -> None:
    """Check that an order suits a comparison, before its files are read.

    Raises:
        Unprocessable: it fixes the cell.
    """
    if "cell" in (order.overrides or {}):
        raise Unprocessable.at(
            "recipe.cell", f"is what is compared, so leave it out: {', '.join(CELLS)} are trained"
        )


def compare(
    session: Session,
    store: ObjectStore,
    order: Order,
    uploads: Mapping[str, UnderstoodFile],
    *,
    key: str | None,
) -> Comparison:
    """Store the order's datasets and queue a job for each cell, in one transaction.

    Args:
        session: of the transaction.
        store: where contents are.
        order: what was ordered.
        uploads: the files that were read, by the name of their part.
        key: name of the caller's key.

    Raises:
        Unprocessable: something does not fit; if the transaction ends with this, nothing is stored.
    """
    placement = prepare(session, store, order, uploads)
    comparison = add_comparison(session, placement)
    for cell in CELLS:
        recipe = RECIPE.validate_python({**placement.recipe.model_dump(), "cell": cell})
        job = put(session, placement, recipe=recipe, comparison_id=comparison.id)
        job.key = key
    return comparison
