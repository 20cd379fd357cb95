"""Go from odd files to forecasts with all processes: reader, queue, worker, trainer, api."""

import csv
import json
import math
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from tests.serving import Served

FIRST = date(2015, 1, 1)
SMALL = ("--set", "epochs=2", "--set", "window=8", "--set", "layers=[4]")


@pytest.fixture
def service(whole_service: Served) -> Served:
    return whole_service


def stepahead(service: Served, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=folder,
        env={**os.environ, "STEPAHEAD_URL": service.url, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sales(number: int) -> float:
    return 1200 + 100 * math.sin(number / 7) + number * 37 % 11


def exported(days: range) -> bytes:
    """Return a file like those of accounting software: newest first, European, UTF-16, totals."""
    lines = []
    for number in days:
        written = f"{sales(number):,.2f}".translate(str.maketrans(",.", ".,"))
        lines.append(f'{FIRST + timedelta(days=number):%d.%m.%y};"{written} €";;;')
    rows = "\r\n".join(reversed(lines))
    return f"# export\r\n\r\n Datum ; Umsatz;;;\r\n{rows}\r\nSumme;1,00 €;;;\r\n".encode("utf-16")


@pytest.mark.slow
def test_the_oddest_file_is_trained_extended_and_forecast(service: Served, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_bytes(exported(range(220)))
    (tmp_path / "newer.csv").write_bytes(exported(range(215, 250)))

    trained = stepahead(service, tmp_path, "train", "odd.csv", "--model", "odd", *SMALL)
    extended = stepahead(
        service, tmp_path, "train", "newer.csv", "-m", "odd", "--extend", "--start-from", "1"
    )
    forecast = stepahead(
        service, tmp_path, "predict", "odd", "--file", "newer.csv", "--horizon", "7", "--csv"
    )

    assert f"What comes after {FIRST + timedelta(days=219)}" in trained
    assert "250 used of 250" in extended
    lines = list(csv.DictReader(forecast.splitlines()))
    assert [line["time"] for line in lines] == [
        str(FIRST + timedelta(days=number)) for number in range(250, 257)
    ]
    assert all(1000 < float(line["forecast"]) < 1400 for line in lines)
    version = httpx.get(f"{service.url}/models/odd/versions/2").json()
    assert version["lineage"]["start_from"] == "odd@1"
    assert "was started from odd@1" in version["decision"]["reason"]
    assert not version["decision"]["promoted"]
    dataset = httpx.get(f"{service.url}/datasets/{version['lineage']['dataset']}").json()
    assert dataset["extends"]


@pytest.mark.slow
def test_many_series_of_several_columns_train_one_network(service: Served, tmp_path: Path) -> None:
    lines = [
        f"{FIRST + timedelta(days=number)},{shop},{factor * sales(number):.3f},{number % 7}"
        for number in range(150)
        for shop, factor in (("north", 1), ("south", 100))
    ]
    (tmp_path / "branches.csv").write_text("\n".join(["day,shop,sales,weekday", *lines]) + "\n")

    stepahead(
        *(service, tmp_path, "train", "branches.csv", "--set", 'features=["sales","weekday"]'),
        *SMALL,
    )
    answers = json.loads(
        stepahead(service, tmp_path, "predict", "branches", "--file", "branches.csv", "--json")
    )["items"]

    version = httpx.get(f"{service.url}/models/branches/versions/1").json()
    series = version["manifest"]["series"]
    assert [feature["name"] for feature in series["features"]] == ["sales", "weekday"]
    assert series["target"] == "sales"
    north, south = (answer["predictions"][0]["value"] for answer in answers)
    assert 1000 < north < 1400
    assert 100_000 < south < 140_000
    body = {
        "model": "branches",
        "dataset": version["lineage"]["dataset"],
        "series": "south",
    }
    stored = httpx.post(f"{service.url}/predict", json=body).json()
    assert stored["predictions"][0]["value"] == pytest.approx(south)
    refused = httpx.post(
        f"{service.url}/models/branches-2/train",
        files={
            "dataset": (None, version["lineage"]["dataset"]),
            "recipe": (None, '{"preset": "chapter"}'),
        },
    )
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "recipe.scaling")
