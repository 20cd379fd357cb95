from pathlib import Path

import pytest

from app.storage.embedded import DataDirectoryInUse, EmbeddedPostgresError
from app.storage.embedded.lock import DirectoryLock


def test_one_holder_at_a_time_with_its_address(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path, address="127.0.0.1:8000")
    first.acquire()
    first.acquire()
    second = DirectoryLock(tmp_path)
    with pytest.raises(DataDirectoryInUse, match=r"127\.0\.0\.1:8000"):
        second.acquire()
    assert not second.held
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_a_holder_that_is_not_described_yet(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    first.acquire()
    (tmp_path / "lock").write_text("")
    with pytest.raises(DataDirectoryInUse, match="another Stepahead\\. Stop"):
        DirectoryLock(tmp_path).acquire()
    first.release()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(EmbeddedPostgresError, match="lock"):
        DirectoryLock(tmp_path).acquire()
    assert (tmp_path / "target").read_text() == "precious"
