"""Go from odd files to forecasts with all processes: reader, queue, worker, trainer, api."""

import csv
import json
import math
import os
import random
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from tests.serving import Served

FIRST = date(2015, 1, 1)
SHORT = ("--set", "epochs=2", "--set", "layers=[4]", "--set", "anchor=average")
SMALL = (*SHORT, "--set", "window=8")


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


WEATHER = ("sun", "rain", "snow")
SOLD = {"sun": 15, "rain": -20, "snow": -40}
DAYS, PLANNED = 150, 14
DELAY = 3  # days until the weather shows in sales, as what was ordered then is delivered


def shops() -> bytes:
    """Return five shops with price, promotion, weather and weekday; promotions are planned."""
    chance = random.Random(7)
    lines = ["shop,date,units_sold,price,promo,weather,weekday"]
    for place, shop in enumerate(("Berlin", "Paris", "Rome", "Oslo", "Wien")):
        weather = ["sun"] * DELAY
        for number in range(DAYS + PLANNED):
            day = FIRST + timedelta(days=number)
            promo = int(chance.random() < 0.2)
            weather.append(chance.choice(WEATHER))
            acting = SOLD[weather[-1 - DELAY]]
            units = 200 + 30 * place + 80 * promo + acting + chance.gauss(0, 5)
            now = f"{units:.1f},9.99,{promo},{weather[-1]}" if number < DAYS else f",,{promo},"
            lines.append(f"{shop},{day},{now},{day:%a}")
    return "\n".join(lines).encode()


@pytest.mark.slow
def test_five_shops_with_a_plan_are_forecast_for_a_fortnight(
    service: Served, tmp_path: Path
) -> None:
    (tmp_path / "shops.csv").write_bytes(shops())

    stepahead(service, tmp_path, "train", "shops.csv", "--model", "fortnight", *SHORT)
    told = stepahead(service, tmp_path, "predict", "fortnight", "--file", "shops.csv", "--csv")

    version = httpx.get(f"{service.url}/models/fortnight/versions/1").json()
    described = version["manifest"]["series"]
    roles = {use["name"]: use["role"] for use in described["columns"]}
    assert {name: role for name, role in roles.items() if "calendar." not in name} == {
        "units_sold": "target",
        "price": "unused",
        "promo": "known ahead",
        "weather": "input",
        "weekday": "unused",
    }
    dataset = httpx.get(f"{service.url}/datasets/{version['lineage']['dataset']}").json()
    roles = {column["name"]: column["role"] for column in dataset["report"]["columns"]}
    assert roles["promo"] == roles["weekday"] == "known ahead"
    assert roles["weather"] == "input"
    assert roles["price"] == "unused"
    log = httpx.get(f"{service.url}/jobs/{version['lineage']['job']}/log").json()["items"]
    assert any(line["text"].startswith("column weather: used (") for line in log)

    lines = list(csv.DictReader(told.splitlines()))
    assert len(lines) == 5 * PLANNED
    rome = [float(line["forecast"]) for line in lines if line["series"] == "Rome"]
    plan = [line.split(",")[4] for line in shops().decode().splitlines() if line[:4] == "Rome"]
    # The days before still have the effect of known weather.
    later = [*zip(rome, plan[DAYS:], strict=True)][DELAY:]
    promoted = [value for value, promo in later if promo == "1"]
    usual = [value for value, promo in later if promo == "0"]
    assert min(promoted) - max(usual) > 60

    asked = {"model": "fortnight", "dataset": dataset["id"], "series": "Rome"}
    answer = httpx.post(f"{service.url}/predict", json=asked).json()
    assert [step["value"] for step in answer["predictions"]] == pytest.approx(rome)
    rows = [line.split(",") for line in shops().decode().splitlines() if line[:4] == "Rome"][:DAYS]
    weather = [row[5] for row in rows]
    history: dict[str, object] = {
        "units_sold": [float(row[2]) for row in rows],
        "promo": [int(row[4]) for row in rows],
        "weather": weather,
    }
    asked = {
        "model": "fortnight",
        "series": "Rome",
        "history": history,
        "future": {"promo": [int(promo) for promo in plan[DAYS:]]},
    }
    answer = httpx.post(f"{service.url}/predict", json=asked).json()
    assert [step["value"] for step in answer["predictions"]] == pytest.approx(rome)
    assert answer["warnings"] == []
    weather[-1] = "hail"
    (warning,) = httpx.post(f"{service.url}/predict", json=asked).json()["warnings"]
    assert "was not trained on 'hail' in history.weather" in warning
    history["weather"] = [1.0] * DAYS
    refused = httpx.post(f"{service.url}/predict", json=asked)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "history.weather"
