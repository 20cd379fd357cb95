import os
import signal
import threading
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from app.storage.embedded import (
    BinariesMissing,
    DataDirectoryInUse,
    DiskFull,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    PathTooLong,
    StartFailed,
    WrongMajorVersion,
)
from app.storage.embedded.leftovers import postgres_processes
from app.storage.embedded.lock import DirectoryLock
from app.storage.engine import conninfo
from tests.service import eventually
from tests.storage.embedded.conftest import Make


def one(url: str, query: str) -> object:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def do(url: str, statement: str) -> None:
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(statement.encode())


def kill(embedded: EmbeddedPostgres) -> None:
    assert embedded.pid is not None
    os.kill(embedded.pid, signal.SIGKILL)
    while embedded.alive():
        time.sleep(0.01)


def fake_binaries(folder: Path, *, initdb: str) -> Path:
    folder.mkdir(mode=0o755)
    for name, body in (("postgres", "echo 'postgres (PostgreSQL) 18.9'"), ("initdb", initdb)):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return folder


def test_the_database_is_made_once_and_found_again(make: Make, place: Path) -> None:
    embedded = make(place / "data")
    do(embedded.start(), "CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop()
    assert not embedded.alive()
    assert embedded.pid is None

    again = make(place / "data")
    assert again.start() == embedded.url
    assert one(again.url, "SELECT answer FROM kept") == 42


@pytest.mark.parametrize("programs", ["packaged", "given"])
def test_it_is_durable_utc_utf8_and_without_tcp(
    make: Make, place: Path, programs: str, other_major: Path
) -> None:
    bin_dir = other_major if programs == "given" else None
    url = make(place / "data", bin_dir=bin_dir).start()
    settings = {
        "listen_addresses": "",
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }
    assert {name: one(url, f"SHOW {name}") for name in settings} == settings
    assert one(url, "SELECT 'B' < 'a'") is True  # order of code points, not of a language
    assert one(
        url, "SELECT current_user || rolsuper FROM pg_roles WHERE rolname = current_user"
    ) == ("stepaheadfalse")


def test_ctrl_c_in_a_terminal_does_not_reach_it(make: Make, used: Path) -> None:
    embedded = make(used)
    embedded.start()
    assert embedded.pid is not None
    assert os.getsid(embedded.pid) == embedded.pid


def test_start_while_it_runs_changes_nothing(make: Make, used: Path) -> None:
    embedded = make(used)
    embedded.start()
    pid = embedded.pid
    embedded.start()
    assert embedded.pid == pid


def test_as_a_context_it_runs_inside_and_stops_after(used: Path, place: Path) -> None:
    with EmbeddedPostgres(used, slots=place / "slots") as embedded:
        assert one(embedded.url, "SELECT 1") == 1
        cluster = used / "postgres" / "cluster"
        assert embedded.pid in postgres_processes(cluster)
    # The log's process ends last, when the others have closed its pipe.
    eventually(lambda: not postgres_processes(cluster))


def test_url_before_the_start_is_an_error(place: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match="start"):
        _ = EmbeddedPostgres(place / "data").url


def test_killed_while_writing_it_starts_again_with_every_acknowledged_row(
    make: Make, used: Path
) -> None:
    embedded = make(used)
    url = embedded.start()
    do(url, "CREATE TABLE written (number bigint)")
    acknowledged: list[int] = []
    enough = threading.Event()

    def write() -> None:
        with psycopg.connect(conninfo(url), autocommit=True) as connection:
            for number in range(1, 1_000_000):
                try:
                    connection.execute("INSERT INTO written VALUES (%s)", (number,))
                except psycopg.OperationalError:
                    return
                acknowledged.append(number)
                if number > 100:
                    enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(60)
    kill(embedded)
    with pytest.raises(DataDirectoryInUse):  # the lock is kept during the crash
        make(used).start()
    assert embedded.start() == url
    writer.join(60)
    rows = one(url, "SELECT count(*) FROM written")
    assert isinstance(rows, int)
    assert len(acknowledged) <= rows <= len(acknowledged) + 1


def test_a_second_service_is_told_who_holds_the_directory(make: Make, used: Path) -> None:
    make(used).start()
    with pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()} on .*STEPAHEAD_DATA_DIR"):
        make(used).start()


def test_a_stopped_service_lets_go(make: Make, used: Path) -> None:
    embedded = make(used)
    embedded.start()
    embedded.stop()
    make(used).start()


