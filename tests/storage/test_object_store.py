import errno
import hashlib
import os
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from functools import partial
from pathlib import Path

import obstore
import pytest

from app.storage.object_store import ObjectStore, StoredObject
from app.storage.store_errors import ObjectDamaged, ObjectMissing, StoreUnavailable

DAY = timedelta(days=1)
NOTHING: set[str] = set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a store%20#1"


@pytest.fixture
def store(folder: Path) -> ObjectStore:
    return ObjectStore.open(folder.as_uri())


@pytest.fixture(params=["folder", "memory"])
def any_store(request: pytest.FixtureRequest, folder: Path) -> ObjectStore:
    return ObjectStore.open(folder.as_uri() if request.param == "folder" else "memory://")


def file_of(folder: Path, sha256: str) -> Path:
    return folder / "objects" / sha256[:2] / sha256


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def age(path: Path, by: timedelta = 2 * DAY) -> None:
    then = path.stat().st_mtime - by.total_seconds()
    os.utime(path, (then, then))


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 100_000])
def test_bytes_come_back(any_store: ObjectStore, data: bytes) -> None:
    stored = any_store.put_bytes(data)

    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert stored.size == len(data)
    assert any_store.get(stored.sha256) == data
    assert any_store.exists(stored.sha256)


@pytest.mark.parametrize("size", [0, 1, 8 << 20, (20 << 20) + 1])
def test_files_come_back(any_store: ObjectStore, tmp_path: Path, size: int) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))

    stored = any_store.put_file(source)
    any_store.fetch(stored.sha256, target)

    assert stored.size == size
    assert target.read_bytes() == source.read_bytes()
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"source", "target"}


