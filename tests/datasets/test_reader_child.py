import gzip
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

import pytest

from app.datasets.reader_child import without_paths
from app.datasets.reader_messages import (
    DiskFull,
    Limits,
    Order,
    OutOfMemory,
    ReadRequest,
    Ready,
    Refused,
    TooHeavy,
    Understood,
)
from app.datasets.reader_process import ENVIRONMENT
from app.reading.content import SeriesContent, content_from_bytes
from app.reading.read_options import ReadOptions
from tests.datasets.packed_files import (
    archive,
    damaged,
    parquet,
    parquet_of_texts,
    spreadsheet,
    write,
    zeros,
)

PATIENCE_SECONDS = 60
AMPLE = Limits(unpacked_bytes=1 << 30, memory_bytes=4 << 30, cpu_seconds=60, file_bytes=1 << 30)


class Reader:
    """The real reader, with our end of its pipe."""

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "app.datasets.reader_child"),
                    *("--fd", str(theirs.fileno())),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **ENVIRONMENT},
            )
        assert received(self.pipe) == Ready()

    def ask(self, path: Path, *, limits: Limits = AMPLE, **options: object) -> object:
        self.pipe.send(order_for(path, limits, **options))
        return received(self.pipe)

    def break_on(self, path: Path, *, limits: Limits) -> signal.Signals:
        """Return the signal that ends the reader on this file."""
        self.pipe.send(order_for(path, limits))
        with pytest.raises(EOFError):
            received(self.pipe)
        return signal.Signals(-self.process.wait(PATIENCE_SECONDS))

    def end(self) -> None:
        self.pipe.close()
        if self.process.returncode is None:
            assert self.process.wait(PATIENCE_SECONDS) == 0


def received(pipe: Connection) -> object:
    assert pipe.poll(PATIENCE_SECONDS)
    return pipe.recv()


def order_for(path: Path, limits: Limits, **options: object) -> Order:
    request = ReadRequest(
        path=path,
        filename="as the client calls it",
        options=ReadOptions(**options),  # type: ignore[arg-type]
        content_path=path.with_suffix(".content"),
        temporary_folder=path.parent,
    )
    return Order(request=request, limits=limits)


@pytest.fixture
def reader() -> Iterator[Reader]:
    started = Reader()
    yield started
    started.end()


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.csv"
    days = (f"2017-01-{day:02d},{day}.5" for day in range(1, 32))
    path.write_text("\n".join(["Date,Open", *days]))
    return path


def test_it_takes_the_place_of_one_that_broke(reader: Reader, prices: Path) -> None:
    prices.with_suffix(".content").write_bytes(b"half of it")
    answer = reader.ask(prices)
    assert isinstance(answer, Understood)
    content = prices.with_suffix(".content").read_bytes()
    assert answer.sha256 == hashlib.sha256(content).hexdigest()
    assert isinstance(content_from_bytes(content), SeriesContent)


def test_it_reads_one_file_after_another(reader: Reader, prices: Path) -> None:
    first = reader.ask(prices)
    prices.write_text("")
    second = reader.ask(prices)
    prices.write_text("a text of some words")
    third = reader.ask(prices, kind="series")

    assert isinstance(first, Understood)
    assert first.report["rows_used"] == 31
    content = content_from_bytes(prices.with_suffix(".content").read_bytes())
    assert isinstance(content, SeriesContent)
    assert isinstance(second, Refused)
    assert "empty" in second.detail
    assert isinstance(third, Refused)
    assert third.report["kind"] in {"series", None}


def test_ctrl_c_in_the_terminal_is_not_for_it(reader: Reader, prices: Path) -> None:
    reader.process.send_signal(signal.SIGINT)

    assert isinstance(reader.ask(prices), Understood)


def test_the_kernel_is_to_end_it_first(reader: Reader) -> None:
    score = Path(f"/proc/{reader.process.pid}/oom_score_adj")
    if not score.exists():
        pytest.skip("this system has no such score")

    assert score.read_text().strip() == "1000"


