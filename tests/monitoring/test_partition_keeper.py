"""The log has its partitions whatever the clock does."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.monitoring import partition_keeper
from tests.service import eventually, running_service

COUNT = text("SELECT count(*) FROM pg_class WHERE relname = 'predictions_' || :day")


def test_a_clock_set_forward_by_a_month_gets_its_partitions(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = datetime.now(UTC).date() + timedelta(days=30)

    def is_there() -> bool:
        with service.engine.connect() as connection:
            return bool(connection.execute(COUNT, {"day": f"{later:%Y%m%d}"}).scalar_one())

    with running_service(fresh_database, tmp_path) as service:
        assert not is_there()
        monkeypatch.setattr(partition_keeper, "_today", lambda: later)
        eventually(is_there)
        monkeypatch.undo()
