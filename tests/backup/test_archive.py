"""Test damaged and hostile archives, without a database."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from app.backup.archive import DamagedArchive
from app.backup.check import check_backup

ROWS = gzip.compress(b"1\tone\n2\ttwo\n")
OBJECT = b"an object"
Parts = dict[str, bytes]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def header(**changes: Any) -> bytes:  # noqa: ANN401
    described = {
        "format": 1,
        "stepahead": "0.1.0",
        "revision": "0003",
        "created_at": "2026-01-01T00:00:00Z",
        "columns": {"models": ["name", "kind"]},
    }
    return json.dumps(described | changes).encode()


def contents(**changes: Any) -> bytes:  # noqa: ANN401
    listed = {
        "tables": {"models": {"rows": 2, "sha256": sha256(ROWS)}},
        "objects": {sha256(OBJECT): len(OBJECT)},
        "missing": {},
    }
    return json.dumps(listed | changes).encode()


def whole() -> Parts:
    return {
        "backup.json": header(),
        "tables/models.copy.gz": ROWS,
        f"objects/{sha256(OBJECT)}": OBJECT,
        "contents.json": contents(),
    }


def packed(parts: Parts, *, kind: bytes = tarfile.REGTYPE) -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            if name not in {"backup.json", "contents.json"}:
                entry.type = kind
            tar.addfile(entry, io.BytesIO(data))
    file.seek(0)
    return file


def test_a_complete_archive_is_described() -> None:
    checked = check_backup(packed(whole()))
    assert checked.rows == {"models": 2}
    assert (checked.objects, checked.object_bytes) == (1, len(OBJECT))


def without(name: str) -> Callable[[Parts], Parts]:
    return lambda parts: {key: data for key, data in parts.items() if not key.startswith(name)}


def changed(name: str, data: bytes) -> Callable[[Parts], Parts]:
    return lambda parts: {
        key: data if key.startswith(name) else before for key, before in parts.items()
    }


def added(name: str) -> Callable[[Parts], Parts]:
    return lambda parts: {
        "backup.json": parts["backup.json"],
        name: b"x",
        **{key: data for key, data in parts.items() if key != "backup.json"},
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without("backup.json"), "does not begin with backup.json"),
        (without("contents.json"), "is incomplete"),
        (without("tables/"), "the table models is missing"),
        (without("objects/"), "differs between archive and list"),
        (changed("objects/", b"another"), "is damaged: its sha256 is"),
        (changed("tables/", gzip.compress(b"1\tone\n")), "the rows of models are damaged"),
        (changed("tables/", b"not packed"), "cannot be unpacked"),
        (changed("backup.json", header(format=2)), "has format 2, but this release reads 1"),
        (changed("backup.json", b"{"), "backup.json cannot be read"),
        (
            changed("backup.json", header(columns=3)),
            "backup.json does not have the expected form: columns",
        ),
        (changed("contents.json", contents(objects={})), "differs between archive and list"),
        (added("../../etc/passwd"), "does not belong in a backup"),
        (added("/etc/passwd"), "does not belong in a backup"),
        (added("tables/pg_authid.copy.gz"), "is not a table of backup.json"),
        (added("tables/../x.copy.gz"), "is not a table of backup.json"),
    ],
)
def test_defects_of_an_archive_are_reported(change: Callable[[Parts], Parts], said: str) -> None:
    with pytest.raises(DamagedArchive, match=said):
        check_backup(packed(change(whole())))


def test_a_different_row_count_is_reported() -> None:
    listed = {"models": {"rows": 3, "sha256": sha256(ROWS)}}
    parts = whole() | {"contents.json": contents(tables=listed)}
    with pytest.raises(DamagedArchive, match="models has 2 rows, but 3 are listed"):
        check_backup(packed(parts))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    with pytest.raises(DamagedArchive, match="is not a regular file"):
        check_backup(packed(whole(), kind=kind))


def test_a_file_cut_short_anywhere_is_refused() -> None:
    data = packed(whole()).getvalue()
    end = data.index(contents()) + len(contents())  # the rest is padding
    for size in range(0, end, 97):
        with pytest.raises(DamagedArchive):
            check_backup(io.BytesIO(data[:size]))
