"""Test coverage and drift as the monitor shows them."""

import json

import numpy as np
import pytest
from sqlalchemy import text

from app.artifact.manifest import Feature
from app.forecasting.drift import inner_deciles, population_stability
from tests.artifacts import Artifact, persistence_artifact
from tests.monitoring.log import ask, follow, monitor
from tests.service import Service


def with_quantiles(values: list[float], *, window: int = 3) -> Artifact:
    """Return a version with the quantiles of these training values."""
    artifact = persistence_artifact(window=window)
    assert artifact.manifest.series is not None
    feature = Feature(
        name="Open",
        low=min(values),
        high=max(values),
        quantiles=inner_deciles(np.array(values)),
    )
    series = artifact.manifest.series.model_copy(update={"features": (feature,)})
    return Artifact(
        manifest=artifact.manifest.model_copy(update={"series": series}),
        scorecard=artifact.scorecard,
        graph=artifact.graph,
    )


def test_coverage_is_how_often_the_actual_lay_inside(service: Service) -> None:
    for number, actual in enumerate([3.5, 4.5, 6.0, 9.0]):
        answer = ask(service, [1, 2, 3], series=f"S{number}")
        answer["predictions"][0]["intervals"] = [
            {"level": 80, "low": 2.0, "high": 4.0},
            {"level": 95, "low": 1.0, "high": 6.0},
        ]
        with service.engine.begin() as connection:
            connection.execute(
                text("UPDATE predictions SET response = CAST(:response AS json) WHERE id = :id"),
                {"response": json.dumps(answer), "id": answer["id"]},
            )
        given = {"prediction": answer["id"], "value": actual}
        assert service.client.post("/actuals", json={"items": [given]}).status_code == 200
    follow(service)
    (version,) = monitor(service)["versions"]
    assert version["coverage"] == [
        {"level": 80, "observed": 25.0, "forecasts": 4},
        {"level": 95, "observed": 75.0, "forecasts": 4},
    ]
    # A corrected actual value moves from outside to inside, but is still one forecast.
    given = {"prediction": answer["id"], "value": 3.0}
    service.client.post("/actuals", json={"items": [given]})
    follow(service)
    (version,) = monitor(service)["versions"]
    assert [level["observed"] for level in version["coverage"]] == [50.0, 100.0]
    assert monitor(service)["days"][0]["coverage"] == version["coverage"]


def test_values_unlike_the_training_data_are_drift(service: Service) -> None:
    trained = [float(value) for value in range(100)]
    service.register("like", with_quantiles(trained, window=100))
    service.register("unlike", with_quantiles(trained, window=100))
    ask(service, trained, model="like")
    ask(service, [value + 50 for value in trained], model="unlike")
    follow(service)
    (like,) = monitor(service, "like")["versions"][0]["drift"]
    (unlike,) = monitor(service, "unlike")["versions"][0]["drift"]
    assert like == {"feature": "Open", "psi": pytest.approx(0.0), "missing": None, "values": 100}
    by_hand = population_stability(
        [0] * 5 + [10] * 4 + [60], inner_deciles(np.array(trained)), highest=99.0
    )
    assert unlike["psi"] == pytest.approx(by_hand)
    assert unlike["psi"] > 0.25


def test_too_few_values_say_nothing_about_drift(service: Service) -> None:
    service.register("few", with_quantiles([float(value) for value in range(100)]))
    ask(service, [500, 500, 500], model="few")
    follow(service)
    (drift,) = monitor(service, "few")["versions"][0]["drift"]
    assert (drift["psi"], drift["values"]) == (None, 3)
    assert "100 are needed" in drift["missing"]


def test_a_model_nobody_asked_has_an_empty_monitor(service: Service) -> None:
    found = monitor(service, days=1)
    assert (found["versions"], found["days"], found["unread"]) == ([], [], 0)
    assert service.client.get("/models/nobody/monitor").status_code == 404
    assert service.client.get("/models/google-stock/monitor?days=0").status_code == 422


def test_a_shadow_that_cannot_answer_is_counted(service: Service) -> None:
    service.register("google-stock", persistence_artifact(window=5))
    moved = service.client.put("/models/google-stock/aliases/shadow", json={"version": 2})
    assert moved.status_code == 200, moved.text
    ask(service, [1, 2, 3])
    follow(service)
    shadow = next(one for one in monitor(service)["versions"] if one["role"] == "shadow")
    assert (shadow["requests"], shadow["refused"], shadow["skipped"]) == (1, 1, 0)
    assert shadow["aliases"] == ["shadow"]


def test_a_shadow_that_cannot_be_loaded_is_skipped_and_counted(service: Service) -> None:
    version = service.register("google-stock", persistence_artifact(step=2.0))
    service.client.put("/models/google-stock/aliases/shadow", json={"version": version.number})
    sha256 = version.files["model.onnx"]["sha256"]
    (stored,) = (service.settings.resolved_data_dir / "store").rglob(sha256)
    stored.unlink()
    ask(service, [1, 2, 3])
    follow(service)
    shadow = next(one for one in monitor(service)["versions"] if one["role"] == "shadow")
    assert (shadow["requests"], shadow["skipped"]) == (0, 1)
