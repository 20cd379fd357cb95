"""Tensors as the Open Inference Protocol writes them: in JSON, or as bytes after it."""

import math
import struct
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from app.errors import InvalidRequest
from app.http.problem_responses import invalid_fields

BYTES = "BYTES"
INTEGERS = {
    f"{sign}INT{bits}": np.dtype(f"<{sign.lower() or 'i'}{bits // 8}")
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}
FLOATS = {f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)}
NUMBERS = INTEGERS | FLOATS
MOST_AXES = 2
MOST_ELEMENTS = 2**31
LENGTH = struct.Struct("<I")  # before each element of BYTES


class Tensor(NamedTuple):
    """A tensor; strings are an array of objects."""

    name: str
    datatype: str
    values: npt.NDArray[Any]

    @property
    def shape(self) -> list[int]:
        """The sizes of its axes."""
        return list(self.values.shape)


class GivenTensor(BaseModel):
    """An input as the client sends it."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class WantedOutput(BaseModel):
    """An output that the client asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(BaseModel):
    """The JSON of a request; members meant for other servers are ignored."""

    model_config = ConfigDict(strict=True)

    id: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[GivenTensor]
    outputs: list[WantedOutput] = []

    def wants_binary(self, output: str) -> bool:
        """Return whether an output is sent as bytes."""
        for wanted in self.outputs:
            if wanted.name == output and "binary_data" in wanted.parameters:
                return wanted.parameters["binary_data"] is True
        return self.parameters.get("binary_data_output") is True


def read_request(header: bytes) -> InferRequest:
    """Read the JSON of a request.

    Raises:
        InvalidRequest: it is not JSON, or members are wrong; each is named.
    """
    try:
        return InferRequest.model_validate_json(header)
    except ValidationError as error:
        problem = invalid_fields(error.errors(include_url=False))
        raise InvalidRequest(problem.detail) from error


def read_tensors(request: InferRequest, raw: bytes) -> dict[str, Tensor]:
    """Return the inputs of a request by name.

    Args:
        request: its JSON.
        raw: the bytes after the JSON, input after input.

    Raises:
        InvalidRequest: an input is wrong; the error names it and says what would be right.
    """
    tensors: dict[str, Tensor] = {}
    start = 0
    for given in request.inputs:
        if given.name in tensors:
            raise InvalidRequest(f"input {given.name!r} is given twice")
        count = _count(given)
        size = given.parameters.get("binary_data_size")
        if size is None:
            values = _from_json(given)
        elif not isinstance(size, int) or not 0 <= size <= len(raw) - start:
            raise InvalidRequest(
                f"input {given.name!r}: binary_data_size is {str(size)[:100]}; there are "
                f"{len(raw) - start} bytes left after the JSON"
            )
        else:
            values = _from_bytes(given, raw[start : start + size], count)
            start += size
        if len(values) != count:
            raise InvalidRequest(
                f"input {given.name!r} has {len(values)} elements; its shape {given.shape} has "
                f"{count}"
            )
        tensors[given.name] = Tensor(given.name, given.datatype, values.reshape(given.shape))
    if start < len(raw):
        raise InvalidRequest(f"{len(raw) - start} bytes after the JSON belong to no input")
    return tensors


def _count(given: GivenTensor) -> int:
    if "shared_memory_region" in given.parameters:
        raise InvalidRequest(f"input {given.name!r}: shared memory is not supported; send the data")
    if given.datatype != BYTES and given.datatype not in NUMBERS:
        raise InvalidRequest(
            f"input {given.name!r}: the datatype {given.datatype[:100]!r} is none of "
            f"{', '.join((*NUMBERS, BYTES))}"
        )
    if len(given.shape) > MOST_AXES or not all(0 <= size <= MOST_ELEMENTS for size in given.shape):
        raise InvalidRequest(
            f"input {given.name!r}: the shape {str(given.shape)[:100]} is not valid here: at "
            f"most {MOST_AXES} axes, and no size below zero"
        )
    return math.prod(given.shape)


def _from_json(given: GivenTensor) -> npt.NDArray[Any]:
    """Read `data`, flat or nested, in row-major order."""
    if given.data is None:
        raise InvalidRequest(f"input {given.name!r} has no data")
    elements = given.data
    while any(isinstance(element, list) for element in elements):
        if not all(isinstance(element, list) for element in elements):
            raise InvalidRequest(f"input {given.name!r}: its lists are not nested evenly")
        elements = list(chain.from_iterable(elements))
    fitting: tuple[type, ...] = (int, float) if given.datatype in FLOATS else (int,)
    if given.datatype == BYTES:
        fitting = (str,)
    for element in elements:
        if type(element) not in fitting:  # to isinstance, a bool is an int
            raise InvalidRequest(
                f"input {given.name!r}: {str(element)[:100]!r} is not {given.datatype}"
            )
    if given.datatype == BYTES:
        return _strings(elements)
    try:
        return np.array(elements, dtype=NUMBERS[given.datatype])
    except OverflowError as error:
        raise InvalidRequest(
            f"input {given.name!r}: a value is beyond what {given.datatype} holds"
        ) from error


def _from_bytes(given: GivenTensor, raw: bytes, count: int) -> npt.NDArray[Any]:
    if given.datatype == BYTES:
        return _strings(_texts(given.name, raw))
    datatype = NUMBERS[given.datatype]
    if len(raw) != count * datatype.itemsize:
        raise InvalidRequest(
            f"input {given.name!r} has {len(raw)} bytes; {given.datatype} of shape {given.shape} "
            f"has {count * datatype.itemsize}"
        )
    return np.frombuffer(raw, dtype=datatype)


def _texts(name: str, raw: bytes) -> Iterable[str]:
    """Read elements that are preceded by their length."""
    start = 0
    while start < len(raw):
        first = start + LENGTH.size
        end = first + LENGTH.unpack_from(raw, start)[0] if first <= len(raw) else first
        if end > len(raw):
            raise InvalidRequest(f"input {name!r}: its bytes end in the middle of an element")
        try:
            yield raw[first:end].decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"input {name!r}: an element is not UTF-8") from error
        start = end


def _strings(texts: Iterable[str]) -> npt.NDArray[Any]:
    listed = list(texts)
    strings = np.empty(len(listed), dtype=object)
    strings[:] = listed
    return strings


def write_answer(
    head: dict[str, object], outputs: Sequence[Tensor], request: InferRequest
) -> tuple[bytes, int | None]:
    """Return an answer's body, and how many bytes of it are JSON; None for all.

    Args:
        head: its members besides the outputs.
        outputs: the output tensors.
        request: says which of them are sent as bytes.
    """
    entries: list[dict[str, object]] = []
    raw: list[bytes] = []
    for tensor in outputs:
        entry: dict[str, object] = {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": tensor.shape,
        }
        if request.wants_binary(tensor.name):
            raw.append(_raw(tensor))
            entry["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            entry["data"] = tensor.values.ravel().tolist()
        entries.append(entry)
    header = to_json({**head, "outputs": entries}, inf_nan_mode="null")
    return b"".join((header, *raw)), len(header) if raw else None


def _raw(tensor: Tensor) -> bytes:
    if tensor.datatype != BYTES:
        return tensor.values.astype(NUMBERS[tensor.datatype], copy=False).tobytes()
    texts = [text.encode() for text in tensor.values.ravel()]
    return b"".join(LENGTH.pack(len(text)) + text for text in texts)
