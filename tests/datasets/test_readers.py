import os
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from app.datasets.reader_messages import ErrandRequest
from app.datasets.reader_process import ReaderProcess
from app.datasets.readers import Readers, ReadFile
from app.datasets.reading_limits import Budget, ReaderStopped, ReadingLimits
from app.errors import InsufficientStorage, Unavailable
from app.process.memory import Memory
from app.reading.content import TextContent, content_from_bytes
from app.reading.read_options import ReadOptions
from app.reading.report import UnreadableFile
from tests.service import eventually

FAKE = "tests.datasets.fake_reader"
GIB = 1 << 30
IDLE = Memory(limit_bytes=8 * GIB, available_bytes=7 * GIB)
BUSY = Memory(limit_bytes=8 * GIB, available_bytes=2 * GIB)


def limits(memory: Memory = IDLE) -> ReadingLimits:
    return ReadingLimits(max_upload_bytes=GIB, room_bytes=lambda: GIB, memory=lambda: memory)


@dataclass(frozen=True)
class Wait:
    """An errand that waits until a file exists."""

    begun: Path
    until: Path

    def run(self) -> int:
        self.begun.touch()
        while not self.until.exists():
            time.sleep(0.01)
        return os.getpid()


@pytest.fixture
def readers() -> Iterator[Readers]:
    started = Readers(limits(), module=FAKE)
    started.start()
    yield started
    started.close()


def reading(readers: Readers, folder: Path, text: str) -> Callable[[], Awaitable[ReadFile]]:
    folder.mkdir(exist_ok=True)
    path = folder / "part0"
    path.write_text(text)

    async def read() -> ReadFile:
        return await readers.read(
            path, filename="a.txt", options=ReadOptions(kind="text"), folder=folder
        )

    return read


def read(readers: Readers, folder: Path, text: str) -> ReadFile:
    return anyio.run(reading(readers, folder, text))


def process_of(answer: ReadFile) -> int:
    return int(str(answer.report.sheet).split()[-1])


async def appears(path: Path) -> None:
    while not await anyio.Path(path).exists():  # noqa: ASYNC110 - another process creates it
        await anyio.sleep(0.01)


def test_small_files_are_read_by_one_warm_process(readers: Readers, tmp_path: Path) -> None:
    first = read(readers, tmp_path, "hello")
    second = read(readers, tmp_path, "hello again")

    assert content_from_bytes(second.content.read_bytes()) == TextContent(text="hello again")
    assert second.content.parent == tmp_path
    assert str(first.report.sheet).startswith('a.txt {"kind":"text"} ')
    assert process_of(first) == process_of(second) != os.getpid()


def test_a_file_that_cannot_be_used_is_refused_with_its_report(
    readers: Readers, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableFile, match="row 3") as caught:
        read(readers, tmp_path, "refuse")

    problem = caught.value.problem()
    assert problem["status"] == 422
    assert problem["errors"][0]["column"] == "Open"
    assert problem["report"]["warnings"] == ["odd"]


def test_a_file_that_unpacks_to_much_is_read_by_the_other_reader(
    readers: Readers, tmp_path: Path
) -> None:
    small, large = read(readers, tmp_path, "hello"), read(readers, tmp_path, "large")

    assert process_of(large) != process_of(small)
    assert large.report.encoding == "82 s"  # 30, and one for every 2 of the 105 MB


def test_a_small_file_does_not_wait_for_a_large_one(readers: Readers, tmp_path: Path) -> None:
    begun, until = tmp_path / "begun", tmp_path / "until"
    answers = []

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(waiting)
            await appears(begun)
            answers.append(await reading(readers, tmp_path / "small", "hello")())
            until.touch()

    async def waiting() -> None:
        await readers.run(Wait(begun, until), folder=tmp_path, cpu_seconds=60, what="waiting")

    anyio.run(both)

    assert answers[0].report.kind == "text"


def test_the_reader_of_large_files_runs_only_while_it_is_needed(tmp_path: Path) -> None:
    reader = ReaderProcess(module=FAKE, idle_seconds=0.1)
    begun, until = tmp_path / "begun", tmp_path / "until"
    was_running = [reader.is_running]

    async def ask() -> None:
        request = ErrandRequest(errand=Wait(begun, until), temporary_folder=tmp_path)
        await reader.ask(request, limits().for_small_files)

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await appears(begun)
            was_running.append(reader.is_running)
            until.touch()

    anyio.run(both)

    assert was_running == [False, True]
    eventually(lambda: not reader.is_running)
    anyio.run(ask)  # and it restarts
    reader.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SIGKILL", r"SIGKILL.* needs more than 4.0 GiB of memory"),
        ("SIGABRT", r"SIGABRT.* up to about 512 MiB unpacked fit"),
        ("SIGXCPU", r"more than 30 s of processor time"),
        ("exit", "exit code 3"),
    ],
)
def test_a_reader_that_breaks_is_an_error_of_that_file_alone(
    readers: Readers, tmp_path: Path, text: str, reason: str
) -> None:
    before = process_of(read(readers, tmp_path, "hello"))

    with pytest.raises(ReaderStopped, match=reason):
        read(readers, tmp_path, text)

    assert process_of(read(readers, tmp_path, "hello")) != before


