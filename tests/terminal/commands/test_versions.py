import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.cli import main
from tests.artifacts import persistence_artifact
from tests.service import Service, running_service


@pytest.fixture
def service(fresh_database: str, tmp_path: Path) -> Iterator[Service]:
    with running_service(fresh_database, tmp_path / "data") as running:
        running.register("prices", persistence_artifact())
        yield running


def run(service: Service, *arguments: str) -> int:
    with (
        patch.dict(os.environ),
        patch.object(sys, "argv", ["stepahead", *arguments, "--url", service.url]),
    ):
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def test_a_version_moves_by_way_of_a_file(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prices.tar"
    assert run(service, "export", "prices@1", str(file)) == 0
    assert run(service, "import", str(file), "--model", "copy") == 0
    assert "Imported as version 1 of copy. It is champion." in capsys.readouterr().out
    assert run(service, "import", str(file)) == 0
    assert "version 2 of prices. It waits: it was imported" in capsys.readouterr().out


def test_a_version_that_is_not_there_leaves_no_file(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(service, "export", "prices@7", str(tmp_path / "x.tar")) == 1
    assert "no version 7" in capsys.readouterr().err
    assert list(tmp_path.glob("x.tar*")) == []
    assert run(service, "export", "prices", str(tmp_path / "x.tar")) == 1
    assert "for example prices@3" in capsys.readouterr().err


def test_a_file_that_is_not_a_version_is_named(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert run(service, "import", str(tmp_path / "notes.txt")) == 1
    assert "notes.txt was not written by" in capsys.readouterr().err
