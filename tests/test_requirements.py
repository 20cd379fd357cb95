"""Test which of the Pythons in PATH `make serve` and `make test` use."""

import subprocess
from pathlib import Path

import pytest

from app.config import PROJECT_DIR

# Stands in for a Python: exits with 0 if it is suitable, and prints its name when asked to create
# an environment.
STAND_IN = '#!/bin/sh\n[ "$1" != -m ] || echo "made by ${{0##*/}}"\nexit {code}\n'


@pytest.mark.parametrize(
    ("suitable", "unsuitable", "chosen"),
    [
        (["python3", "python3.11", "python3.13"], [], "python3"),
        (["python3.11", "python3.12"], ["python3"], "python3.12"),
        (["python"], ["python3", "python3.13"], "python"),
    ],
)
def test_the_users_own_python3_comes_first(
    suitable: list[str], unsuitable: list[str], chosen: str, tmp_path: Path
) -> None:
    for name in (*suitable, *unsuitable):
        command = tmp_path / name
        command.write_text(STAND_IN.format(code=0 if name in suitable else 1))
        command.chmod(0o755)

    done = set_up(tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"made by {chosen}\n" in done.stdout


def test_without_a_suitable_one_it_says_what_is_needed(tmp_path: Path) -> None:
    done = set_up(tmp_path)

    assert done.returncode == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr


def set_up(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(PROJECT_DIR / "requirements" / "python"), str(folder / "venv")],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
