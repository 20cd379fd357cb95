"""Test a start by root: PostgreSQL runs as another user, and no other directory is opened to it."""

import json
import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from app.storage.embedded import DataDirectoryDamaged, DataDirectoryForbidden
from app.storage.embedded.account import SERVICE_USER, current_account
from app.storage.embedded.binaries import PACKAGE, find_binaries
from app.storage.engine import conninfo
from tests.storage.embedded.conftest import Make

pytestmark = pytest.mark.usefixtures("as_root")

NOBODY = pwd.getpwnam("nobody")


@contextmanager
def nobody() -> Iterator[None]:
    """Act as an ordinary user."""
    os.setegid(NOBODY.pw_gid)
    os.seteuid(NOBODY.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def closed_home(place: Path) -> Path:
    """Create a home that is closed to others, like root's and those of many users."""
    home = place / "home"
    home.mkdir(mode=0o700)
    return home


def owner_of(pid: int | None) -> str:
    return pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name


def modes(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mode for path in (folder, *folder.parents)}


def test_it_runs_as_the_system_user_in_the_data_directory(
    make: Make, used: Path, place: Path
) -> None:
    embedded = make(used)
    embedded.start()
    assert owner_of(embedded.pid) == SERVICE_USER
    assert (used / "postgres" / "cluster" / "PG_VERSION").is_file()
    assert list((place / "slots").glob("*/postgres")) == []


def test_an_ordinary_user_cannot_connect_even_if_the_directory_is_opened(
    make: Make, used: Path
) -> None:
    url = make(used).start()
    with nobody(), pytest.raises(psycopg.OperationalError, match="Permission denied"):
        psycopg.connect(conninfo(url))
    home = used / "postgres"
    for path in (home, home / "socket", *(home / "socket").iterdir()):
        path.chmod(0o777)
    with nobody(), pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        psycopg.connect(conninfo(url))


def test_in_a_closed_home_the_cluster_lies_elsewhere_and_is_found_again(
    make: Make, place: Path, closed_home: Path
) -> None:
    before = modes(closed_home)
    embedded = make(closed_home / "data")
    with psycopg.connect(conninfo(embedded.start())) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    home = embedded.home
    embedded.stop()
    record = json.loads((closed_home / "data" / "postgres.json").read_text())
    assert Path(record["home"]).is_relative_to(place / "slots")
    assert home == Path(record["home"])
    assert not (closed_home / "data" / "postgres").exists()
    assert modes(closed_home) == before

    (closed_home / "data").rename(closed_home / "moved")
    with psycopg.connect(conninfo(make(closed_home / "moved").start())) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert len(list((place / "slots").iterdir())) == 1


def test_a_copy_of_a_data_directory_does_not_share_its_database(
    make: Make, closed_home: Path
) -> None:
    embedded = make(closed_home / "data")
    embedded.start()
    embedded.stop()
    shutil.copytree(closed_home / "data", closed_home / "copy")
    with pytest.raises(DataDirectoryDamaged, match="is a copy of"):
        make(closed_home / "copy").start()
    (closed_home / "copy" / "postgres.json").unlink()
    make(closed_home / "copy").start()
    embedded.start()


def test_the_database_of_a_deleted_data_directory_is_kept_and_not_used(
    make: Make, place: Path, closed_home: Path
) -> None:
    embedded = make(closed_home / "data")
    with psycopg.connect(conninfo(embedded.start())) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop()
    shutil.rmtree(closed_home / "data")
    with psycopg.connect(conninfo(make(closed_home / "data").start())) as connection:
        assert connection.execute("SELECT to_regclass('kept')").fetchone() == (None,)
    assert len(list((place / "slots").glob("*/postgres/cluster-until-*"))) == 1


def test_programs_in_a_closed_home_are_copied_and_the_cluster_stays(
    make: Make, used: Path, place: Path, closed_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = find_binaries(None, current_account()).bin_dir.parents[2]
    for name in (f"{PACKAGE}/pginstall18", f"{PACKAGE}.libs"):
        shutil.copytree(packages / name, closed_home / name)
    (closed_home / PACKAGE / "__init__.py").touch()
    before = modes(closed_home / PACKAGE / "pginstall18" / "bin" / "postgres")
    monkeypatch.setattr(sys, "path", [str(closed_home), *sys.path])

    embedded = make(used)
    embedded.start()
    program = Path(f"/proc/{embedded.pid}/exe").readlink()
    assert program.is_relative_to(place / "slots")
    assert program.stat().st_uid == 0
    assert (used / "postgres" / "cluster").is_dir()
    assert modes(closed_home / PACKAGE / "pginstall18" / "bin" / "postgres") == before

    embedded.stop()
    copied = program.stat().st_ctime_ns
    embedded.start()
    assert program.stat().st_ctime_ns == copied


def test_given_programs_that_cannot_be_reached_are_explained(
    make: Make, place: Path, closed_home: Path
) -> None:
    for name in ("postgres", "initdb"):
        (closed_home / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.9'\n")
        (closed_home / name).chmod(0o755)
    with pytest.raises(DataDirectoryForbidden, match="cannot reach its programs"):
        make(place / "data", bin_dir=closed_home).start()


def test_an_ordinary_user_after_root_is_told_whose_it_is(
    make: Make, used: Path, other_major: Path
) -> None:
    with nobody(), pytest.raises(DataDirectoryForbidden, match=f"belongs to user '{SERVICE_USER}'"):
        make(used, bin_dir=other_major).start()


def test_root_runs_an_ordinary_users_cluster_as_that_user(make: Make, used: Path) -> None:
    for path in used.rglob("*"):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    again = make(used)
    again.start()
    assert owner_of(again.pid) == "nobody"


def test_a_cluster_that_became_roots_is_explained(make: Make, used: Path) -> None:
    os.chown(used / "postgres" / "cluster", 0, 0)
    with pytest.raises(DataDirectoryForbidden, match="chown -R"):
        make(used).start()


def test_a_directory_closed_afterwards_is_explained_and_stays_closed(
    make: Make, place: Path
) -> None:
    outer = place / "outer"
    outer.mkdir(mode=0o711)
    embedded = make(outer / "data")
    embedded.start()
    embedded.stop()
    outer.chmod(0o700)
    with pytest.raises(DataDirectoryForbidden, match=r"chmod o\+x"):
        make(outer / "data").start()
    assert outer.stat().st_mode & 0o777 == 0o700


def test_a_slots_root_that_others_may_write_is_refused(
    make: Make, place: Path, closed_home: Path
) -> None:
    (place / "slots").mkdir()
    (place / "slots").chmod(0o777)
    with pytest.raises(DataDirectoryForbidden, match="writable by nobody else"):
        make(closed_home / "data").start()
