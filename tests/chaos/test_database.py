"""Stop the database without closing a connection, as in a failover; nothing is lost."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.object_store import ObjectStore
from tests.chaos.kept import kept_by
from tests.chaos.load import Load, is_in_training, start_job, wait_until_succeeded
from tests.chaos.proxy import Proxy, database_proxy
from tests.chaos.table import TIMES, row
from tests.places import open_place
from tests.serving import Served, descendants, is_ready, served, wait_until, with_fake_trainer

pytestmark = [pytest.mark.slow, pytest.mark.linux, pytest.mark.timeout(600)]

FEW_TIMES = min(TIMES, 3)
Proxied = tuple[Served, EmbeddedPostgres, Proxy]


@pytest.fixture(scope="module")
def proxied() -> Iterator[Proxied]:
    """Yield a service, its database, and the proxy between them."""
    with (
        open_place() as place,
        EmbeddedPostgres(place / "database") as server,
        database_proxy(server.url) as (proxy, url),
        served(
            place / "data",
            environment={**with_fake_trainer(place), "STEPAHEAD_DATABASE_URL": url},
        ) as service,
    ):
        wait_until(lambda: "trainer ready" in service.output)
        yield service, server, proxy


def lost(load: Load, service: Served, server: EmbeddedPostgres) -> set[str]:
    store = ObjectStore.open((service.data_dir / "store").as_uri())
    return set(load.acknowledged) - kept_by(server.url, store)


@contextmanager
def stopped(server: EmbeddedPostgres) -> Iterator[None]:
    """Suspend all processes of the database until the block ends."""
    assert server.pid is not None
    pids = [server.pid, *descendants(server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_stopped_database_is_told_of_and_loses_nothing(proxied: Proxied) -> None:
    service, server, _ = proxied
    counted = row("`SIGSTOP` of PostgreSQL")
    load = Load(service.url)
    with load.running():
        for _ in range(FEW_TIMES):
            load.wait_for_more()
            job_id = start_job(service.url)
            wait_until(partial(is_in_training, service.url, job_id))
            with counted.trying():
                load.failures.clear()
                with stopped(server):
                    wait_until(lambda: not is_ready(service.url))
                    wait_until(lambda: load.failures)
                counted.took(load.wait_for_more())
                wait_until(lambda: is_ready(service.url))
                wait_until_succeeded(service.url, job_id)
    assert set(load.failures) == {503}
    counted.acknowledged.update(load.acknowledged)
    counted.lost = len(lost(load, service, server))
    assert counted.lost == 0


def test_connections_that_fell_silent_are_replaced(proxied: Proxied) -> None:
    """New connections work. Nobody closes the old ones, and TCP acknowledges everything sent."""
    service, server, proxy = proxied
    counted = row("connections to the database stop forwarding")
    load = Load(service.url)
    with load.running():
        for _ in range(FEW_TIMES):
            load.wait_for_more()
            job_id = start_job(service.url)
            wait_until(partial(is_in_training, service.url, job_id))
            with counted.trying():
                assert proxy.freeze()
                counted.took(load.wait_for_more())
                wait_until(lambda: is_ready(service.url))
                wait_until_succeeded(service.url, job_id)
    assert set(load.failures) <= {503}
    counted.acknowledged.update(load.acknowledged)
    counted.lost = len(lost(load, service, server))
    assert counted.lost == 0
