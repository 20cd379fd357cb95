"""Values of columns known ahead, as given in a request."""

from collections.abc import Mapping, Sequence

from app.errors import FieldError, Unprocessable
from app.predictions.loaded import Loaded


def future_of(
    version: Loaded, given: Mapping[str, Sequence[float]] | None, steps: int
) -> list[list[float]]:
    """Return the known columns for the version's horizon, (known, horizon).

    After the steps that are asked for, the last value is repeated; this does not affect them.

    Raises:
        Unprocessable: a column or values are missing, or a column is not known ahead; each is
            named.
    """
    described, horizon = version.manifest.series, version.manifest.horizon
    known = () if described is None else described.known
    given = given or {}
    if not known and not given:
        return []
    errors = [
        FieldError(field=f"future.{name}", message=_unknown(version, known))
        for name in given
        if name not in known
    ]
    for name in known:
        count = len(given.get(name, ()))
        if count < steps:
            errors.append(
                FieldError(
                    field=f"future.{name}",
                    message=f"has {count} of the {steps} values that are needed, one for each step "
                    "ahead",
                )
            )
    if errors:
        raise Unprocessable(
            f"future: {version} needs {', '.join(known)} for the {steps} steps ahead"
            if known
            else f"future: {_unknown(version, known)}",
            errors=tuple(errors),
        )
    return [
        [*given[name][:horizon], *([given[name][-1]] * (horizon - len(given[name])))]
        for name in known
    ]


def _unknown(version: Loaded, known: Sequence[str]) -> str:
    if not known:
        return f"{version} has no columns known ahead"
    return f"is no column known ahead of {version}; those are {', '.join(known)}"
