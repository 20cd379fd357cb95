import os
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy.orm import Session, sessionmaker

from app.cli import main
from app.storage.engine import make_engine
from app.storage.object_store import ObjectStore
from app.storage.tables import Alias
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import register_artifact


def run(*arguments: str) -> int:
    """Run a command, and forget the settings that its options set."""
    with patch.dict(os.environ), patch.object(sys, "argv", ["stepahead", *arguments]):
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def test_an_installation_is_backed_up_checked_and_restored(
    cluster: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archive = str(tmp_path / "backup.tar")
    with own_database(cluster) as first, own_database(cluster) as second:
        monkeypatch.setenv("STEPAHEAD_DATABASE_URL", first)
        monkeypatch.setenv("STEPAHEAD_DATA_DIR", str(tmp_path / "first"))
        engine = make_engine(first)
        store = ObjectStore.open((tmp_path / "first" / "store").as_uri())
        register_artifact(sessionmaker(engine), store, "prices", persistence_artifact())
        engine.dispose()
        assert run("backup", archive) == 0
        assert run("check-backup", archive) == 0
        assert "The backup is complete" in capsys.readouterr().out
        monkeypatch.setenv("STEPAHEAD_DATABASE_URL", second)
        monkeypatch.setenv("STEPAHEAD_DATA_DIR", str(tmp_path / "second"))
        assert run("restore", archive) == 0
        engine = make_engine(second)
        with Session(engine) as session:
            assert session.get_one(Alias, ("prices", "champion")).version == 1
        engine.dispose()


def test_a_file_that_is_not_a_backup_gets_a_one_line_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prices.csv").write_text("date,price\n2020-01-01,1\n")
    assert run("check-backup", str(tmp_path / "prices.csv")) == 1
    assert "this is not a backup archive" in capsys.readouterr().err
    assert run("check-backup", "s3:///nothing") == 1
    assert "does not name an object" in capsys.readouterr().err
