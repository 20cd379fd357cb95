import os
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from app.datasets.reader_process import ReaderProcess, ReaderStopped, ReadFile
from app.errors import Unavailable
from app.reading.content import TextContent, content_from_bytes
from app.reading.read_options import ReadOptions
from app.reading.report import UnreadableFile

FAKE = "tests.datasets.fake_reader"


@pytest.fixture
def reader() -> Iterator[ReaderProcess]:
    process = ReaderProcess(max_upload_bytes=1 << 20, module=FAKE)
    process.start()
    yield process
    process.close()


def read(reader: ReaderProcess, folder: Path, text: str) -> ReadFile:
    path = folder / "part0"
    path.write_text(text)

    async def reading() -> ReadFile:
        return await reader.read(
            path, filename="a.txt", options=ReadOptions(kind="text"), folder=folder
        )

    return anyio.run(reading)


def process_of(answer: ReadFile) -> int:
    return int(answer.report.kind_reason.split()[-1])


def test_files_are_read_by_one_warm_process(reader: ReaderProcess, tmp_path: Path) -> None:
    first = read(reader, tmp_path, "hello")
    second = read(reader, tmp_path, "hello again")

    assert content_from_bytes(second.content.read_bytes()) == TextContent(text="hello again")
    assert second.content.parent == tmp_path
    assert first.report.kind_reason.startswith('a.txt {"kind":"text"} ')
    assert process_of(first) == process_of(second) != os.getpid()


def test_a_file_that_cannot_be_used_is_refused_with_its_report(
    reader: ReaderProcess, tmp_path: Path
) -> None:
    with pytest.raises(UnreadableFile, match="row 3") as caught:
        read(reader, tmp_path, "refuse")

    problem = caught.value.problem()
    assert problem["status"] == 422
    assert problem["errors"][0]["column"] == "Open"
    assert problem["report"]["warnings"] == ["odd"]


@pytest.mark.parametrize(("text", "reason"), [("die", "SIGKILL"), ("exit", "exit code 3")])
def test_a_reader_that_breaks_is_an_error_of_that_file_alone(
    reader: ReaderProcess, tmp_path: Path, text: str, reason: str
) -> None:
    before = process_of(read(reader, tmp_path, "hello"))

    with pytest.raises(ReaderStopped, match=reason):
        read(reader, tmp_path, text)

    assert process_of(read(reader, tmp_path, "hello")) != before


def test_a_reader_killed_from_outside_is_not_the_files_fault(
    reader: ReaderProcess, tmp_path: Path
) -> None:
    before = process_of(read(reader, tmp_path, "hello"))
    (tmp_path / "unpacked").unlink()

    answer = read(reader, tmp_path, "die once")

    assert process_of(answer) != before


def test_a_file_that_takes_too_much_memory_is_said_to(
    reader: ReaderProcess, tmp_path: Path
) -> None:
    with pytest.raises(ReaderStopped, match="GiB of memory"):
        read(reader, tmp_path, "large")


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    reader = ReaderProcess(max_upload_bytes=1, module=FAKE, least_seconds=0.5)

    with pytest.raises(ReaderStopped, match="given up after"):
        read(reader, tmp_path, "hang")

    reader.close()


def test_uploads_wait_for_each_other_while_the_event_loop_goes_on(
    reader: ReaderProcess, tmp_path: Path
) -> None:
    answers: list[ReadFile] = []
    ticks = 0

    async def one(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "part0").write_text(f"text {number}")
        answers.append(
            await reader.read(folder / "part0", filename=None, options=ReadOptions(), folder=folder)
        )

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


def test_closing_ends_a_reading_that_goes_on(reader: ReaderProcess, tmp_path: Path) -> None:
    path = tmp_path / "part0"
    path.write_text("hang")

    async def closed_meanwhile() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading)
            while not (tmp_path / "unpacked").exists():  # noqa: ASYNC110 - another process makes it
                await anyio.sleep(0.01)
            reader.close()

    async def reading() -> None:
        with pytest.raises(ReaderStopped):
            await reader.read(path, filename=None, options=ReadOptions(), folder=tmp_path)

    anyio.run(closed_meanwhile)
    with pytest.raises(Unavailable):
        read(reader, tmp_path, "hello")


def test_a_reader_that_does_not_start_is_unavailable(tmp_path: Path) -> None:
    reader = ReaderProcess(max_upload_bytes=1, module="tests.datasets.no_such_module")

    with pytest.raises(Unavailable, match="does not start"):
        read(reader, tmp_path, "hello")
