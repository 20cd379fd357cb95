"""Values of columns known ahead, as given in a request."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from app.errors import FieldError, Unprocessable
from app.predictions.histories.words import in_features
from app.predictions.loaded import Loaded

Floats = npt.NDArray[np.float64]


def future_of(
    version: Loaded,
    given: Mapping[str, Sequence[float] | Sequence[str]] | None,
    steps: int,
    warnings: list[str],
) -> list[list[float]]:
    """Return the known columns for whole horizons of the version, (known, steps and more).

    After the steps that are asked for, the last value is repeated; this does not affect them.
    Words that the version does not know are added to the warnings.

    Raises:
        Unprocessable: a column or values are missing, or a column is not known ahead; each is
            named.
    """
    described, horizon = version.manifest.series, version.manifest.horizon
    known = () if described is None else described.known
    given = given or {}
    if described is None or not (known or given):
        return []
    asked = described.asked(known)
    own = {name: values for name, values in given.items() if name in (*asked, *known)}
    errors = [
        FieldError(field=f"future.{name}", message=_unknown(version, asked))
        for name in given
        if name not in own
    ]
    found = in_features(version, own, "future", warnings)
    lacking = [name for name in known if len(found.get(name, ())) < steps]
    errors += [
        FieldError(
            field=f"future.{name}",
            message=f"has {len(own.get(name, ()))} of the {steps} values that are needed, one for "
            "each step ahead",
        )
        for name in described.asked(lacking)
    ]
    if errors:
        raise Unprocessable(
            f"future: {version} needs {', '.join(asked)} for the {steps} steps ahead"
            if known
            else f"future: {_unknown(version, asked)}",
            errors=tuple(errors),
        )
    width = horizon * -(-steps // horizon)
    return [
        [*found[name][:width], *([found[name][-1]] * (width - len(found[name])))] for name in known
    ]


def planned_steps(futures: Sequence[Sequence[list[float]]]) -> Floats | None:
    """Return the known columns of several questions, (batch, whole horizons, known).

    The shorter ones repeat their last value. The result is None if there are no known columns.
    """
    if not futures[0]:
        return None
    longest = max(len(columns[0]) for columns in futures)
    planned = np.array(
        [
            [[*column, *column[-1:] * (longest - len(column))] for column in columns]
            for columns in futures
        ]
    )  # (batch, known, whole horizons)
    return planned.transpose(0, 2, 1)


def _unknown(version: Loaded, known: Sequence[str]) -> str:
    if not known:
        return f"{version} has no columns known ahead"
    return f"is no column known ahead of {version}; those are {', '.join(known)}"
