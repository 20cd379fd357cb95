"""The same forecasts on every engine; `make engines` installs them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from app.config import PROJECT_DIR
from stepahead import batch

UNIVERSAL = PROJECT_DIR / "models" / "universal" / "1"
SERIES, ROWS = 40, 30
NOT_HERE = "engines are installed apart: make engines"
# Their own warnings, about sockets of processes that end, are not ours.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),
]


def frame() -> pd.DataFrame:
    """Series with a weekly season, and one without values."""
    random = np.random.default_rng(1)
    day = np.tile(np.arange(ROWS), SERIES)
    values = 50 + 10 * np.sin(2 * np.pi * day / 7) + random.normal(0, 1, SERIES * ROWS)
    known = pd.DataFrame(
        {
            "unique_id": np.repeat([f"shop {place}" for place in range(SERIES)], ROWS),
            "ds": pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D"),
            "y": values,
        }
    )
    empty = known.head(1).assign(unique_id="nothing", y=np.nan)
    return pd.concat([known, empty]).sample(frac=1, random_state=1).reset_index(drop=True)


def on_duckdb(data: pd.DataFrame) -> pd.DataFrame:
    duckdb = pytest.importorskip("duckdb", reason=NOT_HERE)
    found = forecast(duckdb.connect().from_df(data))
    table: pd.DataFrame = found.to_pandas()
    return table


def on_dask(data: pd.DataFrame) -> pd.DataFrame:
    distributed = pytest.importorskip("distributed", reason=NOT_HERE)
    frames = pytest.importorskip("dask.dataframe", reason=NOT_HERE)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster),
    ):
        found: pd.DataFrame = forecast(frames.from_pandas(data, npartitions=4)).compute()
    return found


def on_ray(data: pd.DataFrame) -> pd.DataFrame:
    ray = pytest.importorskip("ray", reason=NOT_HERE)
    with two_nodes(ray):
        assert len([node for node in ray.nodes() if node["Alive"]]) == 2
        found: pd.DataFrame = forecast(ray.data.from_pandas(data)).to_pandas()
    return found


@contextlib.contextmanager
def two_nodes(ray: Any) -> Iterator[None]:  # noqa: ANN401
    """A Ray cluster of two nodes on this machine."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - it may not be installed

    node = {"num_cpus": 2, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


def forecast(data: Any) -> Any:  # noqa: ANN401
    return batch.forecast(data, UNIVERSAL, horizon=5, levels=[80])


@pytest.mark.enable_socket
@pytest.mark.parametrize("run", [on_duckdb, on_dask, on_ray])
def test_an_engine_gives_the_forecasts_of_this_process(
    run: Callable[[pd.DataFrame], pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    data = frame()
    found, expected = (
        each.sort_values(["unique_id", "ds"]).reset_index(drop=True)
        for each in (run(data), forecast(data))
    )
    assert len(expected) == SERIES * 5 + 1
    assert list(found.columns) == list(expected.columns)
    for name in ("unique_id", "error", "warnings"):
        assert found[name].fillna("").tolist() == expected[name].fillna("").tolist()
    # An engine's frame may hold its times and its missing numbers in types of its own.
    assert pd.to_datetime(found["ds"]).astype(str).tolist() == expected["ds"].astype(str).tolist()
    for name in ("universal", "universal-lo-80", "universal-hi-80"):
        values, others = (each[name].to_numpy(float, na_value=np.nan) for each in (found, expected))
        np.testing.assert_allclose(values, others, rtol=1e-5)
    assert found.set_index("unique_id")["error"]["nothing"] == "no row has a value"
