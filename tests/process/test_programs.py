"""Test which code runs if a service is started in a folder with modules named like ours."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.jobs import trainer
from app.predictions.logged import export
from app.process.programs import python_module
from tests.serving import Served, is_ready, wait_until

SCRIPT = Path(sys.executable).parent / "stepahead"  # as installed for users


@pytest.fixture
def foreign_folder(tmp_path: Path) -> Path:
    """Create a working directory that contains another `app`."""
    (tmp_path / "app.py").write_text("raise SystemExit('the wrong app was run')\n")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json was imported')\n")
    return tmp_path


def test_a_module_of_the_working_directory_is_not_run_in_place_of_ours(
    foreign_folder: Path,
) -> None:
    done = subprocess.run(
        python_module("app.cli", "--version"),
        cwd=foreign_folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("stepahead ")


@pytest.mark.parametrize("command", [trainer.COMMAND, export.CHILD])
def test_children_are_started_that_way(command: tuple[str, ...]) -> None:
    assert command == python_module(command[-1])


def test_an_api_reads_uploads_and_exports_wherever_it_was_started(
    place: Path, foreign_folder: Path, fresh_database: str, free_port: str
) -> None:
    environment = {"STEPAHEAD_DATABASE_URL": fresh_database, "STEPAHEAD_PORT": free_port}
    service = Served(
        place / "data",
        program=(str(SCRIPT),),
        arguments=("api",),
        environment=environment,
        folder=foreign_folder,
    )
    url = f"http://127.0.0.1:{free_port}"
    try:
        wait_until(lambda: is_ready(url))
        uploaded = httpx.post(
            f"{url}/datasets", files={"file": ("p.csv", "value\n1\n2\n3\n")}, timeout=60
        )
        assert uploaded.status_code == 201, uploaded.text
        exported = httpx.get(f"{url}/predictions/export?format=csv", timeout=60)
        assert exported.status_code == 200, exported.text
        assert exported.text.startswith("id,created_at,")
    finally:
        service.kill()
    assert "the wrong" not in service.output
