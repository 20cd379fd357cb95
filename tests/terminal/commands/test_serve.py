from pathlib import Path

import pytest

from app.supervisor import Served
from app.terminal.service.serve import welcome

DATA = Path("/srv/data")
ELSEWHERE = Path("/var/lib/stepahead/0123456789abcdef/postgres")


@pytest.mark.parametrize(
    ("database_dir", "told"),
    [
        (DATA / "postgres", "Data is kept in /srv/data, with its own PostgreSQL. "),
        (ELSEWHERE, f"Data is kept in /srv/data, with its own PostgreSQL in {ELSEWHERE}. "),
        (None, "Data is kept in /srv/data, with the PostgreSQL of STEPAHEAD_DATABASE_URL. "),
    ],
)
def test_the_message_says_which_data_to_back_up(database_dir: Path | None, told: str) -> None:
    served = Served(url="http://127.0.0.1:8000", data_dir=DATA, database_dir=database_dir)
    assert told in welcome(served, keyed=False)
