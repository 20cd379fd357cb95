"""Train on two shops in one frame, forecast both with intervals, and store what was observed.

python -m examples.clients.python [http://127.0.0.1:8000]
"""

import sys

import numpy as np
import polars as pl

import stepahead

DAYS = 200


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Train, forecast, store actual values, and read an error."""
    with stepahead.Client(url) as client:
        sales = made_up_sales()
        known, observed = sales.filter(~pl.col("is_last")), sales.filter(pl.col("is_last"))
        columns = ["unique_id", "ds", "y"]
        job = client.train(known.select(columns), name="shops", epochs=20, horizon=7)
        print(job.wait(progress=True))

        print(client.forecast(known.select(columns), model="shops", levels=[80]))
        print("actuals:", client.actuals(observed.select(columns), model="shops"))

        try:
            client.predict("shops", history=[1.0])
        except stepahead.Refused as error:
            print("refused:", error)


def made_up_sales() -> pl.DataFrame:
    """Return two shops with a weekly season; the last seven days of each are marked."""
    day = np.arange(DAYS)
    random = np.random.default_rng(0)
    shops = [
        pl.DataFrame(
            {
                "unique_id": name,
                "ds": np.datetime64("2026-01-01") + day,
                "y": level + 10 * np.sin(2 * np.pi * day / 7) + random.normal(0, 1, DAYS),
                "is_last": day >= DAYS - 7,
            }
        )
        for name, level in (("north", 50), ("south", 80))
    ]
    return pl.concat(shops)


if __name__ == "__main__":
    main(*sys.argv[1:])
