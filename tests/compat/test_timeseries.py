"""KServe's time series protocol, read by its published schema."""

from typing import Any, Literal

import httpx
import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from app.compat.timeseries.api import level_of
from app.compat.timeseries.times import timestamps
from app.errors import InvalidRequest
from app.storage.tables import Prediction
from tests.service import Service

PATH = "/v1/timeseries/forecast"


class Extensible(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class KServeError(BaseModel):
    code: str | None = None
    message: str
    param: str | None = None
    type: str


class KServeForecast(Extensible):
    type: Literal["univariate_time_series", "multivariate_time_series"]
    name: str
    mean_forecast: list[float] | list[list[float]]
    frequency: str
    start_timestamp: str
    quantiles: dict[str, list[float] | list[list[float]]] | None = None


class KServeOutput(Extensible):
    type: str
    id: str
    status: Literal["completed", "error", "pending", "partial"]
    content: list[KServeForecast]
    error: KServeError | None = None


class KServeUsage(Extensible):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class KServeResponse(Extensible):
    """The answer as the protocol publishes it; its clients check this."""

    id: str
    created_at: int
    status: Literal["completed", "error", "pending", "partial"]
    error: KServeError | None = None
    model: str
    outputs: list[KServeOutput]
    usage: KServeUsage | None = None


def given(**changes: object) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "univariate_time_series",
        "name": "shop",
        "series": [1.0, 2.0, 3.5],
        "frequency": "D",
    }
    return entry | changes


def ask(
    service: Service,
    *inputs: dict[str, object],
    model: str = "calibrated",
    **options: object,
) -> KServeResponse:
    body = {"model": model, "inputs": inputs, "options": {"horizon": 2, **options}}
    answer = service.client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    return KServeResponse.model_validate_json(answer.content)


def error_in(answer: httpx.Response) -> KServeError:
    found = answer.json()
    assert set(found) == {"error"}
    return KServeError.model_validate(found["error"])


def test_a_series_is_forecast(service: Service) -> None:
    found = ask(service, given(start_timestamp="2026-01-01", seen_by="me"), horizon=3)
    assert found.status == "completed"
    assert found.model == "calibrated"
    (output,) = found.outputs
    (content,) = output.content
    assert content.mean_forecast == [4.5, 5.5, 6.5]
    assert content.name == "shop"
    assert content.frequency == "D"
    assert content.start_timestamp == "2026-01-04"
    assert content.quantiles is None
    assert found.usage == KServeUsage(prompt_tokens=3, completion_tokens=3, total_tokens=6)


def test_quantiles_are_the_bounds_of_intervals(service: Service) -> None:
    (output,) = ask(service, given(), quantiles=[0.1, 0.9, 0.975]).outputs
    # A tenth of the level to either side: 8 for 80 %, 9.5 for 95 %.
    assert output.content[0].quantiles == {
        "0.1": [4.5 - 8, 5.5 - 8],
        "0.9": [4.5 + 8, 5.5 + 8],
        "0.975": [4.5 + 9.5, 5.5 + 9.5],
    }


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("calibrated", {"quantiles": [0.1, 0.5]}, "there is none for 0.5"),
        ("calibrated", {"quantiles": [0.101]}, "there is none for 0.101"),
        (
            "calibrated",
            {"quantiles": [0.1], "horizon": 3},
            "calibrated@1 has intervals up to step 2, and the horizon",
        ),
        ("prices", {"quantiles": [0.1]}, "prices@1 has no intervals"),
    ],
)
def test_a_quantile_that_there_is_none_for_is_the_inputs_error(
    service: Service, model: str, options: dict[str, object], message: str
) -> None:
    found = ask(service, given(), model=model, **options)
    assert found.status == "error"
    assert found.error is not None
    assert message in found.error.message
    assert found.outputs[0].error == found.error


def test_an_input_that_fails_leaves_the_others_alone(service: Service) -> None:
    found = ask(
        service,
        given(name="good"),
        given(name="short", series=[1.0]),
        given(name="words", series=[1.0, "2", 3.0]),
        given(name="nested", series=[[1.0], [2.0], [3.0]]),
        given(name="when", start_timestamp="yesterday"),
        given(name="good too", series=[2, 3, 4]),
    )
    assert found.status == "partial"
    assert [output.status for output in found.outputs] == [
        *("completed", "error", "error", "error", "error", "completed")
    ]
    messages = {output.id: output.error.message for output in found.outputs if output.error}
    assert "calibrated@1 needs at least 3" in messages["short"]
    assert "history.1" in messages["words"]
    assert "is a list of numbers" in messages["nested"]
    assert "'yesterday'" in messages["when"]
    assert found.outputs[5].content[0].mean_forecast == [5.0, 6.0]


