"""Test uploads that would use up what others need: disk, memory, and the time of a reader."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.database import own_database
from tests.datasets.packed_files import CSV, parquet, parquet_of_texts, spreadsheet, zeros
from tests.service import Service, eventually, running_service

MIB = 1 << 20
SPACE_BYTES = 8 * MIB
HEAD = (
    b"POST /datasets HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=limit\r\n"
)
PART = b'--limit\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
END = b"\r\n--limit--\r\n"
FORM = {"Content-Type": "multipart/form-data; boundary=limit"}


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("limits")
    with (
        own_database(cluster) as url,
        running_service(
            url,
            folder,
            max_upload_bytes=64 * MIB,
            upload_space_bytes=SPACE_BYTES,
            disk_reserve_bytes=0,
        ) as running,
    ):
        yield running


@contextmanager
def connection_to(service: Service) -> Iterator[socket.socket]:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        yield connection


def upload(service: Service, data: bytes, name: str = "a.csv") -> httpx.Response:
    return service.client.post("/datasets", files={"file": (name, data)})


def open_uploads(service: Service) -> list[Path]:
    uploads = service.settings.resolved_data_dir / "uploads"
    return [
        Path(top, name) for top, _, names in os.walk(uploads) for name in names if name != "lock"
    ]


def used(service: Service) -> int:
    return sum(path.stat().st_size for path in open_uploads(service))


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (parquet(rows=20_000_000, columns=8), "bomb.parquet", "at most 67,108,864 bytes are read"),
        (parquet_of_texts(rows=8_000_000), "texts.parquet", "memory"),
        (spreadsheet({"A1": "1", "XFD1048576": "2"}), "sparse.xlsx", "memory"),
        (zeros(70 * MIB), "zeros.csv.gz", "at most 67,108,864 bytes are read"),
    ],
    ids=["parquet", "texts", "spreadsheet", "gzip"],
)
def test_a_small_file_that_holds_much_is_refused_with_the_limit_and_leaves_nothing(
    service: Service, data: bytes, name: str, reason: str
) -> None:
    answer = upload(service, data, name)

    assert len(data) < MIB
    assert answer.status_code == 422, answer.text
    assert reason in answer.json()["detail"]
    assert open_uploads(service) == []
    assert upload(service, CSV).status_code in {200, 201}


def test_an_announced_length_that_has_no_room_is_refused_before_the_body(service: Service) -> None:
    with connection_to(service) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (SPACE_BYTES + 1))
        answer = connection.recv(65536)  # no byte of the body was sent

    assert answer.startswith(b"HTTP/1.1 507 ")


def test_a_body_without_a_length_is_refused_when_there_is_no_room_for_more(
    service: Service,
) -> None:
    def body() -> Iterator[bytes]:
        yield PART + b"Date,Open\n"
        for _ in range(63):
            yield b"2017-01-01,1.25\n" * (MIB // 16)

    answer = service.client.post("/datasets", content=body(), headers=FORM)

    assert answer.status_code == 507
    assert "STEPAHEAD_UPLOAD_SPACE_BYTES" in answer.json()["detail"]
    eventually(lambda: not open_uploads(service))


def test_an_upload_waits_for_the_room_that_another_holds(service: Service) -> None:
    text = b"a line of text\n" * 300_000

    with connection_to(service) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (7 * MIB))
        connection.sendall(PART + b"0" * (6 * MIB))
        # the rest is written together with the next bytes
        eventually(lambda: used(service) >= 5 * MIB)
        refused = upload(service, text, "a.txt")
    eventually(lambda: not open_uploads(service))
    taken = upload(service, b"a line of text\n" * 100_000, "a.txt")

    assert refused.status_code == 507, refused.text
    assert "STEPAHEAD_UPLOAD_SPACE_BYTES" in refused.json()["detail"]
    assert taken.status_code == 201


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Yield a file system of its own, in memory."""
    folder.mkdir()
    command = ["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("only root of a whole machine can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, leaving: int) -> Path:
    """Fill the rest of a disk with a file."""
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    ballast.write_bytes(b"0" * max(0, free - leaving))
    return ballast


def test_a_full_disk_is_reported_and_uploads_work_again_when_there_is_room(
    cluster: tuple[str, str], tmp_path: Path
) -> None:
    text = b"a text that is read and kept\n" * 100_000
    with (
        small_disk(tmp_path / "disk", 16 * MIB) as disk,
        own_database(cluster) as url,
        running_service(url, disk / "data", disk_reserve_bytes=0) as service,
    ):
        answers = []
        for leaving in (4 * MIB, MIB, 0):  # no room for the content, the upload, or a folder
            ballast = fill(disk, leaving=leaving)
            answers.append(upload(service, text, "a.txt"))
            ballast.unlink()
        chunked = MIB * 5
        ballast = fill(disk, leaving=chunked)
        pieces = [PART, *[text] * 4, END]
        answers.append(service.client.post("/datasets", content=iter(pieces), headers=FORM))
        ballast.unlink()

        assert [answer.status_code for answer in answers] == [507] * 4
        assert all("disk full" in answer.json()["detail"] for answer in answers)
        assert open_uploads(service) == []
        stored = service.settings.resolved_data_dir / "store"
        assert [path for path in stored.rglob("*") if path.is_file()] == []
        assert upload(service, text, "a.txt").status_code == 201


def test_a_full_disk_of_the_store_is_reported_and_uploads_work_again_when_there_is_room(
    cluster: tuple[str, str], tmp_path: Path
) -> None:
    text = b"a text that is read and kept\n" * 100_000
    with (
        small_disk(tmp_path / "disk", 16 * MIB) as disk,
        own_database(cluster) as url,
        running_service(
            url, tmp_path / "data", store_url=(disk / "store").as_uri(), disk_reserve_bytes=0
        ) as service,
    ):
        ballast = fill(disk, leaving=MIB)
        refused = upload(service, text, "a.txt")
        left = [path for path in (disk / "store").rglob("*") if path.is_file()]
        ballast.unlink()
        taken = upload(service, text, "a.txt")

    assert refused.status_code == 507, refused.text
    assert "disk full" in refused.json()["detail"]
    assert left == []
    assert taken.status_code == 201
