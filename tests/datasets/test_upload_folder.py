import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings
from app.datasets.upload_folder import open_upload_folder
from app.errors import InsufficientStorage

KILLED_UPLOAD = """
import os, signal, sys
from pathlib import Path
from app.config import Settings
from app.datasets.upload_folder import open_upload_folder
with open_upload_folder(Settings(data_dir=Path(sys.argv[1]))) as uploads:
    (uploads.new_folder() / "part0").write_bytes(b"half a file")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def settings(data_dir: Path, *, space: int = 1 << 30, reserve: int = 0) -> Settings:
    return Settings(data_dir=data_dir, upload_space_bytes=space, disk_reserve_bytes=reserve)


def below(data_dir: Path) -> list[Path]:
    return [path for path in (data_dir / "uploads").iterdir() if path.is_dir()]


def test_the_folder_goes_with_its_process(tmp_path: Path) -> None:
    with open_upload_folder(settings(tmp_path)) as uploads:
        (uploads.new_folder() / "part0").write_bytes(b"something")
        assert below(tmp_path) == [uploads.path]
        assert uploads.path.stat().st_mode & 0o777 == 0o700

    assert below(tmp_path) == []


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_UPLOAD, str(tmp_path)], check=False, timeout=60
    )
    assert done.returncode == -9
    (left,) = below(tmp_path)
    assert list(left.glob("*/part0"))

    with open_upload_folder(settings(tmp_path)) as uploads:
        assert below(tmp_path) == [uploads.path]


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with open_upload_folder(settings(tmp_path)) as first:
        part = first.new_folder() / "part0"
        part.write_bytes(b"half a file")
        with open_upload_folder(settings(tmp_path)) as second:
            assert set(below(tmp_path)) == {first.path, second.path}
            assert first.new_folder() != part.parent
        assert part.read_bytes() == b"half a file"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("mine")
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "link").symlink_to(elsewhere)

    with open_upload_folder(settings(tmp_path)):
        pass

    assert (elsewhere / "precious").exists()


def test_the_uploads_of_all_processes_share_one_limit(tmp_path: Path) -> None:
    limited = settings(tmp_path, space=3 << 20)
    with open_upload_folder(limited) as one, open_upload_folder(limited) as other:
        one.require_room(3 << 20)
        (other.new_folder() / "part0").write_bytes(b"0" * (2 << 20))

        assert one.room_bytes() <= 1 << 20
        with pytest.raises(InsufficientStorage, match=r"together, 3 MiB .*UPLOAD_SPACE_BYTES"):
            one.require_room(2 << 20)

        shutil.rmtree(next(path for path in other.path.iterdir() if path.is_dir()))
        one.require_room(2 << 20)


def test_a_reserve_stays_free_on_the_disk(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free

    with open_upload_folder(settings(tmp_path, reserve=2 * free)) as uploads:
        assert uploads.room_bytes() == 0
        with pytest.raises(InsufficientStorage, match=r"disk full: .*DISK_RESERVE_BYTES"):
            uploads.require_room(0)
