"""Which tensors a version takes and returns."""

from typing import NamedTuple

from app.artifact.manifest import SeriesInput
from app.compat.open_inference.tensors import BYTES, INTEGERS, NUMBERS, Tensor
from app.errors import InvalidRequest
from app.predictions.loaded import Loaded

HISTORY = "history"
HORIZON = "horizon"
LEVELS = "levels"
SERIES = "series"
TIMESTAMPS = "timestamps"
TEXT = "text"
STEPS = "steps"
TEMPERATURE = "temperature"
SEED = "seed"
FORECAST = "forecast"
ROWS, TIME = "rows", "time"  # names of axes
LARGEST_FLOAT, LARGEST_INTEGER = "FP64", "INT64"
PLATFORM = "onnxruntime_onnx"


class Described(NamedTuple):
    """A tensor of a version."""

    name: str
    datatype: str  # numbers of fewer bits are accepted too
    axes: tuple[str, ...]  # the name of an axis, or "1" if it has one element
    is_optional: bool = False

    @property
    def shape(self) -> list[int]:
        """Return the shape as metadata shows it: -1 for sizes that vary."""
        return [1 if axis == "1" else -1 for axis in self.axes]

    def check(self, given: Tensor) -> None:
        """Check that an input fits.

        Raises:
            InvalidRequest: its type or its shape does not.
        """
        fitting = {LARGEST_FLOAT: NUMBERS, LARGEST_INTEGER: INTEGERS}.get(self.datatype, {BYTES})
        if given.datatype not in fitting:
            raise InvalidRequest(
                f"input {self.name!r} is {given.datatype}; it may be {', '.join(fitting)}"
            )
        fits = len(given.shape) == len(self.axes) and all(
            size == 1 or axis != "1" for size, axis in zip(given.shape, self.axes, strict=True)
        )
        if not fits:
            raise InvalidRequest(
                f"input {self.name!r} has the shape {given.shape}; it must be "
                f"[{', '.join(self.axes)}]"
            )


def columns_of(series: SeriesInput) -> dict[str, str]:
    """Return the column that each input of values stands for."""
    names = [feature.name for feature in series.features]
    return {HISTORY: names[0]} if len(names) == 1 else {name: name for name in names}


def inputs_of(version: Loaded) -> list[Described]:
    """Return the tensors that a version takes."""
    series = version.manifest.series
    if series is None:
        return [
            Described(TEXT, BYTES, (ROWS,)),
            Described(STEPS, LARGEST_INTEGER, ("1",), is_optional=True),
            Described(TEMPERATURE, LARGEST_FLOAT, ("1",), is_optional=True),
            Described(SEED, LARGEST_INTEGER, ("1",), is_optional=True),
        ]
    values = [Described(name, LARGEST_FLOAT, (ROWS, TIME)) for name in columns_of(series)]
    options = (
        Described(HORIZON, LARGEST_INTEGER, ("1",), is_optional=True),
        Described(LEVELS, LARGEST_INTEGER, ("levels",), is_optional=True),
        Described(TIMESTAMPS, BYTES, (ROWS, TIME), is_optional=True),
        Described(SERIES, BYTES, (ROWS,), is_optional=True),
    )
    # a column takes precedence over an option of the same name
    taken = {value.name for value in values}
    return [*values, *(option for option in options if option.name not in taken)]


def outputs_of(version: Loaded) -> list[Described]:
    """Return the tensors that a version returns unless asked otherwise."""
    if version.manifest.series is None:
        return [Described(TEXT, BYTES, (ROWS,))]
    return [Described(FORECAST, LARGEST_FLOAT, (ROWS, HORIZON))]


def check_inputs(version: Loaded, tensors: dict[str, Tensor]) -> int:
    """Check that these inputs fit a version, and return how many rows they have.

    Raises:
        InvalidRequest: one is unknown, missing, or does not fit; it is named.
    """
    described = {each.name: each for each in inputs_of(version)}
    names = ", ".join(each.name + " (optional)" * each.is_optional for each in described.values())
    for name in tensors:
        if name not in described:
            raise InvalidRequest(f"{version} has no input {name[:100]!r}; it takes {names}")
    rows: int | None = None
    for each in described.values():
        given = tensors.get(each.name)
        if given is None:
            if each.is_optional:
                continue
            raise InvalidRequest(f"the input {each.name!r} is missing; {version} takes {names}")
        each.check(given)
        if each.axes[0] == ROWS:
            rows = given.shape[0] if rows is None else rows
            if given.shape[0] != rows:
                raise InvalidRequest(
                    f"input {each.name!r} has {given.shape[0]} rows; the ones before have {rows}"
                )
    if not rows:
        raise InvalidRequest("the inputs have no rows; at least one is needed")
    return rows


def metadata_of(version: Loaded, *, versions: list[str]) -> dict[str, object]:
    """Return what the protocol says about a model.

    Args:
        version: the version that is asked about.
        versions: all versions that can be used.
    """
    return {
        "name": version.model,
        "versions": versions,
        "platform": PLATFORM,
        "inputs": [_shown(each) for each in inputs_of(version)],
        "outputs": [_shown(each) for each in outputs_of(version)],
    }


def config_of(version: Loaded) -> dict[str, object]:
    """Return Triton's description of a model, as far as it applies here."""
    return {
        "name": version.model,
        "platform": PLATFORM,
        "backend": "stepahead",
        "max_batch_size": 0,  # Triton: the first axis is a part of the shapes
        "input": [_configured(each) for each in inputs_of(version)],
        "output": [_configured(each) for each in outputs_of(version)],
    }


def _shown(described: Described) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": described.name,
        "datatype": described.datatype,
        "shape": described.shape,
    }
    if described.is_optional:
        shown["parameters"] = {"optional": True}
    return shown


def _configured(described: Described) -> dict[str, object]:
    datatype = "STRING" if described.datatype == BYTES else described.datatype
    return {
        "name": described.name,
        "data_type": f"TYPE_{datatype}",
        "dims": described.shape,
        "optional": described.is_optional,
    }
