import subprocess
import sys
import threading
from pathlib import Path

from app.process.notice_board import NoticeBoard, read_notices

READER = """
import sys
from app.process.notice_board import read_notices
print(*read_notices(int(sys.argv[1])))
"""


def test_a_child_reads_what_was_written_last() -> None:
    with NoticeBoard() as board:
        command = [sys.executable, "-c", READER, str(board.descriptor)]

        def read() -> str:
            return subprocess.run(
                command, pass_fds=[board.descriptor], check=True, capture_output=True, text=True
            ).stdout

        assert read() == "\n"
        board.write(["worker ended 5 times in a row", "api 2 ended 7 times in a row"])
        assert read() == "worker ended 5 times in a row api 2 ended 7 times in a row\n"
        board.write([])
        assert read() == "\n"


def test_a_text_is_never_read_in_halves() -> None:
    long, longer = ["a" * 8_000], ["b" * 16_000]
    with NoticeBoard() as board:
        ended = threading.Event()

        def write() -> None:
            while not ended.is_set():
                board.write(long)
                board.write(longer)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(2_000):
                assert read_notices(board.descriptor) in ([], long, longer)
        finally:
            ended.set()
            writer.join()


def test_it_is_on_no_disk() -> None:
    if sys.platform == "linux":
        with NoticeBoard() as board:
            assert str(Path(f"/proc/self/fd/{board.descriptor}").readlink()).startswith("/memfd:")
