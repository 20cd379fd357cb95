"""The columns of a history, as given in a request."""

from app.artifact.manifest import SeriesInput
from app.errors import FieldError, Unprocessable
from app.predictions.histories.words import in_features
from app.predictions.loaded import Loaded
from app.predictions.schemas import Columns, Numbers


def columns_of(
    version: Loaded, described: SeriesInput, history: Numbers | Columns, warnings: list[str]
) -> list[list[float]]:
    """Return the columns in the order of the version's features.

    Raises:
        Unprocessable: columns are missing or unknown, or are not equally long.
    """
    if isinstance(history, list) and len(described.features) == 1:
        return [history]
    names = [feature.name for feature in described.features]
    asked = described.asked(names)
    if isinstance(history, list):
        raise Unprocessable.at(
            "history",
            f"{version} reads several columns: give an object of equally long lists with "
            + ", ".join(asked),
        )
    found = in_features(version, history, "history", warnings)
    missing = described.asked([name for name in names if name not in found])
    unknown = [name for name in found if name not in names]
    if missing or unknown:
        raise Unprocessable(
            f"history: {version} reads the columns {', '.join(asked)}",
            errors=tuple(
                FieldError(field=f"history.{name}", message=message)
                for wrong, message in ((missing, "is required"), (unknown, "is no column of it"))
                for name in wrong
            ),
        )
    lengths = {name: len(values) for name, values in history.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise Unprocessable.at("history", f"its columns must be equally long; they have {shown}")
    return [found[name] for name in names]