def test_a_file_that_needs_more_memory_than_it_may_have_is_told_apart(
    reader: Reader, tmp_path: Path, prices: Path
) -> None:
    texts = write(tmp_path, "texts.parquet", parquet_of_texts(rows=1_000_000))

    answer = reader.ask(texts, limits=replace(AMPLE, memory_bytes=200 << 20))

    assert isinstance(answer, OutOfMemory)
    assert isinstance(reader.ask(prices), Understood)  # it continues with other files


def test_a_spreadsheet_of_two_cells_far_apart_takes_no_more_memory_than_it_may_have(
    reader: Reader, tmp_path: Path
) -> None:
    sparse = write(tmp_path, "sparse.xlsx", spreadsheet({"A1": "1", "XFD1048576": "2"}))

    assert reader.break_on(sparse, limits=AMPLE) == signal.SIGABRT


def test_a_file_that_takes_more_processor_time_than_it_may_ends_the_reader(
    reader: Reader, tmp_path: Path
) -> None:
    rows = b"".join(b"%d,2017-01-01T00:00:%02d\n" % (row, row % 60) for row in range(3_000_000))
    slow = write(tmp_path, "slow.csv", b"value,when\n" + rows)

    assert reader.break_on(slow, limits=replace(AMPLE, cpu_seconds=1)) == signal.SIGXCPU


@pytest.mark.parametrize(
    "data",
    [
        parquet(rows=30_000_000, columns=8),
        zeros(200 << 20),
        archive({"large.csv": "0" * (200 << 20)}),
        # Only its last part declares its size.
        zeros(200 << 20) + gzip.compress(b"1"),
    ],
    ids=["parquet", "gzip", "zip", "two parts"],
)
def test_a_file_that_unpacks_to_more_than_the_limit_is_told_apart(
    reader: Reader, tmp_path: Path, data: bytes
) -> None:
    packed = write(tmp_path, "packed", data)

    answer = reader.ask(packed, limits=replace(AMPLE, unpacked_bytes=64 << 20))

    assert len(data) < 1 << 20
    assert isinstance(answer, TooHeavy)


@pytest.mark.parametrize("room", [0, 10_000])
def test_a_file_that_finds_no_room_to_be_unpacked_is_told_apart(
    reader: Reader, tmp_path: Path, prices: Path, room: int
) -> None:
    packed = write(tmp_path, "packed.gz", zeros(1 << 20))

    answer = reader.ask(packed, limits=replace(AMPLE, file_bytes=room))

    assert isinstance(answer, DiskFull)
    assert isinstance(reader.ask(prices), Understood)


def test_content_that_finds_no_room_is_told_apart(reader: Reader, prices: Path) -> None:
    answer = reader.ask(prices, limits=replace(AMPLE, file_bytes=100))

    assert isinstance(answer, DiskFull)


@pytest.mark.parametrize(
    "data",
    [
        parquet(rows=1000, columns=2)[:-30],
        damaged(parquet(rows=1000, columns=2)),
        b"PAR1",
        damaged(spreadsheet({"A1": "1"})),
        spreadsheet({"A1": "1"})[:-40],
        damaged(archive({"a.csv": "1,2\n" * 1000})),
        zeros(1000)[:-9],
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    ],
    ids=["cut", "damaged", "start", "damaged xlsx", "cut xlsx", "zip", "gzip", "xls"],
)
def test_the_message_about_a_broken_file_names_no_path_of_ours(
    reader: Reader, tmp_path: Path, data: bytes
) -> None:
    answer = reader.ask(write(tmp_path, "part0", data))

    assert isinstance(answer, Refused)
    assert str(tmp_path) not in f"{answer}"
    assert "/" not in answer.detail


def test_a_path_in_a_message_of_a_library_becomes_the_name_of_the_file(tmp_path: Path) -> None:
    order = order_for(tmp_path / "part0", AMPLE)
    assert isinstance(order.request, ReadRequest)
    message = f"cannot open '{tmp_path}/part0', nor {tmp_path}/stepahead-read-x/unpacked: no"

    assert without_paths(message, order.request) == (
        "cannot open 'as the client calls it', nor as the client calls it: no"
    )


def test_it_ends_with_its_api_process_in_the_middle_of_a_file(
    reader: Reader, tmp_path: Path
) -> None:
    endless = tmp_path / "endless"
    os.mkfifo(endless)

    reader.pipe.send(order_for(endless, AMPLE))

    # The fixture closes the pipe after the process has ended.
