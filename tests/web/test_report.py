"""A version's report: nothing beside itself, and every figure where it should be."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.artifact.scorecard import CurvePoint
from app.registry.shipped import import_shipped
from app.web.picture import picture, round_ticks
from tests.artifacts import persistence_artifact
from tests.database import own_database
from tests.service import Service, running_service


@pytest.fixture(scope="module")
def service(
    cluster: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("report")
    with own_database(cluster) as url, running_service(url, folder) as running:
        with running.sessions.begin() as session:
            import_shipped(session, running.store)
        yield running


@pytest.mark.parametrize("model", ["google-stock", "belling-the-cat", "hello"])
def test_a_report_needs_nothing_beside_itself(service: Service, model: str) -> None:
    answer = service.client.get(f"/models/{model}/versions/1/report")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert re.findall(r'(?:src|href)="([^"]*)"', answer.text) == ["data:,"]
    assert "<script" not in answer.text


def test_it_says_the_verdict_in_the_unit_of_the_target(service: Service) -> None:
    text = service.client.get("/models/google-stock/versions/1/report").text
    assert "Worse than repeating the last value: RMSE" in text
    assert re.search(r"Within ±\d+\.?\d* of Open on 4 of 5 days", text)
    assert "It has seen Open between 279.12 and 816.68" in text
    assert text.count('<polyline class="forecast"') == 2  # the line, and its key
    assert text.count('<polygon class="band"') == 2
    assert "80 % interval" in text
    assert "a window of 1 is too short to tell its own" in text


def test_the_curves_of_several_series_are_not_drawn_as_one(service: Service) -> None:
    artifact = persistence_artifact()
    assert artifact.scorecard.series is not None
    curve = tuple(
        point(level).model_copy(update={"series": name, "time": f"2024-01-{day:02d}"})
        for name, level in (("<north>", 5.0), ("south", 900.0))
        for day in (1, 2, 3)
    )
    series = artifact.scorecard.series.model_copy(update={"curve": curve})
    scorecard = artifact.scorecard.model_copy(update={"series": series})
    service.register("shops", replace(artifact, scorecard=scorecard))
    text = service.client.get("/models/shops/versions/1/report").text
    assert "Series &lt;north&gt;, one of 2:" in text
    [line] = re.findall(r'<polyline class="actual" points="([^"]{20,})"', text)
    assert len(line.split()) == 3
    assert ">900<" not in text


def test_it_says_how_the_data_were_read(service: Service) -> None:
    table = "Day,Sales\n" + "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 29))
    answer = service.client.post("/datasets", files={"file": ("shop.csv", table.encode())})
    registered = service.register("dated", persistence_artifact(features=("Sales",)))
    with service.sessions.begin() as session:
        session.merge(registered).dataset_id = answer.raise_for_status().json()["id"]
    text = service.client.get("/models/dated/versions/1/report").raise_for_status().text
    assert "shop.csv: 28 of 28 rows used, 2024-01-01 to 2024-01-28" in text
    assert "Times are in Day: its cells are written as dates" in text


def test_a_missing_version_has_no_report(service: Service) -> None:
    answer = service.client.get("/models/google-stock/versions/9/report")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def point(actual: float) -> CurvePoint:
    return CurvePoint(time=None, actual=actual, forecast=actual, persistence=actual)


def test_a_line_has_two_ends() -> None:
    assert picture([]) is None
    assert picture([point(1.0)]) is None


def test_intervals_are_a_band_behind_the_lines_where_there_are_any() -> None:
    plain = [point(5.0), point(6.0), point(7.0)]
    drawn = picture(plain)
    assert drawn is not None
    assert drawn.band is None
    banded = [each.model_copy(update={"low": 0.0, "high": 20.0}) for each in plain[:2]]
    drawn = picture([*banded, plain[2]])
    assert drawn is not None
    assert drawn.band is not None
    assert len(drawn.band.split()) == 4
    assert (drawn.up[0].label, drawn.up[-1].label) == ("0", "20")


@pytest.mark.parametrize("value", [0.0, 5.0, -1e17, 1e300])
def test_a_series_that_never_changes_is_drawn(value: float) -> None:
    drawn = picture([point(value), point(value)])
    assert drawn is not None
    assert len(drawn.up) > 1


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (779.0, 838.0), (-3e-7, 5e-7), (0.0, 9e12)])
def test_ticks_are_round_and_hold_everything(low: float, high: float) -> None:
    ticks = round_ticks(low, high)
    assert ticks[0] <= low
    assert ticks[-1] >= high
    assert 3 <= len(ticks) <= 9


def test_a_judging_without_a_curve_promises_nothing(service: Service) -> None:
    assert "Within ±" not in service.client.get("/models/hello/versions/1/report").text