def test_a_large_file_streams(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.truncate(200 << 20)

    tracemalloc.start()
    stored = store.put_file(source)
    store.fetch(stored.sha256, tmp_path / "again")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (tmp_path / "again").stat().st_size == 200 << 20
    assert peak_bytes < 100 << 20


def test_a_file_is_taken_as_it_is(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    inode = source.stat().st_ino

    stored = store.take_file(source, hashlib.sha256(b"hello").hexdigest())
    source.unlink()

    assert stored == StoredObject(sha256=hashlib.sha256(b"hello").hexdigest(), size=5)
    assert store.get(stored.sha256) == b"hello"
    assert file_of(folder, stored.sha256).stat().st_ino == inode
    assert len(files_below(folder)) == 1


def test_a_file_from_elsewhere_is_copied(
    any_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "hardlink_to", elsewhere)
    source = tmp_path / "source"
    source.write_bytes(b"hello")

    stored = any_store.take_file(source, hashlib.sha256(b"hello").hexdigest())
    source.write_bytes(b"other")

    assert any_store.get(stored.sha256) == b"hello"


def test_a_file_that_is_not_there_cannot_be_taken(
    store: ObjectStore, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        store.take_file(tmp_path / "none", "0" * 64)
    assert files_below(folder) == []


def test_taking_heals_and_keeps_from_the_sweep_as_storing_does(
    store: ObjectStore, folder: Path, tmp_path: Path
) -> None:
    stored = store.put_bytes(b"hello")
    file_of(folder, stored.sha256).write_bytes(b"hellp")
    age(file_of(folder, stored.sha256))
    source = tmp_path / "source"
    source.write_bytes(b"hello")

    store.take_file(source, stored.sha256)

    assert store.sweep(lambda: NOTHING, DAY) == 0
    assert store.get(stored.sha256) == b"hello"


def test_a_missing_object_is_said_to_be_missing(any_store: ObjectStore, tmp_path: Path) -> None:
    sha256 = "0" * 64

    assert not any_store.exists(sha256)
    with pytest.raises(ObjectMissing, match=sha256):
        any_store.get(sha256)
    with pytest.raises(ObjectMissing):
        any_store.fetch(sha256, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_key_is_a_sha256_and_nothing_else(any_store: ObjectStore) -> None:
    with pytest.raises(ValueError, match="not a sha256"):
        any_store.get("../../etc/passwd")


@pytest.mark.parametrize("damage", [b"", b"hellp", b"hello, and more"])
def test_a_damaged_object_is_refused_and_healed_by_storing_it_again(
    store: ObjectStore, folder: Path, tmp_path: Path, damage: bytes
) -> None:
    stored = store.put_bytes(b"hello")
    file_of(folder, stored.sha256).write_bytes(damage)

    with pytest.raises(ObjectDamaged, match=stored.sha256):
        store.get(stored.sha256)
    with pytest.raises(ObjectDamaged):
        store.fetch(stored.sha256, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]

    store.put_bytes(b"hello")
    assert store.get(stored.sha256) == b"hello"


def test_a_reader_never_gets_the_last_piece_of_a_damaged_object(
    store: ObjectStore, folder: Path
) -> None:
    data = os.urandom(20 << 20)
    stored = store.put_bytes(data)
    file_of(folder, stored.sha256).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    received = 0
    with pytest.raises(ObjectDamaged):  # noqa: PT012
        for piece in store.stream(stored.sha256):
            received += len(piece)

    assert 0 < received < len(data)


def test_a_folder_is_made_for_its_owner_alone(store: ObjectStore, folder: Path) -> None:
    store.put_bytes(b"hello")

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_exists_keeps_its_permissions(folder: Path) -> None:
    folder.mkdir(mode=0o755)

    ObjectStore.open(folder.as_uri())

    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "url",
    ["/var/lib/store", "store", "ftp://host/x", "http://host/x", "file://host/x", "file:", ""],
)
def test_a_url_that_is_not_a_store_is_explained(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket"):
        ObjectStore.open(url)


def test_a_cloud_store_that_lacks_settings_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ValueError, match="Account must be specified"):
        ObjectStore.open("az://container/prefix")


def test_any_store_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")

    for url in ("az://container/prefix", "gs://bucket/prefix", "s3://bucket/prefix", "memory://"):
        assert "ObjectStore" in repr(ObjectStore.open(url))


@pytest.mark.linux
@pytest.mark.parametrize("way", ["put_bytes", "take_file"])
def test_a_write_is_synced_to_the_disk_before_it_takes_its_place(
    store: ObjectStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"hello")
    sha256 = hashlib.sha256(b"hello").hexdigest()
    synced: list[str] = []
    sync, rename = os.fsync, obstore.rename

    def noting_sync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(folder)))
        sync(descriptor)

    def noting_rename(backend: obstore.store.ObjectStore, old: str, new: str) -> None:
        synced.append("move")
        rename(backend, old, new)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(obstore, "rename", noting_rename)
    if way == "put_bytes":
        store.put_bytes(b"hello")
    else:
        store.take_file(source, sha256)

    assert synced[0].startswith("incoming/")
    assert synced[1:] == [".", "objects", "move", f"objects/{sha256[:2]}"]


def test_a_file_that_ends_in_an_error_leaves_nothing(
    store: ObjectStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(100))

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", broken)
    for put in (store.put_file, partial(store.take_file, sha256="0" * 64)):
        with pytest.raises(StoreUnavailable):
            put(source)
        assert files_below(folder) == []


def test_a_store_that_cannot_be_written_says_so_without_inner_words(
    store: ObjectStore, folder: Path
) -> None:
    folder.rmdir()
    folder.write_text("not a folder")

    with pytest.raises(StoreUnavailable) as caught:
        store.put_bytes(b"hello")

    assert caught.value.status == 503
    assert str(folder) not in caught.value.detail


def test_the_sweep_takes_what_is_old_and_unreferenced(store: ObjectStore, folder: Path) -> None:
    kept, old, young = (store.put_bytes(word) for word in (b"kept", b"old", b"young"))
    age(file_of(folder, kept.sha256))
    age(file_of(folder, old.sha256))

    assert store.sweep(lambda: {kept.sha256}, DAY) == 1
    assert [store.exists(each.sha256) for each in (kept, old, young)] == [True, False, True]


def test_the_sweep_takes_leftovers_of_broken_writes(store: ObjectStore, folder: Path) -> None:
    (folder / "incoming").mkdir()
    for name in ("old", "old#1", "young", "young#1"):
        (folder / "incoming" / name).write_bytes(b"left")
    age(folder / "incoming" / "old")
    age(folder / "incoming" / "old#1")

    assert store.sweep(lambda: NOTHING, DAY) == 2
    assert {path.name for path in files_below(folder)} == {"young", "young#1"}


def test_the_sweep_passes_over_a_write_that_ends_meanwhile(
    store: ObjectStore, folder: Path
) -> None:
    incoming = folder / "incoming"
    incoming.mkdir()
    (incoming / "moved#1").symlink_to(incoming / "gone")  # listed, but no longer there
    assert store.sweep(lambda: NOTHING, DAY) == 0


def test_an_object_stored_again_during_the_sweep_stays(store: ObjectStore, folder: Path) -> None:
    stored = store.put_bytes(b"again")
    age(file_of(folder, stored.sha256))

    def meanwhile() -> set[str]:
        store.put_bytes(b"again")
        return set()

    assert store.sweep(meanwhile, DAY) == 0
    assert store.get(stored.sha256) == b"again"


def test_what_is_committed_during_the_sweep_counts(store: ObjectStore, folder: Path) -> None:
    stored = store.put_bytes(b"hello")
    age(file_of(folder, stored.sha256))
    asked: list[list[Path]] = []

    def referenced() -> set[str]:
        asked.append(files_below(folder))
        return {stored.sha256}

    assert store.sweep(referenced, DAY) == 0
    assert asked == [[file_of(folder, stored.sha256)]]


def test_the_sweep_of_an_empty_store_asks_nobody(any_store: ObjectStore) -> None:
    def nobody() -> set[str]:
        raise AssertionError

    assert any_store.sweep(nobody, DAY) == 0


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from app.storage.object_store import ObjectStore
store = ObjectStore.open(sys.argv[1])
sync = os.fsync
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
store.put_bytes(b"hello")
"""


@pytest.fixture
def killed_writer(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, folder.as_uri()], check=False, timeout=60
    )
    assert done.returncode == -9


@pytest.mark.usefixtures("killed_writer")
def test_a_killed_writer_leaves_no_object_and_its_remains_are_swept(folder: Path) -> None:
    store = ObjectStore.open(folder.as_uri())
    sha256 = hashlib.sha256(b"hello").hexdigest()
    (left,) = files_below(folder)
    age(left)

    assert not store.exists(sha256)
    assert store.sweep(lambda: {sha256}, DAY) == 1
    assert files_below(folder) == []
