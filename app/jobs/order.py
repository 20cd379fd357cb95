"""An order for a training, as far as it is known before its files are read."""

import json
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from app.datasets.ingest import parse_read_options
from app.datasets.upload import MultipartForm, UploadedFile
from app.errors import Unprocessable
from app.reading.read_options import ReadOptions
from app.registry.references import MAX_NUMBER, check_model_name

FILES = ("file", "test")
FIELDS = ("dataset", "read", "target", "recipe", "start_from", "extend")
UUID_CHARACTERS = 36
MAX_TARGET_CHARACTERS = 1000


@dataclass(frozen=True, kw_only=True)
class Order:
    """One training that was ordered."""

    model: str
    data: UploadedFile | UUID
    test: UploadedFile | UUID | None
    read: ReadOptions  # for the files of this call
    target: str | None
    overrides: dict[str, Any] | None  # of a recipe; None: the champion's recipe, or default
    start_from: int | None
    extend: bool = False  # join the file to the model's last dataset


def read_order(model: str, form: MultipartForm) -> Order:
    """Read the order from a form.

    Raises:
        Unprocessable: a part is missing, superfluous or invalid; the error names it.
    """
    return Order(
        model=check_model_name(model),
        data=_data(form),
        test=_test(form),
        read=parse_read_options(form.fields.get("read")),
        target=_target(form.fields.get("target")),
        overrides=_recipe(form.fields.get("recipe")),
        start_from=_version(form.fields.get("start_from")),
        extend=_extend(form),
    )


def _data(form: MultipartForm) -> UploadedFile | UUID:
    dataset = form.fields.get("dataset", "").strip()
    if dataset and "file" in form.files:
        raise Unprocessable.at("dataset", "cannot be combined with file; send one of them")
    return _dataset_id("dataset", dataset) if dataset else form.file("file")


def _test(form: MultipartForm) -> UploadedFile | UUID | None:
    """Return a file, or the id of a dataset: a part without a filename is text."""
    part = form.files.get("test")
    if part is None or part.filename is not None:
        return part
    text = part.path.read_bytes()[: 2 * UUID_CHARACTERS].decode(errors="replace").strip()
    return _dataset_id("test", text) if text else None


def _extend(form: MultipartForm) -> bool:
    said = form.fields.get("extend", "").strip().lower()
    if said not in {"", "true", "false"}:
        raise Unprocessable.at("extend", "must be true or false")
    if said == "true" and "file" not in form.files:
        raise Unprocessable.at("extend", "joins a file to the model's last dataset, so send file")
    return said == "true"


def _dataset_id(field: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Unprocessable.at(
            field, f"{text[:UUID_CHARACTERS]!r} is not a dataset id; GET /datasets lists them"
        ) from error


def _target(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    if len(text) > MAX_TARGET_CHARACTERS or "\x00" in text:
        raise Unprocessable.at("target", "is not the name of a column")
    return text.strip()


def _recipe(text: str | None) -> dict[str, Any] | None:
    if text is None or not text.strip():
        return None
    try:
        recipe = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Unprocessable.at(
            "recipe",
            f'is not valid JSON ({error}); for example {{"preset": "chapter", "epochs": 50}}',
        ) from error
    if not isinstance(recipe, dict):
        raise Unprocessable.at("recipe", 'must be a JSON object, for example {"preset": "chapter"}')
    return recipe


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _version(text: str | None) -> int | None:
    if text is None or not text.strip():
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(MAX_NUMBER))):
        raise Unprocessable.at("start_from", "must be the number of a version of this model")
    return min(int(digits), MAX_NUMBER)
