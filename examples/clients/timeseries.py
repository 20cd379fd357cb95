"""Several forecasts at once by KServe's time series protocol, one of which fails.

pip install httpx
python -m examples.clients.timeseries [http://127.0.0.1:8000]
"""

import sys

import httpx


def main(url: str = "http://127.0.0.1:8000") -> None:
    """Ask about two series, and show a forecast and an error."""
    prices = [778.81, 788.36, 786.08, 795.26, 806.4]
    series = {"type": "univariate_time_series", "frequency": "D", "start_timestamp": "2017-01-03"}
    answer = httpx.post(
        f"{url}/v1/timeseries/forecast",
        json={
            "model": "google-stock",
            "inputs": [
                series | {"name": "GOOG", "series": prices},
                series | {"name": "broken", "series": ["n/a"]},
            ],
            "options": {"horizon": 1},
        },
    ).json()
    print("status:", answer["status"])
    for output in answer["outputs"]:
        for content in output["content"]:
            print(f"{content['name']}: {content['mean_forecast'][0]:.2f}")
        for warning in output["warnings"]:
            print("  but:", warning)
        if output["error"]:
            print(f"{output['id']}: {output['error']['message']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