def test_a_reader_killed_from_outside_is_not_the_files_fault(
    readers: Readers, tmp_path: Path
) -> None:
    answer = read(readers, tmp_path, "die once")

    assert answer.report.kind == "text"


def test_too_little_memory_is_reported_with_the_limit_and_what_would_fit(
    readers: Readers, tmp_path: Path
) -> None:
    with pytest.raises(ReaderStopped) as caught:
        read(readers, tmp_path, "out of memory")

    assert "more than 4.0 GiB of memory" in caught.value.detail
    assert "container with 8.0 GiB" in caught.value.detail
    assert "up to about 512 MiB unpacked fit" in caught.value.detail


def test_memory_that_others_use_is_worth_another_try(tmp_path: Path) -> None:
    readers = Readers(limits(BUSY), module=FAKE)

    with pytest.raises(Unavailable, match=r"more than 1.0 GiB of memory, and no more is free"):
        read(readers, tmp_path, "out of memory")

    readers.close()


def test_the_limit_on_unpacked_bytes_is_in_the_message(readers: Readers, tmp_path: Path) -> None:
    with pytest.raises(ReaderStopped, match=r"1,099,511,627,776 bytes; at most 1,073,741,824"):
        read(readers, tmp_path, "unpacks to a terabyte")


def test_a_full_disk_is_not_a_fault_of_the_file(readers: Readers, tmp_path: Path) -> None:
    with pytest.raises(InsufficientStorage, match="disk full"):
        read(readers, tmp_path, "disk full")


class Hasty(ReadingLimits):
    """Limits that expire at once."""

    def _budget(self, *args: object, **others: object) -> Budget:
        budget = super()._budget(*args, **others)  # type: ignore[arg-type]
        return Budget(
            limits=budget.limits,
            memory=budget.memory,
            memory_is_short=budget.memory_is_short,
            wall_seconds=0.5,
        )


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    hasty = Hasty(max_upload_bytes=GIB, room_bytes=lambda: GIB, memory=lambda: IDLE)
    readers = Readers(hasty, module=FAKE)

    with pytest.raises(ReaderStopped, match="given up after"):
        read(readers, tmp_path, "hang")

    readers.close()


def test_files_wait_for_each_other_without_blocking_the_event_loop(
    readers: Readers, tmp_path: Path
) -> None:
    answers: list[ReadFile] = []
    ticks = 0

    async def one(number: int) -> None:
        answers.append(await reading(readers, tmp_path / str(number), f"text {number}")())

    async def several() -> None:
        nonlocal ticks
        async with anyio.create_task_group() as tasks:
            for number in range(5):
                tasks.start_soon(one, number)
            while len(answers) < 5:
                ticks += 1
                await anyio.sleep(0.001)

    anyio.run(several)

    assert ticks > 1
    assert len({process_of(each) for each in answers}) == 1


def test_closing_ends_a_running_read(readers: Readers, tmp_path: Path) -> None:
    read_hanging = reading(readers, tmp_path, "hang")

    async def closed_meanwhile() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hanging)
            await appears(tmp_path / "left by small")
            readers.close()

    async def hanging() -> None:
        with pytest.raises(Unavailable):
            await read_hanging()

    anyio.run(closed_meanwhile)
    with pytest.raises(Unavailable):
        read(readers, tmp_path, "hello")


def test_a_reader_that_does_not_start_is_unavailable(tmp_path: Path) -> None:
    readers = Readers(limits(), module="tests.datasets.no_such_module")

    with pytest.raises(Unavailable, match="does not start"):
        read(readers, tmp_path, "hello")


def test_limits_follow_the_memory_of_a_small_container() -> None:
    small = limits(Memory(limit_bytes=GIB, available_bytes=GIB // 2))

    assert small.for_small_files().limits.memory_bytes == GIB // 8
    assert small.for_large_files(0).limits.memory_bytes == GIB // 2 - GIB // 8
    assert not small.for_large_files(0).memory_is_short