def test_nothing_is_logged_of_an_input_that_fails(service: Service) -> None:
    ask(service, given(name="unlogged"), quantiles=[0.1], horizon=3)
    with service.sessions() as session:
        logged = select(Prediction).where(Prediction.series == "unlogged")
        assert session.scalars(logged).all() == []


def test_a_name_that_cannot_be_logged_is_the_inputs_error(service: Service) -> None:
    found = ask(service, given(name="x" * 201), given(name="x\x00"))
    for output in found.outputs:
        assert output.error is not None
        assert "series" in output.error.message


def test_a_completed_output_is_a_committed_prediction(service: Service) -> None:
    (output,) = ask(service, given(name="logged")).outputs
    with service.sessions() as session:
        logged = session.scalars(select(Prediction).where(Prediction.series == "logged")).one()
    assert str(logged.id) == output.id


def test_several_columns_come_time_first(service: Service) -> None:
    series = [[1.0, 10.0], [2.0, 20.0], [3.5, 30.0]]
    multivariate = given(type="multivariate_time_series", series=series)
    found = ask(
        service,
        multivariate,
        multivariate | {"series": [[1.0], [2.0], [3.0]]},
        given(),
        model="two-columns",
        horizon=1,
    )
    assert found.outputs[0].content[0].mean_forecast == [3.5]
    assert found.outputs[0].content[0].column == "Open"  # type: ignore[attr-defined]
    for output in found.outputs[1:]:
        assert output.error is not None
        assert "two-columns@1 reads the columns Open, levels" in output.error.message


def test_another_frequency_than_the_versions_is_a_warning(service: Service) -> None:
    found = ask(service, given(frequency="hour"), given(frequency="day"))
    hourly, daily = (output.warnings for output in found.outputs)  # type: ignore[attr-defined]
    assert hourly == ["the frequency hour is not that of the training data, D"]
    assert daily == []


@pytest.mark.parametrize(
    ("start", "letter", "last"),
    [
        ("2026-01-31", "D", "2026-02-02"),
        ("2026-01-31", "M", "2026-03-31"),
        ("2026-11-30", "Q", "2027-05-30"),
        ("2024-02-29", "Y", "2026-02-28"),
        ("2026-12-28", "W", "2027-01-11"),
        ("2026-01-31", "H", "2026-01-31T02:00:00"),
        ("2026-01-31T23:59:00", "T", "2026-02-01T00:01:00"),
        ("2026-01-31T23:59:59Z", "S", "2026-02-01T00:00:01Z"),
        ("2026-01-31T12:00:00+02:00", "D", "2026-02-02T12:00:00+02:00"),
    ],
)
def test_times_step_by_the_frequency(start: str, letter: str, last: str) -> None:
    assert timestamps(start, letter, 3)[-1] == last


@pytest.mark.parametrize("letter", ["D", "M", "Y"])
def test_times_end_with_the_year_9999(letter: str) -> None:
    with pytest.raises(InvalidRequest, match="9999"):
        timestamps("9999-12-31", letter, 2)


def test_every_level_has_its_two_quantiles() -> None:
    for level in range(50, 100):
        tail = (1 - level / 100) / 2
        assert level_of(round(tail, 4)) == level_of(round(1 - tail, 4)) == level


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"model": "nobody"}, 404, "there is no model 'nobody'"),
        ({"model": "letters"}, 400, "does not forecast series"),
        ({"inputs": []}, 422, "inputs"),
        ({"inputs": [given(frequency="B")]}, 422, "frequency"),
        ({"inputs": [given(series=[])]}, 422, "series"),
        ({"options": {}}, 422, "horizon"),
        ({"options": {"horizon": 0}}, 422, "horizon"),
        ({"options": {"horizon": 1, "quantiles": [1.5]}}, 422, "quantiles"),
    ],
)
def test_a_wrong_request_is_refused_in_the_protocols_form(
    service: Service, changes: dict[str, Any], status: int, message: str
) -> None:
    body = {"model": "calibrated", "inputs": [given()], "options": {"horizon": 1}}
    answer = service.client.post(PATH, json=body | changes)
    assert answer.status_code == status
    found = error_in(answer)
    assert message in found.message
    assert found.code == str(status)


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_body_that_is_no_request_is_refused(service: Service, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = service.client.post(PATH, content=content, headers=headers)
    assert answer.status_code in {400, 422}
    assert error_in(answer).message
