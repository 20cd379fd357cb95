import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.process.programs import child_environment


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "DATABASE_URL", "KEY_SECRET", "READ_DATABASE_URL"):
        monkeypatch.delenv(f"STEPAHEAD_{name}", raising=False)
        monkeypatch.delenv(f"STEPAHEAD_{name}_FILE", raising=False)


@pytest.mark.parametrize("name", ["api_key", "key_secret", "database_url", "read_database_url"])
def test_a_secret_may_lie_in_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("postgresql://u:p@h/d\n")
    monkeypatch.setenv(f"STEPAHEAD_{name.upper()}_FILE", str(tmp_path / "secret"))
    value = getattr(Settings(), name)
    plain = value if isinstance(value, str) else value.get_secret_value()
    assert plain == "postgresql://u:p@h/d"


def test_a_secret_given_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("one")
    monkeypatch.setenv("STEPAHEAD_API_KEY_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("STEPAHEAD_API_KEY", "another")
    with pytest.raises(ValidationError, match="both STEPAHEAD_API_KEY and STEPAHEAD_API_KEY_FILE"):
        Settings()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "cannot be read"), ("\n", "is an empty file")]
)
def test_a_file_without_a_secret_is_refused(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "secret").write_text(content)
    monkeypatch.setenv("STEPAHEAD_API_KEY_FILE", str(tmp_path / "secret"))
    with pytest.raises(ValidationError, match=said):
        Settings()


def test_children_have_a_databases_url_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("postgresql://u:p@h/d")
    monkeypatch.setenv("STEPAHEAD_DATABASE_URL_FILE", str(tmp_path / "secret"))
    environment = child_environment(Settings(), "postgresql://u:p@h/d")
    monkeypatch.setattr(os, "environ", environment)
    assert Settings().database_url == "postgresql://u:p@h/d"
