import os
import signal
import subprocess
import sys
from pathlib import Path

from app.config import PROJECT_DIR
from app.jobs.workspace import LOCK, workspace

HOLD = """
import sys, pathlib
from app.jobs.workspace import workspace
with workspace(pathlib.Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def hold(parent: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(parent)],
        cwd=PROJECT_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_workspace_is_gone_afterwards(tmp_path: Path) -> None:
    with workspace(tmp_path) as folder:
        (folder / "job").mkdir()
        assert folder.parent == tmp_path
    assert not folder.exists()


def test_what_a_killed_worker_left_is_removed_and_what_is_in_use_stays(tmp_path: Path) -> None:
    killed, left = hold(tmp_path)
    living, used = hold(tmp_path)
    (left / "checkpoint").write_text("x")
    with killed, living:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()

        with workspace(tmp_path):
            assert not left.exists()
            assert used.exists()
        living.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
