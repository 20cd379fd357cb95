import json
from pathlib import Path

import pytest

from app.storage.embedded import DataDirectoryDamaged, EmbeddedPostgresError, NewerDataDirectory
from app.storage.embedded.account import Account
from app.storage.embedded.binaries import Binaries
from app.storage.embedded.cluster import check_major, create_cluster
from app.storage.embedded.format import FORMAT, MARK, check_format, write_format
from app.storage.embedded.site import Site, find_site
from tests.storage.embedded.conftest import Make


def test_a_data_directory_is_marked_with_its_format(tmp_path: Path) -> None:
    assert not check_format(tmp_path)
    write_format(tmp_path)
    assert check_format(tmp_path)
    assert json.loads((tmp_path / MARK).read_text())["format"] == FORMAT


def test_a_newer_data_directory_is_explained_and_not_touched(make: Make, place: Path) -> None:
    data_dir = place / "data"
    data_dir.mkdir()
    (data_dir / MARK).write_text(json.dumps({"format": FORMAT + 1, "written_by": "9.8.7"}))
    with pytest.raises(NewerDataDirectory, match=r"newer Stepahead \(9\.8\.7, format 2"):
        make(data_dir).start()
    assert [path.name for path in data_dir.iterdir()] == [MARK]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "1"}', "\0\xff"])
def test_a_mark_that_cannot_be_understood_is_explained(tmp_path: Path, text: str) -> None:
    (tmp_path / MARK).write_text(text, encoding="latin-1")
    with pytest.raises(DataDirectoryDamaged, match="backup"):
        check_format(tmp_path)


def test_a_data_directory_that_is_a_file_is_explained(make: Make, place: Path) -> None:
    (place / "data").write_text("no directory")
    with pytest.raises(EmbeddedPostgresError, match="Not a directory"):
        make(place / "data").start()


def test_a_loop_of_links_is_explained(make: Make, place: Path) -> None:
    (place / "data").symlink_to(place / "data")
    with pytest.raises(EmbeddedPostgresError, match=r"loop|symbolic links"):
        make(place / "data").start()


def test_a_moved_data_directory_works(make: Make, used: Path, place: Path) -> None:
    used.rename(place / "after")
    make(place / "after").start()


def test_a_lost_relocated_database_is_not_replaced_by_an_empty_one(make: Make, place: Path) -> None:
    data_dir = place / "data"
    data_dir.mkdir(mode=0o711)
    record = {"home": str(place / "gone" / "postgres"), "complete": True}
    (data_dir / "postgres.json").write_text(json.dumps(record))
    with pytest.raises(DataDirectoryDamaged, match="Put it back"):
        make(data_dir).start()
    (data_dir / "postgres.json").write_text("{")
    with pytest.raises(DataDirectoryDamaged, match="is not valid"):
        find_site(data_dir)


def test_a_folder_that_is_not_a_cluster_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "something").write_text("of the user's")
    binaries = Binaries(bin_dir=tmp_path, major=18)
    with pytest.raises(DataDirectoryDamaged, match="no PG_VERSION"):
        check_major(tmp_path, binaries)


def test_an_existing_cluster_keeps_its_owner(used: Path, tmp_path: Path) -> None:
    assert find_site(tmp_path) is None
    site = find_site(used)
    assert site is not None
    assert site.cluster == used / "postgres" / "cluster"
    assert site.account.uid == site.cluster.stat().st_uid != 0


def test_a_user_without_a_name_cannot_make_a_cluster(tmp_path: Path) -> None:
    nameless = Account(uid=54321, gid=54321, name=None)
    site = Site(home=tmp_path, account=nameless, relocated=False)
    with pytest.raises(EmbeddedPostgresError, match=r"user id 54321 has none.*_DATABASE_URL"):
        create_cluster(site, Binaries(bin_dir=tmp_path, major=18))
