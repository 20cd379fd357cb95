"""Forecasts of a whole frame by Nixtla's client: with intervals, and from earlier origins.

pip install nixtla
python -m examples.clients.many_series [http://127.0.0.1:8000]
"""

import sys

import numpy as np
import polars as pl
from nixtla import NixtlaClient

DAYS = 120


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Forecast two shops by `universal`, measure that, and read an error."""
    client = NixtlaClient(api_key="none", base_url=url, max_retries=1)
    print("models:", ", ".join(client.list_models()))
    sales = made_up_sales()
    print(client.forecast(sales, h=3, freq="1d", level=[80]))

    tested = client.cross_validation(sales, h=7, n_windows=4, freq="1d")
    error = (tested["y"] - tested["TimeGPT"]).abs().mean()
    print(f"mean absolute error over {len(tested)} forecasts: {error:.2f}")

    try:
        client.forecast(sales, h=3, freq="1d", model="hello")
    except Exception as refused:  # noqa: BLE001 - the client's own class of errors is not public
        print("refused:", refused)


def made_up_sales() -> pl.DataFrame:
    """Return two shops with a weekly season."""
    day = np.arange(DAYS)
    random = np.random.default_rng(0)
    return pl.concat(
        pl.DataFrame(
            {
                "unique_id": name,
                "ds": np.datetime64("2026-01-01") + day,
                "y": level + 10 * np.sin(2 * np.pi * day / 7) + random.normal(0, 1, DAYS),
            }
        )
        for name, level in (("north", 50), ("south", 80))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
