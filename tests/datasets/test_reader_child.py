import hashlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

import pytest

from app.datasets.reader_messages import (
    OutOfMemory,
    ReadRequest,
    Ready,
    Refused,
    Understood,
)
from app.reading.content import SeriesContent, content_from_bytes
from app.reading.read_options import ReadOptions

PATIENCE_SECONDS = 60


class Reader:
    """The real reader, with our end of its pipe."""

    def __init__(self, memory_bytes: int) -> None:
        self.pipe, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "app.datasets.reader_child"),
                    *("--fd", str(theirs.fileno()), "--memory-bytes", str(memory_bytes)),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        assert received(self.pipe) == Ready()

    def ask(self, path: Path, **options: object) -> object:
        self.pipe.send(request_for(path, **options))
        return received(self.pipe)

    def end(self) -> None:
        self.pipe.close()
        assert self.process.wait(PATIENCE_SECONDS) == 0


def received(pipe: Connection) -> object:
    assert pipe.poll(PATIENCE_SECONDS)
    return pipe.recv()


def request_for(path: Path, **options: object) -> ReadRequest:
    return ReadRequest(
        path=path,
        filename=path.name,
        options=ReadOptions(**options),  # type: ignore[arg-type]
        content_path=path.with_suffix(".content"),
        temporary_folder=path.parent,
    )


@pytest.fixture
def reader() -> Iterator[Reader]:
    started = Reader(8 << 30)
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


def test_a_file_that_needs_more_memory_than_it_may_have_is_said_to(
    reader: Reader, tmp_path: Path
) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"Date,Open\n" + b"2017-01-01,1.25\n" * 4_000_000)
    used = int(Path(f"/proc/{reader.process.pid}/statm").read_text().split()[0])
    limit = used * os.sysconf("SC_PAGE_SIZE") + (32 << 20)
    resource.prlimit(reader.process.pid, resource.RLIMIT_AS, (limit, limit))

    answer = reader.ask(large)

    assert isinstance(answer, OutOfMemory)


def test_it_ends_with_its_api_process_in_the_middle_of_a_file(
    reader: Reader, tmp_path: Path
) -> None:
    endless = tmp_path / "endless"
    os.mkfifo(endless)

    reader.pipe.send(request_for(endless))

    # The fixture closes the pipe and finds it ended.
