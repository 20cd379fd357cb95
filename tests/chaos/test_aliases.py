"""Move an alias while clients send requests to two api processes."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.artifacts import persistence_artifact
from tests.chaos.kept import kept_by
from tests.chaos.load import Load
from tests.chaos.table import TIMES, row
from tests.database import own_database
from tests.monitoring.processes import Pair, running_pair
from tests.serving import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MOVES = 5 * TIMES
MODEL = "moving"
FOLLOWS_SECONDS = 1.0


@pytest.fixture
def pair(cluster: tuple[str, str], tmp_path: Path) -> Iterator[Pair]:
    with own_database(cluster) as url, running_pair(url, tmp_path) as running:
        yield running


def test_moves_fail_no_request_and_both_processes_follow(pair: Pair) -> None:
    counted = row("alias moved, two api processes")
    for step in (0.0, 1.0):
        pair.register(MODEL, persistence_artifact(step=step))
    clients = (pair.one, pair.other)
    for client in clients:
        wait_until(partial(pair.serves, client, MODEL, 1))
    loads = [Load(str(client.base_url), clients=2, model=MODEL) for client in clients]
    with loads[0].running(), loads[1].running():
        for number in range(MOVES):
            moving, following = clients if number % 2 else reversed(clients)
            version = 1 + (number + 1) % 2
            counted.tried += 1
            moved = moving.put(
                f"/models/{MODEL}/aliases/champion", json={"version": version, "reason": "chaos"}
            )
            assert moved.is_success, moved.text
            since = time.monotonic()
            assert pair.serves(moving, MODEL, version)  # at once
            wait_until(partial(pair.serves, following, MODEL, version))
            seconds = time.monotonic() - since
            counted.took(seconds)
            counted.survived += seconds <= FOLLOWS_SECONDS
    for load in loads:
        assert load.failures == []
        counted.acknowledged.update(load.acknowledged)
    counted.count_lost(kept_by(pair.harness.database_url, pair.store))
    assert counted.lost == 0
    moves = pair.one.get(f"/models/{MODEL}/moves", params={"limit": 500}).json()["items"]
    assert sum(move["reason"] == "chaos" for move in moves) == MOVES