def test_a_long_path_gets_a_private_socket_directory_that_does_not_move(
    make: Make, used: Path, place: Path
) -> None:
    embedded = make(used.rename(place / ("long-" * 40)))
    url = embedded.start()
    directory = Path(str(make_url(url).query["host"]))
    assert not directory.is_relative_to(place)
    assert directory.stat().st_mode & 0o777 == 0o700
    kill(embedded)
    assert embedded.start() == url
    embedded.stop()
    assert not directory.exists()


def test_a_path_with_signs_that_urls_and_settings_split_at(
    make: Make, used: Path, place: Path
) -> None:
    odd = used.rename(place / "a, 'b' \"c\":ü")
    assert one(make(odd).start(), "SELECT 1") == 1


def test_a_path_longer_than_postgresql_takes_is_explained(make: Make, place: Path) -> None:
    with pytest.raises(PathTooLong, match="STEPAHEAD_DATA_DIR"):
        make(place.joinpath(*["x" * 200] * 5)).start()
    with pytest.raises(PathTooLong, match="STEPAHEAD_DATA_DIR"):
        make(place / ("x" * 300)).start()


def test_a_pid_file_that_names_another_program_does_not_stop_it(make: Make, used: Path) -> None:
    embedded = make(used)
    embedded.start()
    kill(embedded)
    pid_file = used / "postgres" / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))
    embedded.start()
    assert one(embedded.url, "SELECT 1") == 1


def test_what_an_interrupted_start_left_is_removed_and_never_taken_for_a_cluster(
    make: Make, used: Path
) -> None:
    embedded = make(used)
    home = used / "postgres"
    (home / "cluster").rename(home / "cluster.new-0badcafe")
    url = embedded.start()
    assert one(url, "SELECT count(*) FROM pg_database WHERE datname = 'stepahead'") == 1
    assert sorted(path.name for path in home.glob("cluster*")) == ["cluster"]


def test_another_major_is_recognised_and_not_touched(
    make: Make, place: Path, other_major: Path
) -> None:
    embedded = make(place / "data", bin_dir=other_major)
    embedded.start()
    embedded.stop()
    before = changed_at(place / "data")
    with pytest.raises(WrongMajorVersion, match=r"PostgreSQL 16, .* PostgreSQL 18"):
        make(place / "data").start()
    assert changed_at(place / "data") == before


def changed_at(folder: Path) -> dict[Path, int]:
    """Return when each file was changed last, without the logs, whose writer ends last."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix != ".log"}


def test_a_full_disk_is_named_and_leaves_no_half_made_cluster(make: Make, place: Path) -> None:
    full = "[ $1 = --version ] || { echo 'initdb: error: No space left on device'; exit 1; }"
    embedded = make(place / "data", bin_dir=fake_binaries(place / "bin", initdb=full))
    with pytest.raises(DiskFull, match="Make room"):
        embedded.start()
    assert list((place / "data" / "postgres").glob("cluster*")) == []
    DirectoryLock(place / "data").acquire()  # the lock was released


def test_what_postgresql_says_of_its_failure_is_passed_on(make: Make, used: Path) -> None:
    embedded = make(used)
    (used / "postgres" / "cluster" / "global" / "pg_control").unlink()
    with pytest.raises(StartFailed, match="pg_control"):
        embedded.start()
    assert not embedded.alive()


def test_no_postgresql_is_explained(make: Make, place: Path) -> None:
    with pytest.raises(BinariesMissing, match="STEPAHEAD_DATABASE_URL"):
        make(place / "data", bin_dir=place).start()
    old = fake_binaries(place / "bin", initdb="true")
    (old / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.1'\n")
    with pytest.raises(BinariesMissing, match="15 or later"):
        make(place / "data", bin_dir=old).start()
    assert not (place / "data").exists()


def test_an_operators_settings_are_kept(make: Make, used: Path) -> None:
    embedded = make(used)
    with (used / "postgres" / "cluster" / "postgresql.conf").open("a") as file:
        file.write("work_mem = 9MB\nlisten_addresses = '127.0.0.1'\nfsync = off\n")
    url = embedded.start()
    assert one(url, "SHOW work_mem") == "9MB"
    assert one(url, "SHOW listen_addresses") == ""
    assert one(url, "SHOW fsync") == "on"


def test_pg_variables_of_the_caller_do_not_reach_the_server(
    make: Make, used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LC_ALL", "xx_XX")
    assert one(make(used).start(), "SELECT 1") == 1
