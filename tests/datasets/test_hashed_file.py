import os
from hashlib import sha256
from pathlib import Path

import pytest

from app.datasets.hashed_file import SYNC_BYTES, HashedFile, write_hashed


@pytest.fixture
def sizes_synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the size of a file on the disk each time it is synced."""
    sizes: list[int] = []
    sync = os.fsync

    def noting_sync(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting_sync)
    return sizes


@pytest.mark.parametrize("size", [0, 1, SYNC_BYTES - 1, SYNC_BYTES, 2 * SYNC_BYTES + 1])
def test_what_is_written_is_hashed(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    assert write_hashed(tmp_path / "new", data) == sha256(data).hexdigest()
    assert (tmp_path / "new").read_bytes() == data


def test_a_large_file_goes_to_the_disk_bit_by_bit(tmp_path: Path, sizes_synced: list[int]) -> None:
    write_hashed(tmp_path / "new", bytes(3 * SYNC_BYTES + 10))
    assert sizes_synced == [SYNC_BYTES, 2 * SYNC_BYTES, 3 * SYNC_BYTES]


def test_a_file_written_in_small_pieces_is_synced_as_seldom(
    tmp_path: Path, sizes_synced: list[int]
) -> None:
    file = HashedFile(tmp_path / "new")
    for _ in range(40):
        file.write(memoryview(bytes(SYNC_BYTES // 16)))
    file.close()
    assert sizes_synced == [SYNC_BYTES, 2 * SYNC_BYTES]
    assert file.size == (tmp_path / "new").stat().st_size == 40 * SYNC_BYTES // 16


def test_a_small_file_is_left_to_the_kernel(tmp_path: Path, sizes_synced: list[int]) -> None:
    write_hashed(tmp_path / "new", b"hello")
    assert sizes_synced == []


def test_no_file_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        HashedFile(tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"old"


def test_what_is_there_makes_room_and_is_not_changed_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "stored").write_bytes(b"old")
    (tmp_path / "old").hardlink_to(tmp_path / "stored")
    write_hashed(tmp_path / "old", b"new")
    assert (tmp_path / "old").read_bytes() == b"new"
    assert (tmp_path / "stored").read_bytes() == b"old"
