"""Set the clock forward, as on a machine that slept for weeks."""

import shutil
import signal
import struct
import subprocess
from functools import partial
from pathlib import Path

import psycopg
import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import conninfo
from tests.chaos.kept import kept_in
from tests.chaos.load import Load, is_in_training, start_job, wait_until_succeeded
from tests.chaos.table import row
from tests.serving import is_ready, served, wait_until, with_fake_trainer

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(600)]

SOURCE = Path(__file__).with_name("clock.c")
COMPILER = shutil.which("cc")
DAY_SECONDS = 86400
DAYS = (1, 30)  # the log has partitions for the next 14
NEWEST = "SELECT max(created_at) - now() FROM predictions"


@pytest.mark.skipif(COMPILER is None, reason="needs a C compiler, for another clock")
def test_a_clock_that_jumps_forward_stops_nothing(place: Path) -> None:
    """PostgreSQL keeps its own time, because it is started in a plain environment."""
    counted = row("clock of api and worker forward by a day, then a month")
    clock, library = place / "clock", place / "clock.so"
    clock.write_bytes(bytes(8))
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    environment = {
        **with_fake_trainer(place),
        "LD_PRELOAD": str(library),
        "CLOCK_AHEAD": str(clock),
    }
    with served(place / "data", environment=environment) as service:
        load = Load(service.url)
        with load.running():
            for days in DAYS:
                load.wait_for_more()
                job_id = start_job(service.url)
                wait_until(partial(is_in_training, service.url, job_id))
                with counted.trying():
                    set_ahead(clock, days)
                    counted.took(load.wait_for_more())
                    wait_until(lambda: is_ready(service.url))
                    wait_until_succeeded(service.url, job_id)
        assert service.end(signal.SIGTERM) == 0
    counted.acknowledged.update(load.acknowledged)
    counted.count_lost(kept_in(place / "data"))
    assert counted.lost == 0
    with (
        EmbeddedPostgres(place / "data") as server,
        psycopg.connect(conninfo(server.url)) as connection,
    ):
        (ahead,) = connection.execute(NEWEST).fetchone() or (None,)
    assert ahead is not None
    assert ahead.days >= DAYS[-1] - 1  # the clock did jump


def set_ahead(clock: Path, days: int) -> None:
    """Write into the existing file, which is mapped by other processes."""
    with clock.open("r+b") as file:
        file.write(struct.pack("=q", days * DAY_SECONDS))
